/* Unit tests of the comparison of configs: one readable line a leaf or an entry, whatever section
 * it is in, and nothing for the same value in another spelling. */
#include "tenant_diff.h"

#include <CUnit/Basic.h>
#include <stdio.h>
#include <string.h>

static struct arena *arena;

static const struct {
    const char *before, *after; /* NULL: no config */
    const char *said;           /* as people read it */
} cases[] = {
    {"{}", "{}", ""},
    {NULL, "{}", ""},
    {"{\"a\": null}", "{}", ""},
    {"{\"hours\":{\"mon\":[[\"08:00\",\"17:00\"]]},\"tone\":\"x\"}",
     "{\"tone\": \"x\", \"hours\": {\"mon\": [[\"08:00\", \"17:00\"]]}}", ""},
    /* wording, and members that this release does not know */
    {NULL, "{\"tone\":\"warm\",\"greeting\":\"Hi\"}",
     "  + assistant tone: warm\n  + greeting: Hi\n"},
    {"{\"tone\":\"warm\"}", "{\"tone\":\"cool\"}", "  ~ assistant tone: warm -> cool\n"},
    {"{\"facts\":\"a\\nb\"}", "{}", "  - assistant facts: a...\n"},
    {"{\"later\":{\"a\":1}}", "{}", "  - assistant later: {\"a\":1}\n"},
    {"{\"later\":{\"a\":1,\"b\":2}}", "{\"later\":{\"a\":2,\"b\":2}}",
     "  ~ assistant later.a: 1 -> 2\n"},
    {"{\"tone\":\"\\u001b[31m\"}", "{}", "  - assistant tone: \\x1b[31m\n"},
    /* models, by their place */
    {"{\"models\":[{\"model\":\"m\",\"base_url\":\"u\",\"total_ms\":1000,\"temperature\":0.3,"
     "\"key_wrapped\":\"AA==\"}]}",
     "{\"models\":[{\"model\":\"m\",\"base_url\":\"u\",\"total_ms\":2000,\"temperature\":0.25,"
     "\"key_wrapped\":\"AQ==\"},{\"model\":\"n\",\"base_url\":\"v\"}]}",
     "  ~ assistant models[1].total_ms: 1000 -> 2000\n"
     "  ~ assistant models[1].temperature: 0.30 -> 0.25\n"
     "  ~ assistant models[1].key: (secret) -> (secret)\n"
     "  + assistant models[2]: n at v\n"},
    {"{\"models\":[{\"model\":\"m\",\"extra\":{\"a\":{\"b\":1}}}]}",
     "{\"models\":[{\"model\":\"m\",\"extra\":{\"a\":{\"b\":2}},\"headers\":[\"A: 1\",\"B: 2\"]}]}",
     "  ~ assistant models[1].extra.a.b: 1 -> 2\n"
     "  + assistant models[1].headers: A: 1, B: 2\n"},
    /* hours */
    {"{\"hours\":{\"mon\":[[\"08:00\",\"17:00\"]],\"tue\":[[\"08:00\",\"17:00\"]]}}",
     "{\"hours\":{\"mon\":[[\"08:00\",\"12:00\"],[\"13:00\",\"17:00\"]],"
     "\"wed\":[[\"09:00\",\"10:00\"]]}}",
     "  ~ hours mon: 08:00-17:00 -> 08:00-12:00, 13:00-17:00\n"
     "  + hours wed: 09:00-10:00\n"
     "  - hours tue: 08:00-17:00\n"},
    {"{}", "{\"hours\":{}}", "  + hours: {}\n"},
    /* entries by name */
    {"{\"holidays\":[{\"day\":\"2026-12-24\",\"name\":\"Eve\"}]}",
     "{\"holidays\":[{\"day\":\"2026-12-25\",\"name\":\"Christmas\"}]}",
     "  + holidays: 2026-12-25 Christmas\n  - holidays: 2026-12-24 Eve\n"},
    {"{\"holidays\":[{\"day\":\"2026-12-24\",\"name\":\"Eve\"}]}",
     "{\"holidays\":[{\"day\":\"2026-12-24\",\"name\":\"Eve\",\"hours\":[[\"08:00\",\"12:00\"]]}]}",
     "  + holidays 2026-12-24 hours: 08:00-12:00\n"},
    {"{\"services\":[{\"name\":\"Filling\",\"duration_min\":60,\"horizon_days\":30,"
     "\"resources\":[\"A\"]}]}",
     "{\"services\":[{\"name\":\"Filling\",\"duration_min\":45,\"horizon_days\":60,"
     "\"resources\":[\"A\",\"B\"]}]}",
     "  ~ services Filling duration: 60 min -> 45 min\n"
     "  ~ services Filling horizon: 30 days -> 60 days\n"
     "  + services Filling resources: B\n"},
    {"{\"services\":[{\"name\":\"A\",\"duration_min\":5},{\"name\":\"B\",\"duration_min\":5}]}",
     "{\"services\":[{\"name\":\"B\",\"duration_min\":5},{\"name\":\"C\",\"duration_min\":90},"
     "{\"name\":\"A\",\"duration_min\":6}]}",
     "  + services: C 90 min\n"
     "  ~ services A duration: 5 min -> 6 min\n"
     "  ~ services order: A, B -> B, A\n"},
    {"{\"resources\":[\"A\",\"B\"]}", "{\"resources\":[\"B\",\"C\"]}",
     "  + resources: C\n  - resources: A\n"},
    {"{\"resources\":[\"A\",\"B\"]}", "{\"resources\":[\"B\",\"A\"]}",
     "  ~ resources order: A, B -> B, A\n"},
    {"{\"intake\":[]}", "{\"intake\":[{\"field\":\"who\",\"ask\":\"your name\"}]}",
     "  + intake: who your name\n"},
    {"{\"intents\":[{\"name\":\"a\",\"action\":\"book\"}]}",
     "{\"intents\":[{\"name\":\"a\",\"action\":\"end\"}]}", "  ~ intents a action: book -> end\n"},
    /* blocks */
    {"{\"escalation\":{\"on\":[\"anger\"],\"rota\":[{\"name\":\"front desk\",\"sms\":\"+1\"}],"
     "\"accept_within_min\":5}}",
     "{\"escalation\":{\"on\":[\"anger\",\"customer_asks\"],"
     "\"rota\":[{\"name\":\"front desk\",\"sms\":\"+2\"},{\"name\":\"owner\",\"sms\":\"+3\"}],"
     "\"accept_within_min\":10}}",
     "  + escalation on: customer_asks\n"
     "  ~ escalation rota front desk sms: +1 -> +2\n"
     "  + escalation rota: owner +3\n"
     "  ~ escalation accept_within: 5 min -> 10 min\n"},
    {"{}", "{\"budgets\":{\"day\":{\"cost\":5250000000,\"tokens\":1000}}}",
     "  + budgets day.cost: 5.25 dollars\n  + budgets day.tokens: 1000\n"},
    {"{\"recover\":{\"answer\":false}}", "{\"recover\":{\"answer\":true}}",
     "  ~ recover answer: false -> true\n"},
    {"{\"tools\":[\"book\"]}", "{\"tools\":[]}", "  - tools: book\n"},
    {"{}", "{\"tools\":[]}", "  + tools: []\n"},
    /* HTTP tools */
    {"{\"http_tools\":[{\"name\":\"t\",\"url\":\"u\",\"key_wrapped\":\"AA==\",\"timeout_ms\":1000,"
     "\"parameters\":{\"type\":\"object\",\"properties\":{\"n\":{\"type\":\"string\"}}}}]}",
     "{\"http_tools\":[{\"name\":\"t\",\"url\":\"u\",\"timeout_ms\":2000,"
     "\"parameters\":{\"type\":\"object\",\"properties\":{\"n\":{\"type\":\"integer\"},"
     "\"m\":{}}},\"result\":{\"type\":\"object\"}}]}",
     "  ~ http_tools t timeout: 1000 ms -> 2000 ms\n"
     "  ~ http_tools t parameters.properties.n.type: string -> integer\n"
     "  + http_tools t parameters.properties.m: {}\n"
     "  + http_tools t result: {\"type\":\"object\"}\n"
     "  - http_tools t key: (secret)\n"},
    /* what no file can bring about is shown as a whole */
    {"{\"resources\":[\"A\",\"A\"]}", "{\"resources\":[\"A\"]}", "  ~ resources: A, A -> A\n"},
    {"{\"services\":[{\"x\":1}]}", "{\"services\":5}", "  ~ services: [{\"x\":1}] -> 5\n"},
    {"{\"hours\":[1]}", "{\"hours\":{\"mon\":\"x\"}}", "  ~ hours: [1] -> {\"mon\":\"x\"}\n"},
};

