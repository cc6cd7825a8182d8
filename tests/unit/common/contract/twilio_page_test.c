/* Unit tests of Twilio's message lists: the address asked for, good and hostile pages, media. */
#include "contract/twilio_page.h"

#include <CUnit/Basic.h>
#include <stdlib.h>
#include <string.h>

#define ACCOUNT "AC00000000000000000000000000000101"
#define SID     "SM00000000000000000000000000000001"

static struct arena *arena;

static const char good[] =
    "{\"messages\":[{\"sid\":\"" SID "\",\"account_sid\":\"" ACCOUNT "\",\"direction\":\"inbound\","
    "\"from\":\"+15551234567\",\"to\":\"+15550100101\",\"body\":\"h\\u00e9llo\",\"status\":"
    "\"received\",\"num_segments\":\"2\",\"num_media\":\"1\",\"messaging_service_sid\":null,"
    "\"date_created\":\"Mon, 23 Nov 2026 09:08:07 +0000\",\"date_sent\":\"Mon, 23 Nov 2026 "
    "09:08:09 "
    "+0000\"},{\"sid\":\"SM00000000000000000000000000000002\",\"direction\":\"outbound-api\","
    "\"date_created\":\"Mon, 23 Nov 2026 09:08:07 +0000\"}],"
    "\"next_page_uri\":\"/2010-04-01/Accounts/" ACCOUNT "/Messages.json?Page=1&PageToken=x\"}";

static int read_page(const char *text, struct twilio_page *page, struct err *err)
{
    return twilio_page_read(arena, text, strlen(text), ACCOUNT, page, err);
}

static void test_url(void)
{
    /* 2026-11-29 09:07:07 UTC */
    struct twilio_page_query query = {"https://api.twilio.com", ACCOUNT, "+15550100101",
                                      TWILIO_PAGE_TO, 1795943227000};
    CU_ASSERT_STRING_EQUAL(twilio_page_url(arena, &query),
                           "https://api.twilio.com/2010-04-01/Accounts/" ACCOUNT
                           "/Messages.json?PageSize=1000&To=%2B15550100101"
                           "&DateSent%3E=2026-11-29");
    /* What is queued has no date of sending, and a service's reply no number yet. */
    query.side = TWILIO_PAGE_FROM;
    CU_ASSERT_STRING_EQUAL(twilio_page_url(arena, &query),
                           "https://api.twilio.com/2010-04-01/Accounts/" ACCOUNT
                           "/Messages.json?PageSize=1000&From=%2B15550100101");
    query.side = TWILIO_PAGE_ACCOUNT;
    CU_ASSERT_STRING_EQUAL(twilio_page_url(arena, &query),
                           "https://api.twilio.com/2010-04-01/Accounts/" ACCOUNT
                           "/Messages.json?PageSize=1000");
}

/* The moment that decides which events a reply answered is that of its making. */
static void test_went_out(void)
{
    static const char text[] =
        "{\"messages\":["
        "{\"sid\":\"SM1\",\"direction\":\"outbound-api\",\"from\":\"+15550100101\",\"to\":"
        "\"+15551234567\",\"messaging_service_sid\":null,\"status\":\"queued\","
        "\"date_created\":\"Mon, 23 Nov 2026 09:08:07 +0000\",\"date_sent\":null},"
        "{\"sid\":\"SM2\",\"direction\":\"outbound-api\",\"from\":null,\"to\":"
        "\"+15551234567\",\"messaging_service_sid\":\"MG1\",\"status\":\"accepted\","
        "\"date_created\":\"Mon, 23 Nov 2026 09:08:06 +0000\",\"date_sent\":null},"
        "{\"sid\":\"SM3\",\"direction\":\"outbound-api\",\"from\":\"+15550100101\",\"to\":"
        "\"+15551234567\",\"messaging_service_sid\":null,\"status\":\"sent\","
        "\"date_created\":\"Mon, 23 Nov 2026 09:08:05 +0000\",\"date_sent\":"
        "\"Mon, 23 Nov 2026 09:08:30 +0000\"},"
        "{\"sid\":\"SM4\",\"direction\":\"outbound-api\",\"from\":\"+15550100101\",\"to\":"
        "\"+15551234567\"}],\"next_page_uri\":null}";
    const int64_t made_ms = 1795424885000; /* of SM3 */
    struct twilio_page page;
    struct err err;
    CU_ASSERT_EQUAL_FATAL(read_page(text, &page, &err), 0);
    const struct twilio_message *m = page.messages;
    CU_ASSERT_EQUAL(m[2].at_ms, made_ms);
    CU_ASSERT_TRUE(twilio_page_went_out(&m[0], "+15550100101", NULL, made_ms));
    CU_ASSERT_FALSE(twilio_page_went_out(&m[0], "+15550100102", NULL, made_ms));
    CU_ASSERT_FALSE(twilio_page_went_out(&m[1], "+15550100101", NULL, made_ms));
    CU_ASSERT_TRUE(twilio_page_went_out(&m[1], "+15550100101", "MG1", made_ms));
    CU_ASSERT_FALSE(twilio_page_went_out(&m[1], "+15550100101", "MG2", made_ms));
    CU_ASSERT_TRUE(twilio_page_went_out(&m[2], "+15550100101", "MG1", made_ms));
    CU_ASSERT_FALSE(twilio_page_went_out(&m[2], "+15550100101", NULL, made_ms + 1));
    CU_ASSERT_FALSE(twilio_page_went_out(&m[3], "+15550100101", NULL, made_ms)); /* no date */

    page.count = 3;
    CU_ASSERT_FALSE(twilio_page_is_older(&page, made_ms + 2000));
    CU_ASSERT_TRUE(twilio_page_is_older(&page, made_ms + 2001));
    page.count = 4;
    CU_ASSERT_FALSE(twilio_page_is_older(&page, made_ms + 2001));
    page.count = 0;
    CU_ASSERT_FALSE(twilio_page_is_older(&page, made_ms + 2001));
}

