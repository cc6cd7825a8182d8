/* Which JSON values are equal. */
#include "json/equal.h"

#include <CUnit/Basic.h>
#include <CUnit/CUnit.h>
#include <stdio.h>
#include <string.h>

static const struct {
    const char *a, *b;
    bool equal;
} cases[] = {
    {"null", "null", true},
    {"null", "false", false},
    {"true", "true", true},
    {"true", "false", false},
    {"1", "1.0", true},
    {"1", "\"1\"", false},
    {"1e2", "100", true},
    {"1", "2", false},
    {"\"a\"", "\"\\u0061\"", true},
    {"\"a\"", "\"A\"", false},
    {"[]", "{}", false},
    {"[1,2]", "[1,2]", true},
    {"[1,2]", "[2,1]", false},
    {"[1,2]", "[1]", false},
    {"[1]", "[1,2]", false},
    {"{\"a\":1,\"b\":[{}]}", "{\"b\":[{}],\"a\":1}", true},
    {"{\"a\":1}", "{\"A\":1}", false},
    {"{\"a\":1}", "{\"a\":1,\"b\":2}", false},
    {"{\"a\":1,\"b\":2}", "{\"a\":1}", false},
    {"{\"a\":null}", "{}", false},
    {"{\"a\":null}", "{\"a\":null}", true},
    {"{\"a\":{\"b\":{\"c\":[0]}}}", "{\"a\":{\"b\":{\"c\":[1]}}}", false},
};

static void pairs(void)
{
    for (size_t i = 0; i < sizeof cases / sizeof *cases; i++) {
        struct json *a = NULL, *b = NULL;
        CU_ASSERT_EQUAL_FATAL(json_parse(cases[i].a, strlen(cases[i].a), &a, NULL), 0);
        CU_ASSERT_EQUAL_FATAL(json_parse(cases[i].b, strlen(cases[i].b), &b, NULL), 0);
        bool good = json_equal(a, b) == cases[i].equal && json_equal(b, a) == cases[i].equal;
        if (!good)
            printf("    %s and %s\n", cases[i].a, cases[i].b);
        CU_ASSERT_TRUE(good);
        json_free(&a);
        json_free(&b);
    }
}

int main(void)
{
    CU_initialize_registry();
    CU_pSuite suite = CU_add_suite("equal JSON", NULL, NULL);
    CU_add_test(suite, "pairs", pairs);
    CU_basic_run_tests();
    return CU_get_number_of_failures() != 0;
}
