/* Unit tests of the bounded text buffer. */
#include "base/strbuf.h"

#include <CUnit/Basic.h>
#include <stdlib.h>
#include <string.h>

static void test_grows_and_stays_terminated(void)
{
    struct strbuf buf;
    strbuf_init(&buf, 100000);
    CU_ASSERT_STRING_EQUAL(buf.data, "");
    for (int i = 0; i < 10000; i++) {
        strbuf_add_char(&buf, (char)('a' + i % 26));
        CU_ASSERT_EQUAL(buf.data[buf.length], '\0');
    }
    CU_ASSERT_EQUAL(buf.length, 10000);
    CU_ASSERT_EQUAL(buf.data[27], 'b');
    CU_ASSERT_FALSE(buf.overflow);
    strbuf_fini(&buf);
    CU_ASSERT_STRING_EQUAL(buf.data, "");
    strbuf_add_text(&buf, "again");
    CU_ASSERT_STRING_EQUAL(buf.data, "again");
    strbuf_fini(&buf);
    strbuf_fini(&buf);
}

static void test_adds(void)
{
    struct strbuf buf;
    strbuf_init(&buf, 1000);
    strbuf_add(&buf, "a\0b", 3);
    strbuf_add(&buf, NULL, 0);
    CU_ASSERT_EQUAL(buf.length, 3);
    CU_ASSERT_EQUAL(memcmp(buf.data, "a\0b", 4), 0);
    strbuf_clear(&buf);
    strbuf_printf(&buf, "%d%s", 12, "34");
    strbuf_printf(&buf, "%s", "");
    strbuf_add_text(&buf, "");
    CU_ASSERT_STRING_EQUAL(buf.data, "1234");
    strbuf_fini(&buf);
}

static void test_expects(void)
{
    struct strbuf buf;
    strbuf_init(&buf, 100);
    strbuf_expect(&buf, 0);
    CU_ASSERT_STRING_EQUAL(buf.data, "");
    strbuf_expect(&buf, 1000); /* more than may come */
    CU_ASSERT_FALSE(buf.overflow);
    CU_ASSERT_STRING_EQUAL(buf.data, "");
    const char *data = buf.data;
    for (int i = 0; i < 100; i++)
        strbuf_add_char(&buf, 'x');
    CU_ASSERT_PTR_EQUAL(buf.data, data);
    CU_ASSERT_EQUAL(buf.length, 100);
    CU_ASSERT_FALSE(buf.overflow);
    strbuf_expect(&buf, 1);
    CU_ASSERT_FALSE(buf.overflow);
    strbuf_add_char(&buf, 'x');
    strbuf_expect(&buf, 1);
    CU_ASSERT_TRUE(buf.overflow);
    strbuf_fini(&buf);
}

/* Whatever room is left when it comes, and however long it is. */
static void test_printf_grows(void)
{
    char text[301];
    for (int before = 0; before < 200; before++)
        for (int length = 0; length <= 300; length += 1 + length / 8) {
            struct strbuf buf;
            memset(text, 'x', sizeof text);
            strbuf_init(&buf, 500);
            strbuf_add(&buf, text, (size_t)before);
            strbuf_printf(&buf, "%.*s<", length, text);
            CU_ASSERT_FALSE(buf.overflow);
            CU_ASSERT_EQUAL(buf.length, (size_t)(before + length + 1));
            CU_ASSERT_EQUAL(strspn(buf.data, "x"), (size_t)(before + length));
            CU_ASSERT_STRING_EQUAL(buf.data + before + length, "<");
            strbuf_fini(&buf);
        }
}

