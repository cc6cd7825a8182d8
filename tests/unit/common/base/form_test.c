/* Unit tests of the form parser on good and hostile bodies. */
#include "base/form.h"

#include "base/strbuf.h"

#include <CUnit/Basic.h>
#include <stdlib.h>
#include <string.h>

static struct arena *arena;

static int set_up(void)
{
    arena = arena_new();
    return 0;
}

static int tear_down(void)
{
    arena_free(&arena);
    return 0;
}

static int parse(const char *body, struct form *form, struct err *err)
{
    return form_parse(arena, body, strlen(body), form, err);
}

static void test_decodes(void)
{
    struct form form;
    struct err err;
    CU_ASSERT_EQUAL_FATAL(
        parse("Body=Hi+there%21&From=%2B15551234567&Empty=&Flag&Body=two&%41=%c3%A9&x=a=b", &form,
              &err),
        0);
    CU_ASSERT_EQUAL(form.count, 7);
    CU_ASSERT_STRING_EQUAL(form_get(&form, "Body"), "Hi there!");
    CU_ASSERT_STRING_EQUAL(form_get(&form, "From"), "+15551234567");
    CU_ASSERT_STRING_EQUAL(form_get(&form, "Empty"), "");
    CU_ASSERT_STRING_EQUAL(form_get(&form, "Flag"), "");
    CU_ASSERT_STRING_EQUAL(form_get(&form, "A"), "\xc3\xa9");
    CU_ASSERT_STRING_EQUAL(form_get(&form, "x"), "a=b");
    CU_ASSERT_PTR_NULL(form_get(&form, "body"));
    CU_ASSERT_PTR_NULL(form_get(&form, ""));
    CU_ASSERT_EQUAL(form_count(&form, "Body"), 2);
    CU_ASSERT_EQUAL(form_count(&form, "From"), 1);
    CU_ASSERT_EQUAL(form_count(&form, "absent"), 0);
    CU_ASSERT_STRING_EQUAL(form.pairs[4].value, "two");
    CU_ASSERT_EQUAL(form.pairs[0].name_length, 4);
    CU_ASSERT_EQUAL(form.pairs[0].value_length, 9);
}

static void test_empty_body(void)
{
    struct form form = {.count = 9};
    CU_ASSERT_EQUAL(parse("", &form, NULL), 0);
    CU_ASSERT_EQUAL(form.count, 0);
    CU_ASSERT_PTR_NULL(form_get(&form, "x"));
}

static void test_refuses(void)
{
    static const struct {
        const char *body, *code;
    } cases[] = {
        {"a=%", "form.escape"},      {"a=%4", "form.escape"}, {"a=%4g", "form.escape"},
        {"a=%g4", "form.escape"},    {"%=a", "form.escape"},  {"a=%%41", "form.escape"},
        {"a=%4&b=1", "form.escape"}, {"a=%00", "form.nul"},   {"%00=a", "form.nul"},
        {"=a", "form.name"},         {"a=1&=2", "form.name"}, {"&a=1", "form.name"},
        {"a=1&&b=2", "form.name"},   {"=", "form.name"},
    };
    for (size_t i = 0; i < sizeof cases / sizeof cases[0]; i++) {
        struct form form = {.count = 99};
        struct err err = {0};
        CU_ASSERT_EQUAL(parse(cases[i].body, &form, &err), -1);
        CU_ASSERT_STRING_EQUAL(err.code, cases[i].code);
        CU_ASSERT_EQUAL(err.class, ERR_PERMANENT);
        CU_ASSERT_EQUAL(form.count, 99);
    }
    struct form form;
    struct err err;
    CU_ASSERT_EQUAL(form_parse(arena, "a=\0b", 4, &form, &err), -1);
    CU_ASSERT_STRING_EQUAL(err.code, "form.nul");
}

static void test_pairs_are_bounded(void)
{
    struct strbuf body;
    strbuf_init(&body, 10000);
    for (int i = 0; i < FORM_PAIRS_MAX; i++)
        strbuf_printf(&body, "%sk%d=%d", i > 0 ? "&" : "", i, i);
    struct form form;
    struct err err;
    CU_ASSERT_EQUAL_FATAL(parse(body.data, &form, &err), 0);
    CU_ASSERT_EQUAL(form.count, FORM_PAIRS_MAX);
    CU_ASSERT_STRING_EQUAL(form_get(&form, "k255"), "255");
    strbuf_add_text(&body, "&one=more");
    CU_ASSERT_EQUAL(parse(body.data, &form, &err), -1);
    CU_ASSERT_STRING_EQUAL(err.code, "form.pairs");
    strbuf_fini(&body);
}

/* The bytes end exactly where the block ends: the sanitizer sees any read behind them. */
static void test_reads_only_its_bytes(void)
{
    static const char body[] = "a=1&bc=%41%42&d=+";
    for (size_t length = 0; length < sizeof body; length++) {
        char *copy = malloc(length > 0 ? length : 1);
        memcpy(copy, body, length);
        struct form form;
        int result = form_parse(arena, copy, length, &form, NULL);
        bool cut = length == 8 || length == 9 || length == 11 || length == 12;
        if (length < sizeof body - 1)
            CU_ASSERT_EQUAL(result, cut ? -1 : 0);
        free(copy);
    }
}

int main(void)
{
    CU_initialize_registry();
    CU_pSuite suite = CU_add_suite("base: form", set_up, tear_down);
    CU_add_test(suite, "decodes", test_decodes);
    CU_add_test(suite, "empty body", test_empty_body);
    CU_add_test(suite, "refuses", test_refuses);
    CU_add_test(suite, "pairs are bounded", test_pairs_are_bounded);
    CU_add_test(suite, "reads only its bytes", test_reads_only_its_bytes);
    CU_basic_set_mode(CU_BRM_VERBOSE);
    CU_basic_run_tests();
    unsigned failures = CU_get_number_of_failures();
    CU_cleanup_registry();
    return failures != 0 ? 1 : 0;
}
