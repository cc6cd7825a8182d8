/* Unit tests of error values. */
#include "base/err.h"

#include "base/text.h"

#include <CUnit/Basic.h>
#include <string.h>

static int fails(struct err *err, int number)
{
    return err_set(err, ERR_RETRY_LATER, "test.code", "number %d of %s", number, "many");
}

static void test_fills_everything(void)
{
    struct err err;
    memset(&err, 0x5a, sizeof err);
    CU_ASSERT_EQUAL(fails(&err, 7), -1);
    CU_ASSERT_EQUAL(err.class, ERR_RETRY_LATER);
    CU_ASSERT_STRING_EQUAL(err.code, "test.code");
    CU_ASSERT_STRING_EQUAL(err.message, "number 7 of many");
    CU_ASSERT_EQUAL(err.provider_status, 0);
    CU_ASSERT_EQUAL(err.retry_after_ms, 0);
    CU_ASSERT_PTR_NOT_NULL(strstr(err.origin, "err_test.c:"));
}

static void test_null_is_allowed(void)
{
    CU_ASSERT_EQUAL(fails(NULL, 1), -1);
}

static void test_cuts_to_the_maximum(void)
{
    struct err err;
    char code[ERR_CODE_MAX + 20], text[ERR_MESSAGE_MAX + 20];
    memset(code, 'c', sizeof code - 1);
    memset(text, 't', sizeof text - 1);
    code[sizeof code - 1] = text[sizeof text - 1] = '\0';
    err_set(&err, ERR_BUG, code, "%s", text);
    CU_ASSERT_EQUAL(strlen(err.code), ERR_CODE_MAX - 1);
    CU_ASSERT_EQUAL(strlen(err.message), ERR_MESSAGE_MAX - 1);
}

/* What is cut may be a tenant's own words, and is stored: half a character is no text for the
 * database. Guard: text_utf8_prefix in err_fill. */
static void test_cuts_between_characters(void)
{
    static const char *const characters[] = {"\xc3\xa9", "\xe2\x82\xac", "\xf0\x9f\xa6\xb7"};
    for (size_t i = 0; i < sizeof characters / sizeof characters[0]; i++)
        for (size_t before = 0; before < 4; before++) {
            struct err err;
            char text[ERR_MESSAGE_MAX + 20] = "abc";
            size_t size = strlen(characters[i]), length = before;
            for (; length + size < sizeof text; length += size)
                memcpy(text + length, characters[i], size + 1);
            err_set(&err, ERR_BUG, "test.code", "%s", text);
            CU_ASSERT_TRUE(text_is_utf8(err.message, strlen(err.message)));
            CU_ASSERT_TRUE(strlen(err.message) + size >= ERR_MESSAGE_MAX);
            CU_ASSERT_NSTRING_EQUAL(err.message, text, strlen(err.message));
        }
}

static void test_may_wrap_itself(void)
{
    struct err err;
    err_set(&err, ERR_PERMANENT, "inner.code", "inner");
    err.provider_status = 404;
    err_set(&err, err.class, err.code, "outer: %s", err.message);
    CU_ASSERT_STRING_EQUAL(err.code, "inner.code");
    CU_ASSERT_STRING_EQUAL(err.message, "outer: inner");
    CU_ASSERT_EQUAL(err.class, ERR_PERMANENT);
    CU_ASSERT_EQUAL(err.provider_status, 0);
}

static void test_class_names_and_retry(void)
{
    static const struct {
        enum err_class class;
        const char *name;
        bool retryable;
    } cases[] = {
        {ERR_RETRY_NOW, "retry_now", true},
        {ERR_RETRY_LATER, "retry_later", true},
        {ERR_FALL_BACK, "fall_back", false},
        {ERR_PERMANENT, "permanent", false},
        {ERR_BUG, "bug", false},
    };
    for (size_t i = 0; i < sizeof cases / sizeof cases[0]; i++) {
        struct err err;
        err_set(&err, cases[i].class, "x", "x");
        CU_ASSERT_STRING_EQUAL(err_class_name(cases[i].class), cases[i].name);
        CU_ASSERT_EQUAL(err_is_retryable(&err), cases[i].retryable);
    }
}

int main(void)
{
    CU_initialize_registry();
    CU_pSuite suite = CU_add_suite("base: err", NULL, NULL);
    CU_add_test(suite, "fills everything", test_fills_everything);
    CU_add_test(suite, "NULL is allowed", test_null_is_allowed);
    CU_add_test(suite, "cuts to the maximum", test_cuts_to_the_maximum);
    CU_add_test(suite, "cuts between characters", test_cuts_between_characters);
    CU_add_test(suite, "may wrap itself", test_may_wrap_itself);
    CU_add_test(suite, "classes", test_class_names_and_retry);
    CU_basic_set_mode(CU_BRM_VERBOSE);
    CU_basic_run_tests();
    unsigned failures = CU_get_number_of_failures();
    CU_cleanup_registry();
    return failures != 0 ? 1 : 0;
}
