/* Unit tests of status callbacks: what is read, what is refused and as what. */
#include "contract/twilio_status.h"

#include <CUnit/Basic.h>
#include <string.h>

#include "contract/twilio.h"

#define SID      "SM00000000000000000000000000000001"
#define ACCOUNT  "AC00000000000000000000000000000101"
#define TENANT   "01a22018-e2a8-7128-b2e5-e7f65d826e71"
#define DELIVERY "01a22018-e2a8-7128-b2e5-e7f65d826e72"
#define QUERY    "tenant=" TENANT "&delivery=" DELIVERY "&attempt=3"
#define FORM     "MessageSid=" SID "&MessageStatus=undelivered&AccountSid=" ACCOUNT "&ErrorCode=30003"

static struct arena *arena;

static void parse(const char *query, const char *form, struct twilio_status *status)
{
    struct err err;
    CU_ASSERT_EQUAL_FATAL(form_parse(arena, query, strlen(query), &status->query, &err), 0);
    CU_ASSERT_EQUAL_FATAL(form_parse(arena, form, strlen(form), &status->form, &err), 0);
}

static void test_good(void)
{
    struct twilio_status status;
    struct delivery_receipt receipt = {.event = {.time_ms = 7}};
    struct uuid tenant;
    struct err err;
    char text[UUID_TEXT_SIZE];
    parse(QUERY, FORM, &status);
    CU_ASSERT_TRUE(twilio_status_tenant(&status, &tenant));
    CU_ASSERT_STRING_EQUAL(uuid_format(&tenant, text), TENANT);
    CU_ASSERT_STRING_EQUAL(twilio_status_account(&status), ACCOUNT);
    CU_ASSERT_EQUAL_FATAL(twilio_status_read(arena, &status, &receipt, &err), 0);
    CU_ASSERT_STRING_EQUAL(uuid_format(&receipt.delivery, text), DELIVERY);
    CU_ASSERT_EQUAL(receipt.attempt, 3);
    CU_ASSERT_STRING_EQUAL(receipt.provider_sid, SID);
    CU_ASSERT_STRING_EQUAL(receipt.status, "undelivered");
    CU_ASSERT_STRING_EQUAL(receipt.error_code, "30003");
    CU_ASSERT_STRING_EQUAL(receipt.event.source, "twilio/" ACCOUNT);
    CU_ASSERT_STRING_EQUAL(receipt.event.subject, DELIVERY);
    CU_ASSERT_EQUAL(receipt.event.time_ms, 7);
}

#define CALL "CA00000000000000000000000000000001"

static void test_call(void)
{
    struct twilio_status status;
    struct delivery_receipt receipt = {.event = {.time_ms = 7}};
    struct err err;
    parse(QUERY, "CallSid=" CALL "&CallStatus=no-answer&AccountSid=" ACCOUNT, &status);
    CU_ASSERT_TRUE(twilio_status_is_call(&status));
    CU_ASSERT_EQUAL_FATAL(twilio_status_read(arena, &status, &receipt, &err), 0);
    CU_ASSERT_STRING_EQUAL(receipt.provider_sid, CALL);
    CU_ASSERT_STRING_EQUAL(receipt.status, "no-answer");
    CU_ASSERT_STRING_EQUAL(receipt.error_code, "");
    parse(QUERY, FORM, &status);
    CU_ASSERT_FALSE(twilio_status_is_call(&status));
}

static void test_refused(void)
{
    static const struct {
        const char *query, *form, *code;
    } cases[] = {
        {"tenant=" TENANT "&attempt=3", FORM, "webhook.delivery"},
        {QUERY "&delivery=" DELIVERY, FORM, "webhook.delivery"},
        {"tenant=" TENANT "&delivery=" DELIVERY, FORM, "webhook.attempt"},
        {"tenant=" TENANT "&delivery=" DELIVERY "&attempt=0", FORM, "webhook.attempt"},
        {"tenant=" TENANT "&delivery=" DELIVERY "&attempt=1000001", FORM, "webhook.attempt"},
        {QUERY, FORM "&MessageSid=" SID, "webhook.message_sid"},
        {QUERY, "CallSid=SM1&CallStatus=busy&AccountSid=" ACCOUNT, "webhook.call_sid"},
        {QUERY, "CallSid=" CALL "&AccountSid=" ACCOUNT, "webhook.call_status"},
        {QUERY, "MessageSid=SM1&MessageStatus=sent&AccountSid=" ACCOUNT, "webhook.message_sid"},
        {QUERY, "MessageSid=" SID "&MessageStatus=Sent&AccountSid=" ACCOUNT,
         "webhook.message_status"},
        {QUERY, "MessageSid=" SID "&AccountSid=" ACCOUNT, "webhook.message_status"},
        {QUERY, "MessageSid=" SID "&MessageStatus=sent", "webhook.account_sid"},
        {QUERY, FORM "&ErrorCode=30003", "webhook.error_code"},
        {QUERY, "MessageSid=" SID "&MessageStatus=sent&AccountSid=" ACCOUNT "&ErrorCode=x",
         "webhook.error_code"},
    };
    for (size_t i = 0; i < sizeof cases / sizeof cases[0]; i++) {
        struct twilio_status status;
        struct delivery_receipt receipt = {.attempt = 99};
        struct err err;
        parse(cases[i].query, cases[i].form, &status);
        CU_ASSERT_EQUAL(twilio_status_read(arena, &status, &receipt, &err), -1);
        CU_ASSERT_STRING_EQUAL(err.code, cases[i].code);
        CU_ASSERT_EQUAL(receipt.attempt, 99);
    }
    struct twilio_status status;
    struct uuid tenant;
    parse(QUERY "&tenant=" TENANT, FORM "&AccountSid=" ACCOUNT, &status);
    CU_ASSERT_FALSE(twilio_status_tenant(&status, &tenant));
    CU_ASSERT_STRING_EQUAL(twilio_status_account(&status), "");
}

static void test_public_url(void)
{
    static const struct {
        const char *url;
        bool good;
    } cases[] = {
        {"https://desk.example.com", true},
        {"http://127.0.0.1:8080", true},
        {"https://desk.example.com/base", true},
        {"https://desk.example.com/", false},
        {"desk.example.com", false},
        {"ftp://desk.example.com", false},
        {"https://", false},
        {"https:///twilio", false},
        {"https://desk.example.com?x=1", false},
        {"https://desk.example.com#x", false},
        {"https://a:b@desk.example.com", false},
        {"https://desk.example.com x", false},
        {"", false},
    };
    for (size_t i = 0; i < sizeof cases / sizeof cases[0]; i++)
        CU_ASSERT_EQUAL(twilio_is_public_url(cases[i].url), cases[i].good);
}

int main(void)
{
    CU_initialize_registry();
    CU_pSuite suite = CU_add_suite("twilio_status", NULL, NULL);
    CU_add_test(suite, "good", test_good);
    CU_add_test(suite, "call", test_call);
    CU_add_test(suite, "refused", test_refused);
    CU_add_test(suite, "public url", test_public_url);
    arena = arena_new();
    CU_basic_run_tests();
    arena_free(&arena);
    unsigned failures = CU_get_number_of_failures();
    CU_cleanup_registry();
    return failures > 0 ? 1 : 0;
}
