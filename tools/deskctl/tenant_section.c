/* The table of sections and what their readers share. tenant_file.c calls it; the readers are in
 * tenant_file_*.c. */
#include "tenant_section.h"

#include <ctype.h>
#include <stdio.h>
#include <string.h>

#include "base/suggest.h"
#include "tenant_file.h"

#define SECTION_BYTES_MAX (512 * 1024)

const struct tenant_section tenant_sections[] = {
    {"greeting", FIELD_NODE, 0, section_read_greeting, NULL},
    {"languages", FIELD_LIST, 10, section_read_languages, NULL},
    {"hours", FIELD_MAPPING, 0, section_read_hours, NULL},
    {"holidays", FIELD_LIST, 200, section_read_holidays, "name"},
    {"after_hours", FIELD_MAPPING, 0, section_read_after_hours, NULL},
    {"resources", FIELD_LIST, 100, section_read_resources, NULL},
    {"intake", FIELD_LIST, 20, section_read_intake, "ask"},
    {"services", FIELD_LIST, 50, section_read_services, "duration_min"},
    {"booking", FIELD_MAPPING, 0, section_read_booking, NULL},
    {"intents", FIELD_LIST, 30, section_read_intents, "action"},
    {"escalation", FIELD_MAPPING, 0, section_read_escalation, "sms"},
    {"tools", FIELD_LIST, 11, section_read_tools, NULL},
    {"http_tools", FIELD_LIST, TENANT_HTTP_TOOLS_MAX, section_read_http_tools, "url"},
    {"budgets", FIELD_MAPPING, 0, section_read_budgets, NULL},
    {"knowledge", FIELD_MAPPING, 0, section_read_knowledge, NULL},
    {"recover", FIELD_MAPPING, 0, section_read_recover, NULL},
    {"phone", FIELD_MAPPING, 0, section_read_phone, NULL},
    {"calls", FIELD_MAPPING, 0, section_read_calls, NULL},
    {"reception", FIELD_MAPPING, 0, section_read_reception, NULL},
};

_Static_assert(sizeof tenant_sections / sizeof tenant_sections[0] == TENANT_SECTIONS,
               "TENANT_SECTIONS counts the table");

void tenant_section_fields(size_t offset, struct field fields[TENANT_SECTIONS])
{
    for (size_t i = 0; i < TENANT_SECTIONS; i++)
        fields[i] = (struct field){.key = tenant_sections[i].name,
                                   .kind = tenant_sections[i].kind,
                                   .offset = offset + i * sizeof(const struct yaml_node *),
                                   .max = tenant_sections[i].max};
}

void tenant_section_read(struct problems *problems, const struct yaml_node *root,
                         const struct yaml_node *const nodes[TENANT_SECTIONS],
                         struct tenant_file *file)
{
    for (size_t i = 0; i < TENANT_SECTIONS; i++) {
        struct strbuf text;
        struct json_writer writer;
        struct section section = {problems, root, file, &writer};
        if (nodes[i] == NULL)
            continue;
        strbuf_init(&text, SECTION_BYTES_MAX);
        json_writer_init(&writer, &text);
        tenant_sections[i].read(&section, nodes[i]);
        if (text.overflow)
            problems_add(problems, nodes[i]->line, "%s: is more than %d bytes; shorten it",
                         tenant_sections[i].name, SECTION_BYTES_MAX);
        file->sections[i] = arena_strdup(problems->arena, text.data);
        strbuf_fini(&text);
    }
}

/* ---- writing ---- */

static void write_text(struct section *section, const char *name, const char *text)
{
    if (text != NULL)
        json_add_text(section->writer, name, text);
}

static void write_number(struct section *section, const char *name, const char *unit, int64_t value)
{
    char full[64];
    snprintf(full, sizeof full, "%s%s", name, unit);
    if (value >= 0)
        json_add_int(section->writer, full, value);
}

