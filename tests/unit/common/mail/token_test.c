/* Unit tests of the signed names in mails: they are read back, in any case, and nothing else is. */
#include "mail/token.h"

#include <CUnit/Basic.h>
#include <ctype.h>
#include <string.h>

#include "mail/address.h"

static struct secret *first, *second;
static struct uuid tenant, other_tenant, id;

static void test_address(void)
{
    const struct secret *const keys[] = {first};
    const struct mail_signer signer = {tenant, keys, 1};
    struct arena *arena = arena_new();
    struct uuid found = {{0}};
    char *address =
        arena_strdup(arena, mail_token_address(arena, &signer, "support@clinic.example", &id));
    CU_ASSERT_EQUAL(strlen(address), strlen("support+@clinic.example") + MAIL_TOKEN_CHARS);
    CU_ASSERT_TRUE(mail_address_is_plain(address));
    CU_ASSERT_TRUE(mail_token_read_address(&signer, address, &found));
    CU_ASSERT_TRUE(uuid_equal(&found, &id));
    for (char *c = address; *c != '\0'; c++)
        *c = (char)toupper((unsigned char)*c);
    found = (struct uuid){{0}};
    CU_ASSERT_TRUE(mail_token_read_address(&signer, address, &found));
    CU_ASSERT_TRUE(uuid_equal(&found, &id));
    CU_ASSERT_FALSE(mail_token_read_message_id(&signer, address, &found));
    CU_ASSERT_PTR_NULL(mail_token_address(arena, &signer, "not an address", &id));
    CU_ASSERT_PTR_NOT_NULL(
        mail_token_address(arena, &signer, "abcdefghijklmnopqrstuvw@clinic.example", &id));
    CU_ASSERT_PTR_NULL(
        mail_token_address(arena, &signer, "abcdefghijklmnopqrstuvwx@clinic.example", &id));
    arena_free(&arena);
}

/* Each changed character, each other tenant, kind and key is refused. */
static void test_forged(void)
{
    const struct secret *const old_and_new[] = {second, first}, *const others[] = {second};
    const struct secret *const keys[] = {first};
    const struct mail_signer signer = {tenant, keys, 1}, rotated = {tenant, old_and_new, 2};
    const struct mail_signer stranger = {other_tenant, keys, 1}, other_key = {tenant, others, 1};
    struct arena *arena = arena_new();
    struct uuid found = {{0}};
    char *token =
        arena_strdup(arena, mail_token_write(arena, &signer, MAIL_TOKEN_CONVERSATION, &id));
    CU_ASSERT_TRUE(mail_token_read(&rotated, MAIL_TOKEN_CONVERSATION, token, &found));
    found = (struct uuid){{0}};
    CU_ASSERT_FALSE(mail_token_read(&stranger, MAIL_TOKEN_CONVERSATION, token, &found));
    CU_ASSERT_FALSE(mail_token_read(&other_key, MAIL_TOKEN_CONVERSATION, token, &found));
    CU_ASSERT_FALSE(mail_token_read(&signer, MAIL_TOKEN_DELIVERY, token, &found));
    for (size_t i = 0; i < MAIL_TOKEN_CHARS; i++) {
        char kept = token[i];
        static const char others_chars[] = "a7018=\x80";
        for (const char *c = others_chars; *c != '\0'; c++) {
            token[i] = *c;
            CU_ASSERT_EQUAL(mail_token_read(&signer, MAIL_TOKEN_CONVERSATION, token, &found),
                            *c == kept);
        }
        token[i] = '\0';
        CU_ASSERT_FALSE(mail_token_read(&signer, MAIL_TOKEN_CONVERSATION, token, &found));
        token[i] = kept;
    }
    arena_free(&arena);
}

static void test_message_id(void)
{
    const struct secret *const keys[] = {first};
    const struct mail_signer signer = {tenant, keys, 1};
    struct arena *arena = arena_new();
    struct uuid found = {{0}};
    const char *message_id = arena_printf(
        arena, "%s@clinic.example", mail_token_write(arena, &signer, MAIL_TOKEN_DELIVERY, &id));
    CU_ASSERT_TRUE(mail_token_read_message_id(&signer, message_id, &found));
    CU_ASSERT_TRUE(uuid_equal(&found, &id));
    CU_ASSERT_FALSE(mail_token_read_message_id(&signer, "", &found));
    CU_ASSERT_FALSE(mail_token_read_message_id(&signer, "abc@clinic.example", &found));
    CU_ASSERT_FALSE(
        mail_token_read_message_id(&signer, arena_printf(arena, "x%s", message_id), &found));
    CU_ASSERT_FALSE(mail_token_read_address(&signer, message_id, &found));
    CU_ASSERT_FALSE(mail_token_read_address(&signer, "", &found));
    CU_ASSERT_FALSE(mail_token_read_address(&signer, "+@", &found));
    arena_free(&arena);
}

static void test_addresses(void)
{
    static const struct {
        const char *address;
        bool plain;
    } cases[] = {
        {"a@b", true},
        {"first.last+tag@sub.example.com", true},
        {"o'brien@example.com", true},
        {"dot..dot.@carrier.example", true},
        {"", false},
        {"a", false},
        {"@b", false},
        {"a@", false},
        {"a@b@c", false},
        {"a b@c", false},
        {"a>@c", false},
        {"a@c\r\nRCPT TO:<x@y>", false},
        {"a@c>", false},
        {"a@-c", false},
        {"a@c-", false},
        {"a@c..d", false},
        {"a@c.", false},
        {"a@[192.0.2.1]", false},
        {"\"a\"@c", false},
        {"\xc3\xa4@c", false},
        {"a@\xc3\xa4", false},
    };
    for (size_t i = 0; i < sizeof cases / sizeof cases[0]; i++)
        CU_ASSERT_EQUAL(mail_address_is_plain(cases[i].address), cases[i].plain);
}

int main(void)
{
    first = secret_new("0123456789abcdef0123456789abcdef", 32);
    second = secret_new("fedcba9876543210fedcba9876543210", 32);
    tenant = uuid_new();
    other_tenant = uuid_new();
    id = uuid_new();
    CU_initialize_registry();
    CU_pSuite suite = CU_add_suite("token", NULL, NULL);
    CU_add_test(suite, "in an address", test_address);
    CU_add_test(suite, "forged ones", test_forged);
    CU_add_test(suite, "in a Message-ID", test_message_id);
    CU_add_test(suite, "addresses", test_addresses);
    CU_basic_run_tests();
    unsigned failures = CU_get_number_of_failures();
    CU_cleanup_registry();
    secret_free(&first);
    secret_free(&second);
    return failures > 0;
}
