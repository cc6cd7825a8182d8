/* Unit tests of the room that a chain's windows have for what a tenant file says. */
#include "tenant_room.h"

#include <CUnit/Basic.h>
#include <string.h>

static struct arena *arena;

/* What is told of the business: facts of so many characters, and an HTTP tool described in as many.
 */
static const char *config_of(int facts, int described, const char *tools)
{
    char *text = arena_alloc(arena, 20001);
    memset(text, 'a', 20000);
    text[20000] = '\0';
    return arena_printf(arena,
                        "{\"persona\":\"kind\",\"facts\":\"%.*s\",\"tone\":\"\",\"tools\":[%s],"
                        "\"http_tools\":[{\"name\":\"t\",\"description\":\"%.*s\",\"url\":\"u\","
                        "\"parameters\":{\"type\":\"object\"}}]}",
                        facts, text, tools, described, text);
}

static size_t problems_of(const char *config, struct tenant_file *file, const char **text)
{
    struct problems problems;
    const struct tenant_row row = {
        .display_name = "Dental", .timezone = "Europe/Berlin", .language = "de", .config = config};
    problems_init(&problems, arena, "");
    file->path = "a.yaml";
    tenant_room_check(&problems, file, &row);
    *text = arena_strdup(arena, problems.text.data);
    strbuf_fini(&problems.text);
    return problems.count;
}

/* Guards: each part of fixed_tokens, and the sum in tenant_room_check. */
static void what_is_in_each_prompt_has_room(void)
{
    static const char some[] = "\"book\",\"cancel\",\"escalate\"";
    static const struct {
        int facts, described;
        const char *tools;
        int64_t window;
        int max_tokens;
        bool is_bad;
    } cases[] = {
        {10, 10, "", 0, 300, false},       /* nobody knows it */
        {10, 10, "", 2500, 300, false},    /* rules and a text have room */
        {10, 10, "", 1000, 300, true},     /* but not in so few */
        {6000, 10, "", 2500, 300, true},   /* 2,000 tokens of facts */
        {6000, 10, "", 4500, 300, false},  /* have room here */
        {10, 6000, "", 2500, 300, true},   /* as a tool's description */
        {10, 10, "", 2500, 2000, true},    /* a long answer */
        {3000, 10, "", 2500, 300, false},  /* 1,000 tokens of facts */
        {3000, 10, some, 2500, 300, true}, /* and three tools */
    };
    for (size_t i = 0; i < sizeof cases / sizeof cases[0]; i++) {
        const char *said;
        struct tenant_file file = {
            .models = {{.line = 7, .window = cases[i].window, .max_tokens = cases[i].max_tokens}},
            .model_count = 1};
        const char *config = config_of(cases[i].facts, cases[i].described, cases[i].tools);
        CU_ASSERT_EQUAL(problems_of(config, &file, &said), cases[i].is_bad);
        CU_ASSERT_EQUAL(strstr(said, "a.yaml:7: window:") != NULL, cases[i].is_bad);
        if ((said[0] != '\0') != cases[i].is_bad)
            printf("    case %zu: %s\n", i, said);
    }
}

/* The smallest of the chain is the one that is named. */
static void each_entry_of_the_chain_is_looked_at(void)
{
    const char *said;
    struct tenant_file file = {.models = {{.line = 7, .window = 200000, .max_tokens = 300},
                                          {.line = 9, .window = 1000, .max_tokens = 300},
                                          {.line = 11, .max_tokens = 300}},
                               .model_count = 3};
    CU_ASSERT_EQUAL(problems_of(config_of(10, 10, ""), &file, &said), 1);
    CU_ASSERT_PTR_NOT_NULL(strstr(said, "a.yaml:9: window: 1000 tokens are too few"));
    CU_ASSERT_PTR_NOT_NULL(strstr(said, "as window:, or shorten"));
}

int main(void)
{
    CU_initialize_registry();
    CU_pSuite suite = CU_add_suite("tenant_room", NULL, NULL);
    arena = arena_new();
    CU_add_test(suite, "room", what_is_in_each_prompt_has_room);
    CU_add_test(suite, "a chain", each_entry_of_the_chain_is_looked_at);
    CU_basic_run_tests();
    arena_free(&arena);
    return CU_get_number_of_failures() != 0;
}