void section_write_fields(struct section *section, const struct field *fields, size_t count,
                          const void *values)
{
    static const char *const units[] = {
        [FIELD_MS] = "_ms", [FIELD_MINUTES] = "_min", [FIELD_DAYS] = "_days"};
    for (size_t i = 0; i < count; i++) {
        const void *value = (const char *)values + fields[i].offset;
        enum field_kind kind = fields[i].kind;
        if (kind <= FIELD_CHOICE)
            write_text(section, fields[i].key, *(const char *const *)value);
        else if (kind == FIELD_INT)
            write_number(section, fields[i].key, "", *(const int64_t *)value);
        else if (kind <= FIELD_DAYS)
            write_number(section, fields[i].key, units[kind], *(const int64_t *)value);
        else if (kind == FIELD_BOOL)
            json_add_bool(section->writer, fields[i].key, *(const bool *)value);
    }
}

void section_write_words(struct section *section, const char *name, const struct yaml_node *list,
                         const struct section_words *words)
{
    bool fixed = words->known != NULL && words->of == NULL;
    const struct field field = {.key = words->key,
                                .kind = fixed ? FIELD_CHOICE : FIELD_TEXT,
                                .min = 1,
                                .max = words->max,
                                .choices = words->known};
    if (list == NULL)
        return;
    json_open_array(section->writer, name);
    for (const struct yaml_node *node = list->first; node != NULL; node = node->next) {
        const char *text = "";
        if (!fields_read_one(section->problems, node, &field, &text))
            continue;
        section_check_unique(section, list, node, NULL, words->key);
        if (words->of != NULL)
            section_check_known(section, node->line, text, words);
        json_add_text(section->writer, NULL, text);
    }
    json_close_array(section->writer);
}

/* ---- names ---- */

/* Without the spaces at its end, which a text of a file loses too. */
static const char *name_of(struct arena *arena, const struct yaml_node *entry, const char *key)
{
    const char *text = entry->kind == YAML_SCALAR ? entry->text : NULL;
    if (key != NULL && entry->kind == YAML_MAPPING)
        text = yaml_get_text(entry, key);
    size_t length = text != NULL ? strlen(text) : 0;
    while (length > 0 && isspace((unsigned char)text[length - 1]))
        length--;
    return length > 0 ? arena_strndup(arena, text, length) : NULL;
}

const char *const *section_names(const struct section *section, const char *name, const char *key)
{
    const struct yaml_node *list = yaml_get(section->root, name);
    size_t count = list != NULL && list->kind == YAML_SEQUENCE ? list->count : 0, used = 0;
    const char **names = arena_alloc(section->problems->arena, (count + 1) * sizeof *names);
    for (const struct yaml_node *entry = count > 0 ? list->first : NULL; entry != NULL;
         entry = entry->next) {
        const char *text = name_of(section->problems->arena, entry, key);
        if (text != NULL)
            names[used++] = text;
    }
    return names;
}

void section_check_known(struct section *section, int line, const char *text,
                         const struct section_words *words)
{
    for (const char *const *known = words->known; *known != NULL; known++)
        if (strcmp(*known, text) == 0)
            return;
    const char *near = suggest(text, words->known);
    if (near != NULL)
        problems_add(section->problems, line, "%s: \"%.60s\" is not in %s:; did you mean %s?",
                     words->key, text, words->of, near);
    else
        problems_add(section->problems, line, "%s: \"%.60s\" is not in %s:; add it there",
                     words->key, text, words->of);
}

void section_check_unique(struct section *section, const struct yaml_node *list,
                          const struct yaml_node *entry, const char *key, const char *what)
{
    struct arena *arena = section->problems->arena;
    const char *text = name_of(arena, entry, key), *other;
    const struct yaml_node *at = key != NULL ? yaml_get(entry, key) : NULL;
    if (text == NULL)
        return;
    for (const struct yaml_node *node = list->first; node != entry; node = node->next)
        if ((other = name_of(arena, node, key)) != NULL && strcmp(other, text) == 0) {
            problems_add(section->problems, at != NULL ? at->line : entry->line,
                         "%s: \"%.60s\" is there twice; remove one", what, text);
            return;
        }
}