static struct json *parsed(const char *text)
{
    struct json *document = NULL;
    struct err err;
    if (text != NULL)
        CU_ASSERT_EQUAL_FATAL(json_parse(text, strlen(text), &document, &err), 0);
    return document;
}

static void test_cases(void)
{
    for (size_t i = 0; i < sizeof cases / sizeof cases[0]; i++) {
        struct json *before = parsed(cases[i].before), *after = parsed(cases[i].after);
        struct tenant_changes changes = {.arena = arena};
        struct strbuf out;
        bool differ = tenant_diff_config(&changes, before, after);
        strbuf_init(&out, 65536);
        tenant_changes_print(&changes, &out);
        const char *said = out.length > 0 ? out.data : "";
        if (strcmp(said, cases[i].said) != 0)
            fprintf(stderr, "\n%s\n%s\n  wanted\n%s  got\n%s", cases[i].before, cases[i].after,
                    cases[i].said, said);
        CU_ASSERT_STRING_EQUAL(said, cases[i].said);
        CU_ASSERT_EQUAL(differ, *cases[i].said != '\0');
        strbuf_fini(&out);
        json_free(&before);
        json_free(&after);
    }
}

/* The other way round there are as many differences. */
static void test_both_ways(void)
{
    for (size_t i = 0; i < sizeof cases / sizeof cases[0]; i++) {
        struct json *before = parsed(cases[i].before), *after = parsed(cases[i].after);
        struct tenant_changes there = {.arena = arena}, back = {.arena = arena};
        tenant_diff_config(&there, before, after);
        tenant_diff_config(&back, after, before);
        CU_ASSERT_EQUAL(there.count > 0, back.count > 0);
        json_free(&before);
        json_free(&after);
    }
}

