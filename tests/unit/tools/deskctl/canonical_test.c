/* Unit tests of the one spelling of JSON: same values, same text; other values, other texts. */
#include "canonical.h"

#include <CUnit/Basic.h>
#include <string.h>

static struct arena *arena;

static const char *canonical(const char *text)
{
    struct json *document = NULL;
    struct err err;
    CU_ASSERT_EQUAL_FATAL(json_parse(text, strlen(text), &document, &err), 0);
    const char *result = canonical_json(arena, document);
    json_free(&document);
    return result;
}

static void test_spelling(void)
{
    static const struct {
        const char *text, *canonical;
    } cases[] = {
        {"{}", "{}"},
        {" [ ] ", "[]"},
        {"null", "null"},
        {"\"a\\u000a\\/\"", "\"a\\n/\""},
        {"{\"b\": 1, \"a\": 2}", "{\"a\":2,\"b\":1}"},
        {"{\"bb\": 1, \"b\": 2, \"B\": 3, \"a\": null}", "{\"B\":3,\"a\":null,\"b\":2,\"bb\":1}"},
        {"[{\"b\": {\"d\": [], \"c\": {}}, \"a\": false}]",
         "[{\"a\":false,\"b\":{\"c\":{},\"d\":[]}}]"},
        {"[3, 1, 2]", "[3,1,2]"},
        {"[1.50, 15e-1, 1.0, 100, 1e2, -0.5]", "[1.5,1.5,1,100,100,-0.5]"},
    };
    for (size_t i = 0; i < sizeof cases / sizeof cases[0]; i++) {
        CU_ASSERT_STRING_EQUAL(canonical(cases[i].text), cases[i].canonical);
        CU_ASSERT_STRING_EQUAL(canonical(cases[i].canonical), cases[i].canonical);
    }
}

/* What is no whole document is written as well. */
static void test_part(void)
{
    struct json *document = NULL;
    struct err err;
    static const char text[] = "{\"a\": {\"c\": 1, \"b\": \"x\"}}";
    CU_ASSERT_EQUAL_FATAL(json_parse(text, strlen(text), &document, &err), 0);
    CU_ASSERT_STRING_EQUAL(canonical_json(arena, json_member(document, "a")),
                           "{\"b\":\"x\",\"c\":1}");
    json_free(&document);
}

int main(void)
{
    CU_initialize_registry();
    CU_pSuite suite = CU_add_suite("canonical", NULL, NULL);
    CU_add_test(suite, "spelling", test_spelling);
    CU_add_test(suite, "part", test_part);
    arena = arena_new();
    CU_basic_run_tests();
    arena_free(&arena);
    unsigned failures = CU_get_number_of_failures();
    CU_cleanup_registry();
    return failures > 0 ? 1 : 0;
}
