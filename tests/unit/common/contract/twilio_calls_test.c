/* Unit tests of Twilio's lists of calls and recordings: the addresses asked for, what counts,
 * hostile pages, and the events that are made of them. */
#include "contract/twilio_calls.h"

#include <CUnit/Basic.h>
#include <stdio.h>
#include <string.h>

#include "contract/voice.h"

#define ACCOUNT   "AC00000000000000000000000000000101"
#define CALL      "CA00000000000000000000000000000301"
#define RECORDING "RE00000000000000000000000000000401"
#define TENANT    "018f9c3e-2b7a-7c1d-9e4f-5a6b7c8d9e0f"
#define SINCE_MS  1795424887000 /* 2026-11-23 09:08:07 UTC */
#define DAY       "Mon, 23 Nov 2026 "

static struct arena *arena;
static const struct twilio_calls_query calls = {"https://api.twilio.com", ACCOUNT, "+15550002222",
                                                TWILIO_CALLS, SINCE_MS};
static const struct twilio_calls_query recordings = {"https://api.twilio.com", ACCOUNT,
                                                     "+15550002222", TWILIO_RECORDINGS, SINCE_MS};
static const struct twilio_calls_query placed = {"https://api.twilio.com", ACCOUNT, "+15550002222",
                                                 TWILIO_PLACED, SINCE_MS};

static const char *call_json(const char *sid, const char *direction, const char *to,
                             const char *status, const char *start)
{
    return arena_printf(arena,
                        "{\"sid\":\"%s\",\"from\":\"+15550001111\",\"to\":\"%s\",\"status\":\"%s\","
                        "\"direction\":\"%s\",\"duration\":\"34\",\"start_time\":\"" DAY
                        "%s +0000\","
                        "\"end_time\":\"" DAY "09:09:00 +0000\"}",
                        sid, to, status, direction, start);
}

static struct twilio_listed *read_items(const struct twilio_calls_query *query, const char *items,
                                        const char *next)
{
    struct twilio_calls_page page = {.first = NULL};
    struct err err;
    const char *text =
        arena_printf(arena, "{\"%s\":[%s],\"next_page_uri\":%s}",
                     query->kind == TWILIO_RECORDINGS ? "recordings" : "calls", items, next);
    CU_ASSERT_EQUAL_FATAL(twilio_calls_read(arena, text, strlen(text), query, &page, &err), 0);
    return page.first;
}

static void test_urls(void)
{
    CU_ASSERT_STRING_EQUAL(twilio_calls_url(arena, &calls),
                           "https://api.twilio.com/2010-04-01/Accounts/" ACCOUNT
                           "/Calls.json?PageSize=1000&To=%2B15550002222&StartTime%3E=2026-11-23");
    CU_ASSERT_STRING_EQUAL(twilio_calls_url(arena, &recordings),
                           "https://api.twilio.com/2010-04-01/Accounts/" ACCOUNT
                           "/Recordings.json?PageSize=1000&DateCreated%3E=2026-11-23");
    CU_ASSERT_STRING_EQUAL(twilio_calls_url(arena, &placed),
                           "https://api.twilio.com/2010-04-01/Accounts/" ACCOUNT
                           "/Calls.json?PageSize=1000&From=%2B15550002222");
}

static const char *placed_json(const char *direction, const char *from, const char *to,
                               const char *status, const char *created)
{
    return arena_printf(arena,
                        "{\"sid\":\"" CALL "\",\"from\":\"%s\",\"to\":\"%s\","
                        "\"status\":\"%s\",\"direction\":\"%s\",\"start_time\":null,"
                        "\"date_created\":\"" DAY "%s +0000\"}",
                        from, to, status, direction, created);
}

/* Made by REST, from this number, whatever came of it; one that waits has no begin. */
static void test_which_placed_calls_count(void)
{
    const char *ours = "+15550002222", *to = "+15550001111", *at = "09:08:30";
    const struct twilio_listed *list =
        read_items(&placed,
                   arena_printf(arena, "%s,%s,%s,%s,%s,%s",
                                placed_json("outbound-api", ours, to, "queued", at),
                                placed_json("outbound-api", ours, to, "busy", at),
                                placed_json("outbound-dial", ours, to, "completed", at),
                                placed_json("outbound-api", "+15550009999", to, "busy", at),
                                placed_json("outbound-api", ours, "sip:a@b.c", "busy", at),
                                placed_json("outbound-api", ours, to, "busy", "09:08:06")),
                   "null");
    CU_ASSERT_PTR_NOT_NULL_FATAL(list);
    CU_ASSERT_STRING_EQUAL(list->status, "queued");
    CU_ASSERT_EQUAL(list->began_ms, SINCE_MS + 23000);
    CU_ASSERT_STRING_EQUAL(list->from, to);
    CU_ASSERT_STRING_EQUAL(list->to, ours);
    CU_ASSERT_STRING_EQUAL(list->error, "");
    CU_ASSERT_PTR_NOT_NULL_FATAL(list->next);
    CU_ASSERT_STRING_EQUAL(list->next->status, "busy");
    CU_ASSERT_PTR_NULL(list->next->next);
}