static void test_line(void)
{
    struct json *before = parsed("{\"tone\":\"a\",\"holidays\":[]}");
    struct json *after = parsed("{\"tone\":\"b\",\"holidays\":[{\"day\":\"2026-12-25\",\"name\":"
                                "\"Christmas\"}]}");
    struct tenant_changes changes = {.arena = arena};
    CU_ASSERT_STRING_EQUAL(tenant_changes_line(&changes, 80), "");
    tenant_diff_config(&changes, before, after);
    CU_ASSERT_STRING_EQUAL(tenant_changes_line(&changes, 80),
                           "~ assistant tone; + holidays 2026-12-25 Christmas");
    CU_ASSERT_STRING_EQUAL(tenant_changes_line(&changes, 49),
                           "~ assistant tone; + holidays 2026-12-25 Christmas");
    CU_ASSERT_STRING_EQUAL(tenant_changes_line(&changes, 20), "~ assistant tone;...");
    json_free(&before);
    json_free(&after);
}

int main(void)
{
    CU_initialize_registry();
    CU_pSuite suite = CU_add_suite("tenant_diff", NULL, NULL);
    CU_add_test(suite, "cases", test_cases);
    CU_add_test(suite, "both ways", test_both_ways);
    CU_add_test(suite, "line", test_line);
    arena = arena_new();
    CU_basic_run_tests();
    arena_free(&arena);
    unsigned failures = CU_get_number_of_failures();
    CU_cleanup_registry();
    return failures > 0 ? 1 : 0;
}