/* What does not fit is left out as a whole, and so is all that follows until a clear. */
static void test_maximum(void)
{
    struct strbuf buf;
    strbuf_init(&buf, 8);
    strbuf_add_text(&buf, "12345678");
    CU_ASSERT_FALSE(buf.overflow);
    CU_ASSERT_EQUAL(buf.length, 8);
    strbuf_add_char(&buf, '9');
    CU_ASSERT_TRUE(buf.overflow);
    CU_ASSERT_STRING_EQUAL(buf.data, "12345678");
    strbuf_truncate(&buf, 4);
    strbuf_add_text(&buf, "x");
    strbuf_printf(&buf, "%d", 1);
    CU_ASSERT_STRING_EQUAL(buf.data, "1234");
    strbuf_clear(&buf);
    CU_ASSERT_FALSE(buf.overflow);
    strbuf_add_text(&buf, "abc");
    strbuf_add_text(&buf, "too long now");
    CU_ASSERT_STRING_EQUAL(buf.data, "abc");
    CU_ASSERT_TRUE(buf.overflow);
    strbuf_fini(&buf);
    strbuf_init(&buf, 8);
    strbuf_printf(&buf, "%s", "123456789");
    CU_ASSERT_TRUE(buf.overflow);
    CU_ASSERT_STRING_EQUAL(buf.data, "");
    strbuf_clear(&buf);
    strbuf_add_text(&buf, "abc");
    strbuf_printf(&buf, "%s", "456789"); /* more than the room that is there */
    CU_ASSERT_TRUE(buf.overflow);
    CU_ASSERT_STRING_EQUAL(buf.data, "abc");
    strbuf_fini(&buf);
    strbuf_init(&buf, 0);
    strbuf_add_text(&buf, "");
    CU_ASSERT_FALSE(buf.overflow);
    strbuf_add_char(&buf, 'x');
    CU_ASSERT_TRUE(buf.overflow);
    strbuf_fini(&buf);
}

static void test_huge_length_is_refused(void)
{
    struct strbuf buf;
    strbuf_init(&buf, 100);
    strbuf_add_text(&buf, "abc");
    strbuf_add(&buf, "x", (size_t)-2); /* not read: it cannot fit */
    CU_ASSERT_TRUE(buf.overflow);
    CU_ASSERT_STRING_EQUAL(buf.data, "abc");
    strbuf_fini(&buf);
}

static void test_consume_and_truncate(void)
{
    struct strbuf buf;
    strbuf_init(&buf, 100);
    strbuf_consume(&buf, 5);
    strbuf_truncate(&buf, 0);
    CU_ASSERT_STRING_EQUAL(buf.data, "");
    strbuf_add_text(&buf, "hello world");
    strbuf_consume(&buf, 6);
    CU_ASSERT_STRING_EQUAL(buf.data, "world");
    strbuf_consume(&buf, 0);
    strbuf_truncate(&buf, 99);
    CU_ASSERT_STRING_EQUAL(buf.data, "world");
    strbuf_truncate(&buf, 2);
    CU_ASSERT_STRING_EQUAL(buf.data, "wo");
    strbuf_consume(&buf, 99);
    CU_ASSERT_EQUAL(buf.length, 0);
    CU_ASSERT_STRING_EQUAL(buf.data, "");
    strbuf_fini(&buf);
}

static void test_take(void)
{
    struct strbuf buf;
    strbuf_init(&buf, 100);
    char *empty = strbuf_take(&buf);
    CU_ASSERT_STRING_EQUAL(empty, "");
    free(empty);
    strbuf_add_text(&buf, "mine");
    char *text = strbuf_take(&buf);
    CU_ASSERT_STRING_EQUAL(text, "mine");
    CU_ASSERT_STRING_EQUAL(buf.data, "");
    strbuf_add_text(&buf, "next");
    CU_ASSERT_STRING_EQUAL(text, "mine");
    CU_ASSERT_STRING_EQUAL(buf.data, "next");
    free(text);
    strbuf_fini(&buf);
}

/* Two empty buffers share one static "": nothing may ever be written into it. */
static void test_empty_buffers_do_not_disturb_each_other(void)
{
    struct strbuf a, b;
    strbuf_init(&a, 10);
    strbuf_init(&b, 10);
    strbuf_clear(&a);
    strbuf_truncate(&a, 0);
    strbuf_add_text(&a, "xyz");
    CU_ASSERT_STRING_EQUAL(b.data, "");
    strbuf_fini(&a);
    strbuf_fini(&b);
}

int main(void)
{
    CU_initialize_registry();
    CU_pSuite suite = CU_add_suite("base: strbuf", NULL, NULL);
    CU_add_test(suite, "grows", test_grows_and_stays_terminated);
    CU_add_test(suite, "adds", test_adds);
    CU_add_test(suite, "expects", test_expects);
    CU_add_test(suite, "printf grows", test_printf_grows);
    CU_add_test(suite, "maximum", test_maximum);
    CU_add_test(suite, "huge length", test_huge_length_is_refused);
    CU_add_test(suite, "consume and truncate", test_consume_and_truncate);
    CU_add_test(suite, "take", test_take);
    CU_add_test(suite, "empty buffers", test_empty_buffers_do_not_disturb_each_other);
    CU_basic_set_mode(CU_BRM_VERBOSE);
    CU_basic_run_tests();
    unsigned failures = CU_get_number_of_failures();
    CU_cleanup_registry();
    return failures != 0 ? 1 : 0;
}