static bool goes_on(const char *items)
{
    struct twilio_calls_page page = {.first = NULL};
    struct err err;
    const char *text = arena_printf(
        arena,
        "{\"calls\":[%s],\"next_page_uri\":\"/2010-04-01/Accounts/" ACCOUNT "/Calls.json?Page=1\"}",
        items);
    CU_ASSERT_EQUAL_FATAL(twilio_calls_read(arena, text, strlen(text), &placed, &page, &err), 0);
    return page.next != NULL;
}

/* Their list has no filter by date: it ends where all of a page is older. */
static void test_where_placed_calls_end(void)
{
    const char *old =
        placed_json("outbound-api", "+15550002222", "+15550001111", "busy", "09:08:06");
    const char *new =
        placed_json("outbound-api", "+15550002222", "+15550001111", "busy", "09:08:07");
    CU_ASSERT_TRUE(goes_on(arena_printf(arena, "%s,%s", new, old)));
    CU_ASSERT_TRUE(goes_on(arena_printf(arena, "%s,{}", old)));
    CU_ASSERT_TRUE(goes_on(""));
    CU_ASSERT_FALSE(goes_on(old));
}

/* Over, to this number, and not from before. */
static void test_which_calls_count(void)
{
    const char *ours = "+15550002222", *start = "09:08:30";
    const struct twilio_listed *list =
        read_items(&calls,
                   arena_printf(arena, "%s,%s,%s,%s,%s,%s",
                                call_json(CALL, "inbound", ours, "completed", start),
                                call_json(CALL, "outbound-api", ours, "completed", start),
                                call_json(CALL, "inbound", "+15550009999", "completed", start),
                                call_json(CALL, "inbound", ours, "in-progress", start),
                                call_json(CALL, "inbound", ours, "busy", start),
                                call_json(CALL, "inbound", ours, "completed", "09:08:06")),
                   "null");
    CU_ASSERT_PTR_NOT_NULL_FATAL(list);
    CU_ASSERT_PTR_NOT_NULL_FATAL(list->next);
    CU_ASSERT_STRING_EQUAL(list->next->status, "busy");
    CU_ASSERT_PTR_NULL(list->next->next);
    CU_ASSERT_STRING_EQUAL(list->event_id, CALL ":ended");
    CU_ASSERT_EQUAL(list->duration_s, 34);
    CU_ASSERT_EQUAL(list->at_ms, SINCE_MS + 53000);
    CU_ASSERT_STRING_EQUAL(list->error, "");
}

static void test_which_recordings_count(void)
{
    static const char row[] =
        "{\"sid\":\"" RECORDING "\",\"call_sid\":\"" CALL "\",\"status\":\"%s\",\"source\":\"%s\","
        "\"duration\":\"7\",\"start_time\":\"" DAY "09:08:30 +0000\"}";
    char first[400], second[400], third[400];
    snprintf(first, sizeof first, row, "completed", "DialVerb");
    snprintf(second, sizeof second, row, "processing", "RecordVerb");
    snprintf(third, sizeof third, row, "completed", "RecordVerb");
    const struct twilio_listed *list =
        read_items(&recordings, arena_printf(arena, "%s,%s,%s", first, second, third), "null");
    CU_ASSERT_PTR_NOT_NULL_FATAL(list);
    CU_ASSERT_PTR_NULL(list->next);
    CU_ASSERT_STRING_EQUAL(list->event_id, RECORDING);
    CU_ASSERT_STRING_EQUAL(list->call_sid, CALL);
}