/* Oldest first over many pages; of one second, what the provider lists last. */
static void test_oldest_first(void)
{
    enum { COUNT = 200 };
    struct twilio_message *messages = arena_alloc(arena, COUNT * sizeof *messages);
    struct twilio_list list = {.count = 0};
    twilio_list_sort(&list);
    for (int i = 0; i < COUNT; i++) {
        messages[i].at_ms = 1000 * ((COUNT - i) / 3);
        twilio_list_add(arena, &list, &messages[i]);
    }
    twilio_list_sort(&list);
    CU_ASSERT_EQUAL_FATAL(list.count, COUNT);
    for (int i = 0; i < COUNT; i++)
        CU_ASSERT_PTR_EQUAL(list.items[i], &messages[COUNT - 1 - i]);
}

/* Too many: those that were listed first are the newest; what is added behind them is older still.
 * Guard: `added`; by their number among what is left two of one second would change places. */
static void test_newest_dropped(void)
{
    struct twilio_message messages[5] = {{.at_ms = 0}};
    struct twilio_list list = {.count = 0};
    for (int i = 0; i < 3; i++)
        twilio_list_add(arena, &list, &messages[i]);
    twilio_list_drop_newest(&list, 2);
    for (int i = 3; i < 5; i++)
        twilio_list_add(arena, &list, &messages[i]);
    twilio_list_sort(&list);
    CU_ASSERT_EQUAL_FATAL(list.count, 3);
    for (int i = 0; i < 3; i++)
        CU_ASSERT_PTR_EQUAL(list.items[i], &messages[4 - i]);
    twilio_list_drop_newest(&list, 9);
    CU_ASSERT_EQUAL(list.count, 0);
}

static void test_good(void)
{
    struct twilio_page page;
    struct err err;
    CU_ASSERT_EQUAL_FATAL(read_page(good, &page, &err), 0);
    CU_ASSERT_EQUAL_FATAL(page.count, 2);
    const struct twilio_message *message = &page.messages[0];
    CU_ASSERT_TRUE(message->inbound);
    CU_ASSERT_STRING_EQUAL(message->error, "");
    CU_ASSERT_EQUAL(message->at_ms, 1795424889000); /* date_sent */
    CU_ASSERT_EQUAL(message->media, 1);
    CU_ASSERT_STRING_EQUAL(message->sms.message_sid, SID);
    CU_ASSERT_STRING_EQUAL(message->sms.from, "+15551234567");
    CU_ASSERT_STRING_EQUAL(message->sms.body, "h\xc3\xa9llo");
    CU_ASSERT_EQUAL(message->sms.segments, 2);
    CU_ASSERT_STRING_EQUAL(message->sms.messaging_service_sid, "");
    CU_ASSERT_FALSE(page.messages[1].inbound);
    CU_ASSERT_STRING_EQUAL(page.next,
                           "/2010-04-01/Accounts/" ACCOUNT "/Messages.json?Page=1&PageToken=x");
}

static void test_last_page(void)
{
    struct twilio_page page;
    struct err err;
    CU_ASSERT_EQUAL(read_page("{\"messages\":[],\"next_page_uri\":null}", &page, &err), 0);
    CU_ASSERT_EQUAL(page.count, 0);
    CU_ASSERT_PTR_NULL(page.next);
}

/* A next page elsewhere would send the account's token there. */
static void test_refused_pages(void)
{
    static const char *const pages[] = {
        "",
        "[]",
        "{}",
        "{\"messages\":{}}",
        "{\"messages\":[]",
        "{\"messages\":[],\"next_page_uri\":\"https://evil.example/\"}",
        "{\"messages\":[],\"next_page_uri\":\"//evil.example/\"}",
        "{\"messages\":[],\"next_page_uri\":\"@evil.example/\"}",
        "{\"messages\":[],\"next_page_uri\":\"/2010-04-01/Accounts/ACother/Messages.json?x\"}",
        "{\"messages\":[],\"next_page_uri\":\"/2010-04-01/Accounts/" ACCOUNT
        "/Messages.json?a b\"}",
        "{\"messages\":[],\"next_page_uri\":\"/2010-04-01/Accounts/" ACCOUNT
        "/Messages.json?a\\r\\nX: y\"}",
    };
    for (size_t i = 0; i < sizeof pages / sizeof pages[0]; i++) {
        struct twilio_page page = {.count = 99};
        struct err err;
        CU_ASSERT_EQUAL(read_page(pages[i], &page, &err), -1);
        CU_ASSERT_STRING_EQUAL(err.code, "twilio.page");
        CU_ASSERT_EQUAL(page.count, 99);
    }
}

