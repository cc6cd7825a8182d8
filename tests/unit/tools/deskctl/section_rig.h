/* What the tests of a tenant file's sections share: a section as it stands in a file, and the JSON
 * or the problems that it makes. Sections begin on line 1; what every file needs follows. */
#ifndef TEST_SECTION_RIG_H
#define TEST_SECTION_RIG_H

#include <CUnit/Basic.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "tenant_file.h"

struct good_section {
    const char *text;
    const char *name, *json; /* the section and its value */
};

struct bad_section {
    const char *text;
    const char *said; /* all problems, "line: what\n" */
};

static char rig_path[64];
static struct arena *rig_arena;
static const struct vendors rig_vendors; /* none */

static const char rig_head[] = "name: ab\ndisplay_name: A\ntimezone: UTC\nlanguage: en-US\n";
static const char rig_channels[] =
    "channels:\n"
    "  - {kind: sms, number: \"+15550100101\", auth_token: env:DESK_TEST_TOKEN,\n"
    "     account_sid: AC000000000000000000000000000001ab}\n";
static const char rig_rest[] =
    "assistant:\n  models:\n"
    "    - {base_url: \"http://127.0.0.1:8080\", model: m, price: {input: 1, output: 2}}\n"
    "  persona: twenty characters at least\n  facts: x\n  fallback: ten chars at least\n"
    "  degraded: ten chars at least\n";

/* The text may bring channels of its own. */
static inline void rig_read(const char *text, struct problems *problems, struct tenant_file *file)
{
    const char *paths[] = {rig_path};
    FILE *out = fopen(rig_path, "w");
    CU_ASSERT_PTR_NOT_NULL_FATAL(out);
    const char *channels = strstr(text, "channels:") != NULL ? "" : rig_channels;
    fprintf(out, "%s%s%s%s", text, rig_head, channels, rig_rest);
    fclose(out);
    problems_init(problems, rig_arena, "");
    tenant_file_read(problems, &rig_vendors, paths, 1, file);
}

/* The problems without the file's name. */
static inline const char *rig_said(const struct problems *problems)
{
    const char *said = "";
    size_t prefix = strlen(rig_path) + 1;
    for (const char *line = problems->text.data; line != NULL && *line != '\0';) {
        size_t length = strcspn(line, "\n") + 1;
        CU_ASSERT_EQUAL_FATAL(strncmp(line, rig_path, prefix - 1), 0);
        said = arena_printf(rig_arena, "%s%.*s", said, (int)(length - prefix), line + prefix);
        line += length;
    }
    return said;
}

static inline const char *rig_json(const struct tenant_file *file, const char *name)
{
    for (size_t i = 0; i < TENANT_SECTIONS; i++)
        if (strcmp(tenant_sections[i].name, name) == 0)
            return file->sections[i] != NULL ? file->sections[i] : "(absent)";
    return "(no such section)";
}

static inline void rig_same(const char *text, const char *wanted, const char *got)
{
    if (strcmp(wanted, got) != 0)
        fprintf(stderr, "\n%s\n  wanted %s\n  got    %s\n", text, wanted, got);
    CU_ASSERT_STRING_EQUAL(got, wanted);
}

static inline void rig_good(const struct good_section *cases, size_t count)
{
    for (size_t i = 0; i < count; i++) {
        struct problems problems;
        struct tenant_file file;
        rig_read(cases[i].text, &problems, &file);
        rig_same(cases[i].text, "", rig_said(&problems));
        rig_same(cases[i].text, cases[i].json, rig_json(&file, cases[i].name));
        tenant_file_fini(&file);
        strbuf_fini(&problems.text);
    }
}

static inline void rig_bad(const struct bad_section *cases, size_t count)
{
    for (size_t i = 0; i < count; i++) {
        struct problems problems;
        struct tenant_file file;
        rig_read(cases[i].text, &problems, &file);
        rig_same(cases[i].text, cases[i].said, rig_said(&problems));
        tenant_file_fini(&file);
        strbuf_fini(&problems.text);
    }
}

/* The rest of main. */
static inline int rig_run(void)
{
    snprintf(rig_path, sizeof rig_path, "/tmp/desk-section-XXXXXX");
    int file = mkstemp(rig_path);
    if (file < 0)
        return 1;
    close(file);
    setenv("DESK_TEST_TOKEN", "token-1", 1);
    rig_arena = arena_new();
    CU_basic_run_tests();
    unlink(rig_path);
    arena_free(&rig_arena);
    unsigned failures = CU_get_number_of_failures();
    CU_cleanup_registry();
    return failures > 0 ? 1 : 0;
}

#endif