static void test_events(void)
{
    struct twilio_listed *call = read_items(
        &calls, call_json(CALL, "inbound", "+15550002222", "completed", "09:08:30"), "null");
    const struct twilio_listed recording = {.kind = TWILIO_RECORDINGS,
                                            .sid = RECORDING,
                                            .call_sid = CALL,
                                            .event_id = RECORDING,
                                            .at_ms = SINCE_MS,
                                            .duration_s = 7};
    struct bus_record record;
    struct voice_ended ended;
    struct voice_recorded recorded;
    struct err err;
    twilio_calls_encode(arena, "desk.", TENANT, ACCOUNT, call, NULL, &record);
    CU_ASSERT_EQUAL_FATAL(voice_ended_decode(arena, &record, &ended, &err), 0);
    CU_ASSERT_TRUE(ended.found && !ended.outbound);
    CU_ASSERT_EQUAL(ended.reason, VOICE_COMPLETED);
    CU_ASSERT_STRING_EQUAL(ended.event.id, CALL ":ended");
    CU_ASSERT_STRING_EQUAL(ended.call.from, "+15550001111");
    struct twilio_listed *rang = read_items(
        &calls, call_json(CALL, "inbound", "+15550002222", "no-answer", "09:08:30"), "null");
    twilio_calls_encode(arena, "desk.", TENANT, ACCOUNT, rang, NULL, &record);
    CU_ASSERT_EQUAL_FATAL(voice_ended_decode(arena, &record, &ended, &err), 0);
    CU_ASSERT_EQUAL(ended.reason, VOICE_NO_ANSWER);
    struct twilio_listed ours = *call;
    ours.kind = TWILIO_PLACED;
    twilio_calls_encode(arena, "desk.", TENANT, ACCOUNT, &ours, NULL, &record);
    CU_ASSERT_EQUAL_FATAL(voice_ended_decode(arena, &record, &ended, &err), 0);
    CU_ASSERT_TRUE(ended.found && ended.outbound);
    twilio_calls_encode(arena, "desk.", TENANT, ACCOUNT, call, &recording, &record);
    CU_ASSERT_EQUAL_FATAL(voice_recorded_decode(arena, &record, &recorded, &err), 0);
    CU_ASSERT_STRING_EQUAL(recorded.event.id, RECORDING);
    CU_ASSERT_STRING_EQUAL(recorded.call.call_sid, CALL);
    CU_ASSERT_EQUAL(recorded.duration_s, 7);
}

static void test_hostile(void)
{
    static const char *const pages[] = {
        "",
        "[]",
        "{}",
        "{\"calls\":{}}",
        "{\"recordings\":[]}",
        "{\"calls\":[],\"next_page_uri\":\"/2010-04-01/Accounts/AC2/Calls.json?Page=1\"}",
        "{\"calls\":[],\"next_page_uri\":\"https://evil.example/Calls.json?Page=1\"}"};
    struct twilio_calls_page page;
    struct err err;
    for (size_t i = 0; i < sizeof pages / sizeof pages[0]; i++) {
        CU_ASSERT_EQUAL(twilio_calls_read(arena, pages[i], strlen(pages[i]), &calls, &page, &err),
                        -1);
        CU_ASSERT_STRING_EQUAL(err.code, "twilio.page");
    }
    const struct twilio_listed *list =
        read_items(&calls, call_json("CAx", "inbound", "+15550002222", "completed", "09:08:30"),
                   "\"/2010-04-01/Accounts/" ACCOUNT "/Calls.json?Page=1\"");
    CU_ASSERT_PTR_NOT_NULL_FATAL(list);
    CU_ASSERT_STRING_EQUAL(list->error, "its sid is none");
    CU_ASSERT_PTR_NULL(read_items(&calls, "1,null,{},[]", "null"));
}

int main(void)
{
    arena = arena_new();
    if (CU_initialize_registry() != CUE_SUCCESS)
        return 1;
    CU_pSuite suite = CU_add_suite("twilio_calls", NULL, NULL);
    CU_add_test(suite, "urls", test_urls);
    CU_add_test(suite, "which_calls_count", test_which_calls_count);
    CU_add_test(suite, "which_recordings_count", test_which_recordings_count);
    CU_add_test(suite, "which_placed_calls_count", test_which_placed_calls_count);
    CU_add_test(suite, "where_placed_calls_end", test_where_placed_calls_end);
    CU_add_test(suite, "events", test_events);
    CU_add_test(suite, "hostile", test_hostile);
    CU_basic_run_tests();
    unsigned failures = CU_get_number_of_failures();
    CU_cleanup_registry();
    arena_free(&arena);
    return failures == 0 ? 0 : 1;
}