/* One bad message is named; it does not hide the others. */
static void test_bad_messages(void)
{
    static const char *const messages[] = {
        "{\"sid\":\"" SID "\",\"direction\":\"inbound\"}",
        "{\"sid\":\"" SID "\",\"direction\":\"inbound\",\"date_sent\":\"yesterday\"}",
        "{\"sid\":\"SM1\",\"account_sid\":\"" ACCOUNT "\",\"direction\":\"inbound\",\"from\":"
        "\"+15551234567\",\"to\":\"+15550100101\",\"body\":\"x\",\"date_sent\":\"Mon, 23 Nov 2026 "
        "09:08:09 +0000\"}",
        "{\"sid\":\"" SID "\",\"account_sid\":\"" ACCOUNT "\",\"direction\":\"inbound\",\"from\":"
        "\"bank\",\"to\":\"+15550100101\",\"body\":\"x\",\"date_sent\":\"Mon, 23 Nov 2026 "
        "09:08:09 +0000\"}",
    };
    for (size_t i = 0; i < sizeof messages / sizeof messages[0]; i++) {
        struct twilio_page page;
        struct err err;
        const char *text =
            arena_printf(arena, "{\"messages\":[%s],\"next_page_uri\":null}", messages[i]);
        CU_ASSERT_EQUAL_FATAL(read_page(text, &page, &err), 0);
        CU_ASSERT_EQUAL_FATAL(page.count, 1);
        CU_ASSERT_STRING_NOT_EQUAL(page.messages[0].error, "");
    }
    struct twilio_page page;
    struct err err;
    CU_ASSERT_EQUAL(
        read_page("{\"messages\":[1,\"x\",null,[]],\"next_page_uri\":null}", &page, &err), 0);
    for (size_t i = 0; i < page.count; i++)
        CU_ASSERT_FALSE(page.messages[i].inbound);
}

static void test_media(void)
{
    static const char text[] =
        "{\"media_list\":[{\"uri\":\"/2010-04-01/Accounts/" ACCOUNT "/Messages/" SID
        "/Media/ME1.json\",\"content_type\":\"image/png\"},{\"uri\":\"nowhere\"},{\"x\":1},"
        "{\"uri\":\"/2010-04-01/a/b.json\"}]}";
    struct sms_received sms = {.media_count = 0};
    struct err err;
    CU_ASSERT_EQUAL(
        twilio_page_read_media(arena, text, strlen(text), "https://api.twilio.com", &sms, &err), 0);
    CU_ASSERT_EQUAL_FATAL(sms.media_count, 2);
    CU_ASSERT_STRING_EQUAL(sms.media[0].url, "https://api.twilio.com/2010-04-01/Accounts/" ACCOUNT
                                             "/Messages/" SID "/Media/ME1");
    CU_ASSERT_STRING_EQUAL(sms.media[0].content_type, "image/png");
    CU_ASSERT_STRING_EQUAL(sms.media[1].content_type, "");
    CU_ASSERT_EQUAL(twilio_page_read_media(arena, "x", 1, "https://a", &sms, &err), -1);
    CU_ASSERT_STRING_EQUAL(err.code, "twilio.media");
}

static void test_damage(void)
{
    unsigned seed = 3;
    char copy[sizeof good];
    for (int round = 0; round < 3000; round++) {
        struct twilio_page page;
        struct err err;
        memcpy(copy, good, sizeof good);
        for (int change = 0; change < 3; change++)
            copy[(size_t)rand_r(&seed) % (sizeof good - 1)] = (char)rand_r(&seed);
        (void)twilio_page_read(arena, copy, sizeof good - 1, ACCOUNT, &page, &err);
        arena_reset(arena);
    }
}

int main(void)
{
    CU_initialize_registry();
    CU_pSuite suite = CU_add_suite("twilio_page", NULL, NULL);
    CU_add_test(suite, "url", test_url);
    CU_add_test(suite, "went out", test_went_out);
    CU_add_test(suite, "oldest first", test_oldest_first);
    CU_add_test(suite, "good", test_good);
    CU_add_test(suite, "the newest dropped", test_newest_dropped);
    CU_add_test(suite, "last page", test_last_page);
    CU_add_test(suite, "refused pages", test_refused_pages);
    CU_add_test(suite, "bad messages", test_bad_messages);
    CU_add_test(suite, "media", test_media);
    CU_add_test(suite, "damage", test_damage);
    arena = arena_new();
    CU_basic_run_tests();
    arena_free(&arena);
    unsigned failures = CU_get_number_of_failures();
    CU_cleanup_registry();
    return failures > 0 ? 1 : 0;
}
