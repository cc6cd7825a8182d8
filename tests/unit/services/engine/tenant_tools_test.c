/* A tenant's HTTP tools as the engine reads them from a version's config, and the check of what a
 * model hands to one. */
#include "tenant_tools.h"
#include "tools.h"

#include <CUnit/Basic.h>
#include <CUnit/CUnit.h>
#include <string.h>

#define PARAMETERS                                                                                 \
    "\"parameters\":{\"type\":\"object\",\"properties\":{\"number\":{\"type\":\"string\","         \
    "\"maxLength\":6}},\"required\":[\"number\"]}"
#define REST "\"description\":\"d\",\"url\":\"https://shop.example/a\"," PARAMETERS

static int read_tool(struct arena *arena, const char *text, struct tenant_tool *tool)
{
    struct json *entry = NULL;
    struct err err = {.code = ""};
    CU_ASSERT_EQUAL_FATAL(json_parse(text, strlen(text), &entry, &err), 0);
    int rc = tenant_tool_read(arena, entry, tool, &err);
    if (rc != 0)
        CU_ASSERT_STRING_EQUAL(err.code, "assistant.http_tool");
    json_free(&entry);
    return rc;
}

static void good_ones(void)
{
    struct arena *arena = arena_new();
    struct tenant_tool tool = {0};
    CU_ASSERT_EQUAL_FATAL(
        read_tool(arena,
                  "{\"name\":\"order_status\"," REST ",\"timeout_ms\":2000,\"changes\":false,"
                  "\"result\":{\"type\":\"object\"},\"key_wrapped\":\"not looked at\"}",
                  &tool),
        0);
    CU_ASSERT_STRING_EQUAL(tool.name, "order_status");
    CU_ASSERT_STRING_EQUAL(tool.url, "https://shop.example/a");
    CU_ASSERT_PTR_NOT_NULL(strstr(tool.parameters, "\"maxLength\":6"));
    CU_ASSERT_PTR_NOT_NULL(tool.answer);
    CU_ASSERT_PTR_NULL(tool.key);
    CU_ASSERT_EQUAL(tool.limit_ms, 2000);
    CU_ASSERT_FALSE(tool.changes);
    tenant_tool_fini(&tool);
    CU_ASSERT_EQUAL_FATAL(read_tool(arena, "{\"name\":\"a\"," REST "}", &tool), 0);
    CU_ASSERT_EQUAL(tool.limit_ms, 10000);
    CU_ASSERT_TRUE(tool.changes); /* what does not say so is treated with more care */
    CU_ASSERT_PTR_NULL(tool.answer);
    tenant_tool_fini(&tool);
    arena_free(&arena);
}

static void bad_ones(void)
{
    static const char *const cases[] = {
        "{}",
        "[]",
        "{" REST "}",
        "{\"name\":\"\"," REST "}",
        "{\"name\":\"1st\"," REST "}",
        "{\"name\":\"with space\"," REST "}",
        "{\"name\":\"a12345678901234567890123456789012345678901234567890123456789012345\"," REST
        "}",
        "{\"name\":\"a\",\"description\":\"d\"," PARAMETERS "}",
        "{\"name\":\"a\",\"url\":\"http://a\"," PARAMETERS "}",
        "{\"name\":\"a\",\"description\":\"d\",\"url\":\"http://a\"}",
        "{\"name\":\"a\",\"description\":\"d\",\"url\":\"http://a\",\"parameters\":[]}",
        "{\"name\":\"a\",\"description\":\"d\",\"url\":\"http://a\","
        "\"parameters\":{\"type\":\"string\"}}",
        "{\"name\":\"a\",\"description\":\"d\",\"url\":\"http://a\","
        "\"parameters\":{\"type\":\"object\",\"pattern\":\"x\"}}",
        "{\"name\":\"a\"," REST ",\"result\":{\"type\":\"array\"}}",
        "{\"name\":\"a\"," REST ",\"result\":{\"type\":\"object\",\"$ref\":\"x\"}}",
    };
    struct arena *arena = arena_new();
    for (size_t i = 0; i < sizeof cases / sizeof *cases; i++) {
        struct tenant_tool tool = {0};
        int rc = read_tool(arena, cases[i], &tool);
        if (rc == 0)
            printf("\n    taken: %s\n", cases[i]);
        CU_ASSERT_EQUAL(rc, -1);
        CU_ASSERT_PTR_NULL(tool.name);
        tenant_tool_fini(&tool);
    }
    arena_free(&arena);
}

static void arguments(void)
{
    static const struct {
        const char *text, *word; /* NULL: they fit */
    } cases[] = {
        {"{\"number\":\"A-17\"}", NULL},
        {" { \"number\" : \"A-17\" } ", NULL},
        {"", "not one JSON object"},
        {"{\"number\":", "not one JSON object"},
        {"{\"number\":\"a\",\"number\":\"b\"}", "not one JSON object"},
        {"{\"number\":\"a\"} {}", "not one JSON object"},
        {"{}", "number: required"},
        {"[]", "object"},
        {"null", "object"},
        {"{\"number\":17}", "number"},
        {"{\"number\":\"A-1234567\"}", "number"},
    };
    struct arena *arena = arena_new();
    struct tenant_tool tool = {0};
    CU_ASSERT_EQUAL_FATAL(read_tool(arena, "{\"name\":\"a\"," REST "}", &tool), 0);
    for (size_t i = 0; i < sizeof cases / sizeof *cases; i++) {
        struct json *read = NULL;
        struct err err = {.message = ""};
        int rc = tools_check_arguments(tool.arguments, cases[i].text, &read, &err);
        CU_ASSERT_EQUAL(rc, cases[i].word == NULL ? 0 : -1);
        CU_ASSERT_EQUAL(read != NULL, cases[i].word == NULL);
        if (cases[i].word != NULL && strstr(err.message, cases[i].word) == NULL)
            printf("\n    %s: %s\n", cases[i].text, err.message);
        if (cases[i].word != NULL)
            CU_ASSERT_PTR_NOT_NULL(strstr(err.message, cases[i].word));
        json_free(&read);
    }
    static char large[17 * 1024];
    struct json *read = NULL;
    struct err err;
    memset(large, ' ', sizeof large - 1);
    CU_ASSERT_EQUAL(tools_check_arguments(tool.arguments, large, &read, &err), -1);
    CU_ASSERT_PTR_NOT_NULL(strstr(err.message, "over 16 kB"));
    tenant_tool_fini(&tool);
    arena_free(&arena);
}

int main(void)
{
    CU_initialize_registry();
    CU_pSuite suite = CU_add_suite("tenants' tools", NULL, NULL);
    CU_add_test(suite, "good ones", good_ones);
    CU_add_test(suite, "bad ones", bad_ones);
    CU_add_test(suite, "arguments", arguments);
    CU_basic_set_mode(CU_BRM_VERBOSE);
    CU_basic_run_tests();
    unsigned failures = CU_get_number_of_failures();
    CU_cleanup_registry();
    return failures > 0 ? 1 : 0;
}
