/* Unit tests of what a mailbox logs in with: wrapped and opened again, for its own row only. */
#include "mail/login.h"

#include <CUnit/Basic.h>
#include <string.h>

#include "crypto/crypto.h"

static struct secret *key, *other;

static int set_up(void)
{
    key = secret_new("0123456789abcdef0123456789abcdef", CRYPTO_KEY_BYTES);
    other = secret_new("0123456789abcdef0123456789abcdeg", CRYPTO_KEY_BYTES);
    return 0;
}

static int tear_down(void)
{
    secret_free(&key);
    secret_free(&other);
    return 0;
}

/* The wrapped login as hexadecimal text. */
static const char *wrap(const struct mail_login *login, struct strbuf *hex)
{
    struct err err;
    strbuf_init(hex, 2 * MAIL_LOGIN_MAX);
    CU_ASSERT_EQUAL_FATAL(mail_login_wrap(login, key, "t/mail/1", hex, &err), 0);
    return hex->data;
}

static void test_password(void)
{
    struct mail_login login = {.password = secret_new("two words", 9)}, *opened = NULL;
    struct strbuf hex;
    struct err err;
    const struct secret *const keys[] = {other, key};
    const char *text = wrap(&login, &hex);
    CU_ASSERT_EQUAL_FATAL(mail_login_open(keys, 2, "t/mail/1", text, &opened, &err), 0);
    CU_ASSERT_STRING_EQUAL(secret_reveal(opened->password), "two words");
    CU_ASSERT_PTR_NULL(opened->token_url);
    mail_login_free(&opened);
    CU_ASSERT_PTR_NULL(opened);
    strbuf_fini(&hex);
    secret_free(&login.password);
}

static void test_grant(void)
{
    struct secret *client = secret_new("c-secret", 8), *refresh = secret_new("r-token", 7);
    const struct mail_login login = {
        .grant = {"https://l.example/t", "id 1", "a b", client, refresh}};
    struct mail_login *opened = NULL;
    struct strbuf hex;
    struct err err;
    const struct secret *const keys[] = {key};
    const char *text = wrap(&login, &hex);
    CU_ASSERT_EQUAL_FATAL(mail_login_open(keys, 1, "t/mail/1", text, &opened, &err), 0);
    CU_ASSERT_PTR_NULL(opened->password);
    CU_ASSERT_STRING_EQUAL(opened->grant.token_url, "https://l.example/t");
    CU_ASSERT_STRING_EQUAL(opened->grant.client_id, "id 1");
    CU_ASSERT_STRING_EQUAL(opened->grant.scope, "a b");
    CU_ASSERT_STRING_EQUAL(secret_reveal(opened->grant.client_secret), "c-secret");
    CU_ASSERT_STRING_EQUAL(secret_reveal(opened->grant.refresh_token), "r-token");
    mail_login_free(&opened);
    strbuf_fini(&hex);
    secret_free(&client);
    secret_free(&refresh);
}

static void test_opens_for_its_row_only(void)
{
    struct mail_login login = {.password = secret_new("pw", 2)}, *opened = NULL;
    struct strbuf hex;
    struct err err;
    const struct secret *const right[] = {key}, *const wrong[] = {other};
    const char *text = wrap(&login, &hex);
    CU_ASSERT_EQUAL(mail_login_open(right, 1, "t/mail/2", text, &opened, &err), -1);
    CU_ASSERT_STRING_EQUAL(err.code, "mail.login");
    CU_ASSERT_EQUAL(mail_login_open(wrong, 1, "t/mail/1", text, &opened, &err), -1);
    CU_ASSERT_EQUAL(mail_login_open(right, 1, "t/mail/1", "", &opened, &err), -1);
    CU_ASSERT_EQUAL(mail_login_open(right, 1, "t/mail/1", "zz", &opened, &err), -1);
    hex.data[hex.length - 1] = hex.data[hex.length - 1] == '0' ? '1' : '0';
    CU_ASSERT_EQUAL(mail_login_open(right, 1, "t/mail/1", text, &opened, &err), -1);
    CU_ASSERT_PTR_NULL(opened);
    strbuf_fini(&hex);
    secret_free(&login.password);
}

static void test_refuses_what_cannot_be_kept(void)
{
    struct strbuf out;
    struct err err;
    struct mail_login login = {.password = NULL};
    strbuf_init(&out, MAIL_LOGIN_MAX);
    CU_ASSERT_EQUAL(mail_login_wrap(&login, key, "t", &out, &err), -1);
    login.password = secret_new("a\nclient_id b", 13);
    CU_ASSERT_EQUAL(mail_login_wrap(&login, key, "t", &out, &err), -1);
    CU_ASSERT_STRING_EQUAL(err.code, "mail.login");
    CU_ASSERT_EQUAL(out.length, 0);
    secret_free(&login.password);
    strbuf_fini(&out);
}

int main(void)
{
    CU_initialize_registry();
    CU_pSuite suite = CU_add_suite("mail/login", set_up, tear_down);
    CU_add_test(suite, "password", test_password);
    CU_add_test(suite, "grant", test_grant);
    CU_add_test(suite, "opens for its row only", test_opens_for_its_row_only);
    CU_add_test(suite, "refuses what cannot be kept", test_refuses_what_cannot_be_kept);
    CU_basic_set_mode(CU_BRM_VERBOSE);
    CU_basic_run_tests();
    unsigned failures = CU_get_number_of_failures();
    CU_cleanup_registry();
    return failures > 0 ? 1 : 0;
}
