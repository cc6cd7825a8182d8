/* Unit tests of array literals, without a server: writing, and decoding of nonsense. */
#include "pg/pg.h"

#include <CUnit/Basic.h>
#include <stdlib.h>
#include <string.h>

static void test_literals(void)
{
    struct arena *arena = arena_new();
    struct pg_array array;
    pg_array_init(&array);
    CU_ASSERT_STRING_EQUAL(pg_array_take(&array, arena), "{}");
    pg_array_add(&array, "a");
    pg_array_add(&array, NULL);
    pg_array_add(&array, "");
    pg_array_add(&array, "q\"b\\");
    pg_array_add(&array, "NULL");
    CU_ASSERT_EQUAL(array.count, 5);
    CU_ASSERT_STRING_EQUAL(pg_array_take(&array, arena),
                           "{\"a\",NULL,\"\",\"q\\\"b\\\\\",\"NULL\"}");
    pg_array_add_int(&array, INT64_MIN);
    pg_array_add_int(&array, INT64_MAX);
    pg_array_add_int(&array, 0);
    pg_array_add_int(&array, -1);
    CU_ASSERT_STRING_EQUAL(pg_array_take(&array, arena),
                           "{-9223372036854775808,9223372036854775807,0,-1}");
    pg_array_add_bool(&array, true);
    pg_array_add_bool(&array, false);
    CU_ASSERT_STRING_EQUAL(pg_array_take(&array, arena), "{t,f}");
    struct uuid nil = {{0}};
    pg_array_add_uuid(&array, &nil);
    pg_array_add_uuid(&array, &nil);
    CU_ASSERT_STRING_EQUAL(pg_array_take(&array, arena), "{00000000-0000-0000-0000-000000000000,"
                                                         "00000000-0000-0000-0000-000000000000}");
    pg_array_fini(&array);
    arena_free(&arena);
}

static void test_decodes(void)
{
    static const struct {
        const char *literal;
        size_t count;
        const char *items[4];
    } cases[] = {
        {"{}", 0, {NULL}},
        {"{a}", 1, {"a"}},
        {"{a,b c,d}", 3, {"a", "b c", "d"}},
        {"{NULL,null,\"NULL\"}", 3, {NULL, NULL, "NULL"}},
        {"{\"\",\"a,b\",\"{}\"}", 3, {"", "a,b", "{}"}},
        {"{\"q\\\"b\\\\\",x}", 2, {"q\"b\\", "x"}},
        {"{\\N\\U\\L\\L}", 1, {"NULL"}},
        {"{\xc3\xa9}", 1, {"\xc3\xa9"}},
    };
    struct arena *arena = arena_new();
    for (size_t i = 0; i < sizeof cases / sizeof cases[0]; i++) {
        const char **items = NULL;
        size_t count = 99;
        CU_ASSERT_EQUAL_FATAL(pg_array_decode(arena, cases[i].literal, &items, &count, NULL), 0);
        CU_ASSERT_EQUAL_FATAL(count, cases[i].count);
        for (size_t k = 0; k < count; k++) {
            CU_ASSERT_EQUAL(items[k] == NULL, cases[i].items[k] == NULL);
            if (items[k] != NULL && cases[i].items[k] != NULL)
                CU_ASSERT_STRING_EQUAL(items[k], cases[i].items[k]);
        }
    }
    arena_free(&arena);
}

static void test_refuses_nonsense(void)
{
    static const char *const cases[] = {
        "",     "x",        "{",      "}",         "{a",     "{a,}", "{,}",   "{a}b",    "{{a}}",
        "{\"a", "{\"a\"x}", "{a\"b}", "[0:1]={a}", "{\"a\\", "{a\\", "{},{}", "{a,{b}}", "{\"a\"",
    };
    struct arena *arena = arena_new();
    for (size_t i = 0; i < sizeof cases / sizeof cases[0]; i++) {
        const char **items = NULL;
        size_t count = 99;
        struct err err;
        CU_ASSERT_EQUAL(pg_array_decode(arena, cases[i], &items, &count, &err), -1);
        CU_ASSERT_STRING_EQUAL(err.code, "pg.array");
        CU_ASSERT_EQUAL(err.class, ERR_PERMANENT);
        CU_ASSERT_EQUAL(count, 99);
        CU_ASSERT_PTR_NULL(items);
    }
    arena_free(&arena);
}

/* Random texts over the dangerous characters come back as they were. */
static void test_random_round_trip(void)
{
    static const char letters[] = "\"\\,{}NUL l'x";
    unsigned seed = 7;
    for (int round = 0; round < 2000; round++) {
        struct arena *arena = arena_new();
        struct pg_array array;
        char texts[5][9];
        const char **items = NULL;
        size_t count = 0;
        pg_array_init(&array);
        for (int i = 0; i < 5; i++) {
            size_t length = 0;
            for (; length < 8; length++) {
                seed = seed * 1103515245u + 12345u;
                if ((seed >> 16) % 6 == 0)
                    break;
                texts[i][length] = letters[(seed >> 20) % (sizeof letters - 1)];
            }
            texts[i][length] = '\0';
            pg_array_add(&array, texts[i]);
        }
        CU_ASSERT_EQUAL_FATAL(
            pg_array_decode(arena, pg_array_take(&array, arena), &items, &count, NULL), 0);
        CU_ASSERT_EQUAL_FATAL(count, 5);
        for (int i = 0; i < 5; i++)
            CU_ASSERT_STRING_EQUAL(items[i], texts[i]);
        pg_array_fini(&array);
        arena_free(&arena);
    }
}

int main(void)
{
    CU_initialize_registry();
    CU_pSuite suite = CU_add_suite("pg: arrays", NULL, NULL);
    CU_add_test(suite, "literals", test_literals);
    CU_add_test(suite, "decodes", test_decodes);
    CU_add_test(suite, "refuses nonsense", test_refuses_nonsense);
    CU_add_test(suite, "random round trip", test_random_round_trip);
    CU_basic_set_mode(CU_BRM_VERBOSE);
    CU_basic_run_tests();
    unsigned failures = CU_get_number_of_failures();
    CU_cleanup_registry();
    return failures != 0 ? 1 : 0;
}
