/* Unit tests of tables: alignment, JSON, and that no text steers a terminal. */
#include "table.h"

#include <CUnit/Basic.h>
#include <string.h>

#include "json/json.h"

static struct arena *arena;

static const struct table_column columns[] = {
    {"name", TABLE_TEXT}, {"count_of", TABLE_INT}, {"fine", TABLE_BOOL}};

static struct table *filled(void)
{
    struct table *table = table_new(arena, columns, 3);
    table_add(table, (const char *const[]){"a", "7", "true"});
    table_add(table, (const char *const[]){"b\xc3\xa4"
                                           "cd",
                                           "1234567890", "f"});
    table_add(table, (const char *const[]){NULL, NULL, NULL});
    return table;
}

static void test_text(void)
{
    struct strbuf out;
    strbuf_init(&out, 4096);
    table_print(filled(), false, "none", &out);
    CU_ASSERT_STRING_EQUAL(out.data, "NAME    COUNT OF  FINE\n"
                                     "a              7  true\n"
                                     "b\xc3\xa4"
                                     "cd  1234567890  f\n"
                                     "-              -  -\n");
    strbuf_clear(&out);
    table_print(table_new(arena, columns, 3), false, "none", &out);
    CU_ASSERT_STRING_EQUAL(out.data, "none\n");
    strbuf_fini(&out);
}

static void test_json(void)
{
    struct strbuf out;
    strbuf_init(&out, 4096);
    table_print(filled(), true, "none", &out);
    CU_ASSERT_STRING_EQUAL(out.data, "[{\"name\":\"a\",\"count_of\":7,\"fine\":true},"
                                     "{\"name\":\"b\xc3\xa4"
                                     "cd\",\"count_of\":1234567890,\"fine\":false},"
                                     "{\"name\":null,\"count_of\":null,\"fine\":null}]\n");
    strbuf_clear(&out);
    table_print(table_new(arena, columns, 3), true, "none", &out);
    CU_ASSERT_STRING_EQUAL(out.data, "[]\n");
    strbuf_fini(&out);
}

static void test_safe(void)
{
    static const struct {
        const char *text, *shown;
    } cases[] = {
        {"plain \xc3\xa4 \xf0\x9f\x98\x80", "plain \xc3\xa4 \xf0\x9f\x98\x80"},
        {"\x1b[2J", "\\x1b[2J"},
        {"a\rb\x07\x7f", "a\\x0db\\x07\\x7f"},
        {"\xc2\x9b"
         "31m",
         "\\x9b31m"},
        {"\xe2\x80\xae"
         "abc",
         "\\u202eabc"},
        {"\xe2\x81\xa6", "\\u2066"},
        {"\xef\xbb\xbf", "\\ufeff"},
        {"\xff", "(not UTF-8)"},
        {"a\nb", "a\n  b"},
    };
    for (size_t i = 0; i < sizeof cases / sizeof cases[0]; i++) {
        struct strbuf out;
        strbuf_init(&out, 4096);
        table_add_safe(&out, cases[i].text, true, 2);
        CU_ASSERT_STRING_EQUAL(out.data, cases[i].shown);
        strbuf_fini(&out);
    }
    struct strbuf out;
    strbuf_init(&out, 4096);
    table_add_safe(&out, "a\nb", false, 0);
    CU_ASSERT_STRING_EQUAL(out.data, "a\\x0ab");
    strbuf_fini(&out);
}

int main(void)
{
    CU_initialize_registry();
    CU_pSuite suite = CU_add_suite("table", NULL, NULL);
    CU_add_test(suite, "text", test_text);
    CU_add_test(suite, "json", test_json);
    CU_add_test(suite, "safe", test_safe);
    arena = arena_new();
    CU_basic_run_tests();
    arena_free(&arena);
    unsigned failures = CU_get_number_of_failures();
    CU_cleanup_registry();
    return failures > 0 ? 1 : 0;
}
