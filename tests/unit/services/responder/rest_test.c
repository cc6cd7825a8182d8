/* Requests to and answers from Twilio's Messages resource, without a network. */
#include "rest.h"

#include <CUnit/Basic.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "base/clock.h"
#include "base/form.h"
#include "provider_errors.h"

#define TRACE "4bf92f3577b34da6a3ce929d0e0e4736"

static struct arena *arena;

static const struct delivery_route route = {
    .from = "+15550001111", .to = "+15552223333", .account_sid = "AC01", .service_sid = ""};

static struct delivery_ref some_ref(void)
{
    struct delivery_ref ref;
    uuid_parse("018f9c3e-2b7a-7c1d-9e4f-5a6b7c8d9e0f", &ref.tenant);
    uuid_parse("018f9c3e-3000-7000-8000-000000000001", &ref.id);
    return ref;
}

static void test_create(void)
{
    struct delivery_ref ref = some_ref();
    struct form form;
    const char *body = "a+b&c=d%20 \xC3\xBC\n\xF0\x9F\x91\x8B";
    const char *text = rest_create_form(
        arena, &(struct rest_create){"https://desk.example.com/", &route, &ref, 3, body, "", NULL});
    CU_ASSERT_EQUAL_FATAL(form_parse(arena, text, strlen(text), &form, NULL), 0);
    CU_ASSERT_EQUAL(form.count, 4);
    CU_ASSERT_STRING_EQUAL(form_get(&form, "To"), "+15552223333");
    CU_ASSERT_STRING_EQUAL(form_get(&form, "From"), "+15550001111");
    CU_ASSERT_STRING_EQUAL(form_get(&form, "Body"), body);
    CU_ASSERT_STRING_EQUAL(form_get(&form, "StatusCallback"),
                           "https://desk.example.com/twilio/status?tenant="
                           "018f9c3e-2b7a-7c1d-9e4f-5a6b7c8d9e0f&delivery="
                           "018f9c3e-3000-7000-8000-000000000001&attempt=3#rc=5&rp=all");
    struct delivery_route service = route;
    service.service_sid = "MG02";
    text = rest_create_form(arena,
                            &(struct rest_create){"https://desk.example.com", &service, &ref, 3,
                                                  body, "00-" TRACE "-00f067aa0ba902b7-01", NULL});
    CU_ASSERT_EQUAL_FATAL(form_parse(arena, text, strlen(text), &form, NULL), 0);
    CU_ASSERT_STRING_EQUAL(form_get(&form, "MessagingServiceSid"), "MG02");
    CU_ASSERT_PTR_NOT_NULL(strstr(form_get(&form, "StatusCallback"),
                                  "&attempt=3&traceparent=00-" TRACE "-00f067aa0ba902b7-01#rc"));
    CU_ASSERT_PTR_NULL(form_get(&form, "From"));
    CU_ASSERT_STRING_EQUAL(rest_messages_url(arena, "https://api.twilio.com/", "AC01"),
                           "https://api.twilio.com/2010-04-01/Accounts/AC01/Messages.json");
}

static void test_create_call(void)
{
    struct delivery_ref ref = some_ref();
    struct delivery_call call = {.purpose = "back", .ring_s = 25, .leave = ""};
    struct rest_create create = {"https://desk.example.com/", &route, &ref, 3,
                                 "M\xC3\xBCller & Co?",       "",     &call};
    struct form form, query;
    const char *text = rest_create_call_form(arena, &create);
    CU_ASSERT_EQUAL_FATAL(form_parse(arena, text, strlen(text), &form, NULL), 0);
    CU_ASSERT_STRING_EQUAL(form_get(&form, "To"), "+15552223333");
    CU_ASSERT_STRING_EQUAL(form_get(&form, "From"), "+15550001111");
    CU_ASSERT_STRING_EQUAL(form_get(&form, "Timeout"), "25");
    CU_ASSERT_STRING_EQUAL(form_get(&form, "MachineDetection"), "Enable");
    CU_ASSERT_STRING_EQUAL(form_get(&form, "MachineDetectionSilenceTimeout"), "2500");
    CU_ASSERT_STRING_EQUAL(form_get(&form, "MachineDetectionTimeout"), "4");
    CU_ASSERT_EQUAL(form_count(&form, "StatusCallbackEvent"), 4);
    CU_ASSERT_PTR_NOT_NULL(strstr(form_get(&form, "StatusCallback"), "&attempt=3#rc=5&rp=all"));
    CU_ASSERT_STRING_EQUAL(form_get(&form, "Url"),
                           "https://desk.example.com/twilio/voice/back/"
                           "018f9c3e-2b7a-7c1d-9e4f-5a6b7c8d9e0f/0?delivery="
                           "018f9c3e-3000-7000-8000-000000000001&say=M%C3%BCller%20%26%20Co%3F"
                           "#rc=2&rp=ct,5xx");
    char *words = malloc(3000);
    memset(words, '&', 2999);
    words[2999] = '\0';
    create.body = call.leave = words;
    call.purpose = "rota";
    text = rest_create_call_form(arena, &create);
    CU_ASSERT_EQUAL_FATAL(form_parse(arena, text, strlen(text), &form, NULL), 0);
    CU_ASSERT_STRING_EQUAL(form_get(&form, "MachineDetection"), "DetectMessageEnd");
    CU_ASSERT_STRING_EQUAL(form_get(&form, "MachineDetectionSilenceTimeout"), "2500");
    CU_ASSERT_EQUAL(form_count(&form, "MachineDetectionTimeout"), 0);
    const char *url = form_get(&form, "Url");
    CU_ASSERT(strstr(url, "/voice/asked/") != NULL && strlen(url) < 2700);
    url = strchr(url, '?') + 1;
    CU_ASSERT_EQUAL_FATAL(form_parse(arena, url, strcspn(url, "#"), &query, NULL), 0);
    CU_ASSERT(strlen(form_get(&query, "say")) > 300 && strlen(form_get(&query, "leave")) > 300);
    free(words);
}

#define CALLS                                                                                      \
    "{\"calls\":[" CALL(                                                                           \
        "CA00000000000000000000000000000001", "+15550001111",                                      \
        "outbound-api") "," CALL("CA00000000000000000000000000000002", "+15559999999",             \
                                 "outbound-api") "," CALL("CA00000000000000000000000000000003",    \
                                                          "+15550001111", "outbound-dial") "]}"
#define CALL(sid, from, direction)                                                                 \
    "{\"sid\":\"" sid "\",\"from\":\"" from                                                        \
    "\",\"to\":\"+15552223333\",\"direction\":\"" direction                                        \
    "\",\"status\":\"no-answer\",\"date_created\":\"Mon, 23 Nov 2026 09:08:07 +0000\"}"

/* Only what was placed by REST, from our number: a transfer's leg is another's. */
static void test_list_of_calls(void)
{
    const int64_t at_ms = 1795424887000;
    const struct rest_wanted wanted = {.from = "+15550001111",
                                       .to = "+15552223333",
                                       .service_sid = "",
                                       .body = "",
                                       .is_call = true,
                                       .since_ms = at_ms - 1000,
                                       .until_ms = at_ms + 1000};
    struct http_result result = {.status = 200, .body = CALLS, .body_length = strlen(CALLS)};
    struct rest_page page = {.count = 0};
    struct err err;
    CU_ASSERT_PTR_NOT_NULL(strstr(rest_list_url(arena, "https://api.twilio.com", "AC01", &wanted),
                                  "/2010-04-01/Accounts/AC01/Calls.json?To=%2B15552223333&"));
    CU_ASSERT_EQUAL_FATAL(rest_read_page(arena, &result, "https://x", &wanted, &page, &err), 0);
    CU_ASSERT_EQUAL_FATAL(page.count, 1);
    CU_ASSERT_STRING_EQUAL(page.found[0].sid, "CA00000000000000000000000000000001");
    CU_ASSERT(page.found[0].ours && strcmp(page.found[0].status, "no-answer") == 0);
}

#define TAKEN "{\"sid\":\"SM00000000000000000000000000000001\",\"status\":\"queued\"}"

static const struct {
    int status;
    const char *transport; /* code of the transport's error, or NULL */
    bool body_sent;
    const char *body;
    enum delivery_event event;
    const char *outcome, *error_code;
    bool opted_out, alert;
} answers[] = {
    {201, NULL, true, TAKEN, DELIVERY_ACCEPTED, "accepted", NULL, false, false},
    {200, NULL, true, TAKEN, DELIVERY_ACCEPTED, "accepted", NULL, false, false},
    {201, NULL, true, "{\"sid\":\"a b\"}", DELIVERY_NO_ANSWER, "unknown", NULL, false, false},
    {201, NULL, true, "<html>", DELIVERY_NO_ANSWER, "unknown", NULL, false, false},
    {201, "http.reset", true, "{\"si", DELIVERY_NO_ANSWER, "unknown", "http_201", false, false},
    {400, NULL, true, "{\"code\":21211}", DELIVERY_DECLINED, "refused", "21211", false, false},
    {400, NULL, true, "{\"code\":21610}", DELIVERY_DECLINED, "refused", "21610", true, false},
    {400, NULL, true, "{\"code\":21408}", DELIVERY_DECLINED, "refused", "21408", false, true},
    {400, NULL, true, "{\"code\":21611}", DELIVERY_DEFER, "deferred", "21611", false, true},
    {400, NULL, true, "no json", DELIVERY_DECLINED, "refused", "http_400", false, true},
    {404, NULL, true, "{\"code\":20404}", DELIVERY_DECLINED, "refused", "20404", false, true},
    {401, NULL, true, "{\"code\":20003}", DELIVERY_DEFER, "deferred", "20003", false, true},
    {403, NULL, true, "", DELIVERY_DEFER, "deferred", "http_403", false, true},
    {429, NULL, true, "{\"code\":20429}", DELIVERY_DEFER, "deferred", "20429", false, false},
    {429, NULL, true, "{\"code\":21211}", DELIVERY_DEFER, "deferred", "21211", false, false},
    {429, "http.reset", true, "", DELIVERY_DEFER, "deferred", "http_429", false, false},
    {408, NULL, true, "", DELIVERY_NO_ANSWER, "unknown", "http_408", false, false},
    {500, NULL, true, "{\"code\":20500}", DELIVERY_NO_ANSWER, "unknown", "http_500", false, false},
    {503, NULL, true, "", DELIVERY_NO_ANSWER, "unknown", "http_503", false, false},
    {302, NULL, true, "", DELIVERY_NO_ANSWER, "unknown", "http_302", false, false},
    {0, "http.timeout", true, "", DELIVERY_NO_ANSWER, "unknown", "http.timeout", false, false},
    {0, "http.reset", true, "", DELIVERY_NO_ANSWER, "unknown", "http.reset", false, false},
    {0, "http.connect", false, "", DELIVERY_DEFER, "deferred", "http.connect", false, false},
    {0, "http.resolve", false, "", DELIVERY_DEFER, "deferred", "http.resolve", false, false},
    {0, "http.gate", false, "", DELIVERY_DEFER, "not_sent", "http.gate", false, false},
};

static void test_answers(void)
{
    for (size_t i = 0; i < sizeof answers / sizeof *answers; i++) {
        struct err err;
        struct rest_verdict verdict;
        struct http_result result = {.status = answers[i].status,
                                     .body_sent = answers[i].body_sent,
                                     .body = answers[i].body,
                                     .body_length = strlen(answers[i].body)};
        if (answers[i].transport != NULL) {
            err_set(&err, ERR_RETRY_LATER, answers[i].transport, "for a test");
            result.err = &err;
        }
        rest_judge_create(arena, &result, 1, 600000, &verdict);
        const struct delivery_change *change = &verdict.change;
        bool good = change->event == answers[i].event &&
                    strcmp(change->outcome, answers[i].outcome) == 0 &&
                    strcmp(change->error_code != NULL ? change->error_code : "",
                           answers[i].error_code != NULL ? answers[i].error_code : "") == 0 &&
                    change->opted_out == answers[i].opted_out && verdict.alert == answers[i].alert;
        if (!good)
            printf("\n  case %zu: %d %s %s\n", i, (int)change->event, change->outcome,
                   change->error_code);
        CU_ASSERT_TRUE(good);
        CU_ASSERT_EQUAL(change->next_in_ms >= 0, change->event == DELIVERY_DEFER);
        if (strcmp(change->outcome, "not_sent") == 0)
            CU_ASSERT_EQUAL(change->next_in_ms, REST_GIVE_BACK_MS);
        CU_ASSERT_EQUAL(change->sid != NULL, change->event == DELIVERY_ACCEPTED);
    }
}

static void test_back_off(void)
{
    for (int attempt = 1; attempt < 12; attempt++)
        for (int i = 0; i < 50; i++) {
            int64_t base = attempt < 7 ? (int64_t)1000 << (attempt - 1) : 60000;
            int64_t ms = rest_back_off_ms(attempt);
            CU_ASSERT(ms >= base * 8 / 10 && ms <= base * 12 / 10);
        }
    struct rest_verdict verdict;
    struct http_result result = {.status = 429, .body_sent = true, .body = "", .retry_after = "90"};
    rest_judge_create(arena, &result, 1, 600000, &verdict);
    CU_ASSERT_EQUAL(verdict.change.next_in_ms, 90000);
    result.retry_after = "86400";
    rest_judge_create(arena, &result, 1, 600000, &verdict);
    CU_ASSERT_EQUAL(verdict.change.next_in_ms, 600000);
}

static void test_error_table(void)
{
    CU_ASSERT_PTR_NULL(provider_error_find(0));
    CU_ASSERT_PTR_NULL(provider_error_find(12345));
    CU_ASSERT_EQUAL(provider_error_find(30004)->action, PROVIDER_FINAL);
    CU_ASSERT_EQUAL(provider_error_judge(400, 12345).action, PROVIDER_FINAL);
    CU_ASSERT_EQUAL(provider_error_judge(400, 12345).code, 12345);
    CU_ASSERT_EQUAL(provider_error_judge(401, 0).action, PROVIDER_HOLD_OFF);
}

/* ---- look-up ---- */

#define WHEN_MS 1795425000000LL /* Mon, 23 Nov 2026 09:10:00 +0000 */
#define MESSAGE(sid, from, to, body, date, more)                                                   \
    "{\"sid\":\"" sid "\",\"from\":\"" from "\",\"to\":\"" to "\",\"body\":\"" body                \
    "\",\"date_created\":\"" date "\",\"direction\":\"outbound-api\",\"status\":\"sent\"" more "}"
#define OURS(sid, date) MESSAGE(sid, "+15550001111", "+15552223333", "Hello", date, "")

static const struct rest_wanted wanted = {.from = "+15550001111",
                                          .to = "+15552223333",
                                          .service_sid = "",
                                          .body = "Hello",
                                          .since_ms = WHEN_MS - 60000,
                                          .until_ms = WHEN_MS + 60000};

static int read_page(const char *body, const struct rest_wanted *want, struct rest_page *page)
{
    struct http_result result = {.status = 200, .body = body, .body_length = strlen(body)};
    struct err err;
    return rest_read_page(arena, &result, "https://api.twilio.com", want, page, &err);
}

static void test_match(void)
{
    int64_t parsed = 0;
    CU_ASSERT_EQUAL_FATAL(clock_parse_rfc2822("Mon, 23 Nov 2026 09:10:00 +0000", &parsed, NULL), 0);
    CU_ASSERT_EQUAL_FATAL(parsed, WHEN_MS);
    struct rest_page page = {0};
    CU_ASSERT_EQUAL(
        read_page("{\"messages\":[" OURS("SM000late", "Mon, 23 Nov 2026 09:10:30 +0000") "," OURS("SM00first", "Mon, 23 Nov 2026 09:10:01 +0000") "," OURS(
                      "SM0tooold",
                      "Mon, 23 Nov 2026 09:08:59 +0000") "," OURS("SM0toonew",
                                                                  "Mon, 23 Nov 2026 09:11:01 "
                                                                  "+0000") "," MESSAGE("SM00o"
                                                                                       "ther",
                                                                                       "+1555"
                                                                                       "00011"
                                                                                       "11",
                                                                                       "+1555"
                                                                                       "22233"
                                                                                       "33",
                                                                                       "hell"
                                                                                       "o",
                                                                                       "Mon, "
                                                                                       "23 "
                                                                                       "Nov "
                                                                                       "2026 "
                                                                                       "09:"
                                                                                       "10:"
                                                                                       "00 "
                                                                                       "+000"
                                                                                       "0",
                                                                                       "") "," MESSAGE("SM000from",
                                                                                                       "+15550009999",
                                                                                                       "+15552223333",
                                                                                                       "Hello",
                                                                                                       "Mon, 23 Nov 2026 09:10:00 +0000",
                                                                                                       "") ","
                                                                                                           "{\"sid\":\"SM000none\"},7]}",
                  &wanted, &page),
        0);
    CU_ASSERT_EQUAL_FATAL(page.count, 5);
    CU_ASSERT_STRING_EQUAL(page.found[0].sid, "SM0tooold"); /* the oldest first */
    CU_ASSERT_STRING_EQUAL(page.found[1].sid, "SM00other");
    CU_ASSERT_FALSE(page.found[1].ours); /* another text */
    CU_ASSERT_STRING_EQUAL(page.found[2].sid, "SM00first");
    CU_ASSERT_STRING_EQUAL(page.found[3].sid, "SM000late");
    CU_ASSERT_TRUE(page.found[2].ours && page.found[3].ours);
    CU_ASSERT_STRING_EQUAL(page.found[4].sid, "SM0toonew");
    CU_ASSERT_FALSE(page.found[0].ours || page.found[4].ours); /* unless a clock is wrong */
    CU_ASSERT_STRING_EQUAL(page.found[2].status, "sent");
    CU_ASSERT_PTR_NULL(page.next_url);
}

/* A trial account's words stand before ours; anything else before them is another text. */
static void test_match_trial(void)
{
    struct rest_page page = {0};
#define WHEN "Mon, 23 Nov 2026 09:10:00 +0000"
    CU_ASSERT_EQUAL(read_page("{\"messages\":[" MESSAGE(
                                  "SM000trial", "+15550001111", "+15552223333",
                                  "Sent from your Twilio trial account - Hello", WHEN,
                                  "") "," MESSAGE("SM00other", "+15550001111", "+15552223333",
                                                  "Oh Hello", WHEN, "") "]}",
                              &wanted, &page),
                    0);
    CU_ASSERT_EQUAL_FATAL(page.count, 2);
    CU_ASSERT_STRING_EQUAL(page.found[0].sid, "SM000trial");
    CU_ASSERT_TRUE(page.found[0].ours);
    CU_ASSERT_FALSE(page.found[1].ours);
}

static void test_match_service(void)
{
    struct rest_page page = {0};
    struct rest_wanted by_service = wanted;
    by_service.service_sid = "MG02";
    CU_ASSERT_EQUAL(
        read_page("{\"messages\":[" MESSAGE("SM000pool", "+15550009999", "+15552223333", "Hello",
                                            "Mon, 23 Nov 2026 09:10:00 +0000",
                                            ",\"messaging_service_sid\":\"MG02\",\"error_code\":"
                                            "30003") "," OURS("SM0numbers", "Mon, 23 Nov 2026 "
                                                                            "09:10:00 +0000") "]}",
                  &by_service, &page),
        0);
    CU_ASSERT_EQUAL_FATAL(page.count, 2); /* the service may be newer than the attempt */
    CU_ASSERT_STRING_EQUAL(page.found[0].sid, "SM000pool");
    CU_ASSERT_STRING_EQUAL(page.found[0].error_code, "30003");
    CU_ASSERT_STRING_EQUAL(page.found[1].sid, "SM0numbers");
    CU_ASSERT_TRUE(page.found[0].ours && page.found[1].ours);
    CU_ASSERT_STRING_EQUAL(
        rest_list_url(arena, "https://x", "AC01", &wanted),
        "https://x/2010-04-01/Accounts/AC01/Messages.json?To=%2B15552223333&PageSize=1000");
}

/* What redaction, Smart Encoding or a changed channel may have made of our message. */
static const struct {
    const char *from, *to, *body, *service, *direction;
    bool kept, ours;
} kin[] = {
    {"+15550001111", "+15552223333", "Hello", "", "outbound-api", true, true},
    {"+15550001111", "+15552223333", "Hello", "", "outbound-reply", true, true},
    {"+15550001111", "+15552223333", "Hello", "", "inbound", false, false},
    {"+15550001111", "+15552223333", "", "", "outbound-api", true, false},
    {"+15550001111", "+1555222XXXX", "", "", "outbound-api", true, false},
    {"+15550001111", "+1555222XXXX", "Hello", "", "outbound-api", true, false},
    {"+15550001111", "+1555229XXXX", "", "", "outbound-api", false, false},
    {"+15550001111", "+155522XXXXX", "", "", "outbound-api", false, false},
    {"+15550001111", "+15552224444", "Hello", "", "outbound-api", false, false},
    {"+15550001111", "+15552223333", "", "", "outbound-reply", false, false},
    {"+15550009999", "+15552223333", "Hello", "MG02", "outbound-api", true, true},
    {"+15550009999", "+15552223333", "Hello", "MG03", "outbound-api", true, false},
    {"+15550009999", "+15552223333", "", "MG03", "outbound-api", true, false},
    {"+15550001111", "+15552223333", "Hello", "MG03", "outbound-api", true, true},
    {"+15550009999", "+15552223333", "Hello", "", "outbound-api", false, false},
};

static void test_kinship(void)
{
    struct rest_wanted want = wanted;
    want.service_sid = "MG02";
    for (size_t i = 0; i < sizeof kin / sizeof *kin; i++) {
        struct rest_page page = {0};
        const char *list =
            arena_printf(arena,
                         "{\"messages\":[{\"sid\":\"SM000000\",\"status\":\"sent\",\"from\":\"%s\","
                         "\"to\":\"%s\","
                         "\"body\":\"%s\",\"messaging_service_sid\":\"%s\",\"direction\":\"%s\","
                         "\"date_created\":\"" WHEN "\"}]}",
                         kin[i].from, kin[i].to, kin[i].body, kin[i].service, kin[i].direction);
        CU_ASSERT_EQUAL(read_page(list, &want, &page), 0);
        bool good =
            page.count == kin[i].kept && (page.count == 0 || page.found[0].ours == kin[i].ours);
        if (!good)
            printf("\n  case %zu: %zu kept\n", i, page.count);
        CU_ASSERT_TRUE(good);
    }
}

/* Our database's clock may be minutes off, not days; another text at another time is nobody's. */
static void test_clocks(void)
{
    static const struct {
        const char *body, *created;
        size_t kept;
    } cases[] = {
        {"Hello", "Mon, 23 Nov 2026 09:07:00 +0000", 1},
        {"Hello", "Mon, 23 Nov 2026 09:13:00 +0000", 1},
        {"Hello", "Sun, 22 Nov 2026 09:09:01 +0000", 1},
        {"Hello", "Sun, 22 Nov 2026 09:08:59 +0000", 0},
        {"Hello", "Tue, 24 Nov 2026 09:11:01 +0000", 0},
        {"Other", "Mon, 23 Nov 2026 09:07:00 +0000", 0},
        {"", "Mon, 23 Nov 2026 09:13:00 +0000", 0},
    };
    for (size_t i = 0; i < sizeof cases / sizeof *cases; i++) {
        struct rest_page page = {0};
        const char *list =
            arena_printf(arena,
                         "{\"messages\":[" MESSAGE("SM000000", "+15550001111", "+15552223333", "%s",
                                                   "%s", "") "]}",
                         cases[i].body, cases[i].created);
        CU_ASSERT_EQUAL(read_page(list, &wanted, &page), 0);
        CU_ASSERT_EQUAL(page.count, cases[i].kept);
        CU_ASSERT_FALSE(page.found[0].ours);
    }
}

/* More than there is room for: nobody can say that it is not among them. */
static void test_no_room(void)
{
    struct rest_page page = {0};
    for (int i = 0; i < REST_FOUND_MAX; i++)
        CU_ASSERT_EQUAL(read_page("{\"messages\":[" OURS("SM000000", WHEN) "]}", &wanted, &page),
                        0);
    CU_ASSERT_FALSE(page.more);
    CU_ASSERT_EQUAL(read_page("{\"messages\":[" OURS("SM000000", WHEN) "]}", &wanted, &page), 0);
    CU_ASSERT_TRUE(page.more);
}

static void test_paging(void)
{
    struct rest_page page = {0};
#define NEXT "],\"next_page_uri\":\"/2010-04-01/Accounts/AC01/Messages.json?Page=1\"}"
    CU_ASSERT_EQUAL(read_page("{\"messages\":[" OURS("SM0toonew", "Mon, 23 Nov 2026 10:00:00 +0000")
                                  NEXT,
                              &wanted, &page),
                    0);
    CU_ASSERT_STRING_EQUAL(page.next_url,
                           "https://api.twilio.com/2010-04-01/Accounts/AC01/Messages.json?Page=1");
    CU_ASSERT_EQUAL(read_page("{\"messages\":[" OURS("SM0tooold", "Sun, 22 Nov 2026 08:00:00 +0000")
                                  NEXT,
                              &wanted, &page),
                    0);
    CU_ASSERT_PTR_NULL(page.next_url); /* a page of older ones only: read no further */
    CU_ASSERT_EQUAL(
        read_page("{\"messages\":[],\"next_page_uri\":\"https://evil/\"}", &wanted, &page), 0);
    CU_ASSERT_PTR_NULL(page.next_url);
}

/* One call, asked for by its sid. */
static void test_one_call(void)
{
    static const struct {
        int status;
        const char *body, *told;
    } cases[] = {
        {200, "{\"sid\":\"CA000one\",\"status\":\"busy\"}", "busy"},
        {200, "{\"sid\":\"CA000one\",\"status\":\"in-progress\"}", "in-progress"},
        {200, "{\"sid\":\"CA00other\",\"status\":\"busy\"}", NULL},
        {200, "{\"sid\":\"CA000one\",\"status\":null}", NULL},
        {200, "{\"status\":\"busy\"}", NULL},
        {200, "[]", NULL},
        {200, "<html>", NULL},
        {404, "{\"sid\":\"CA000one\",\"status\":404}", NULL},
        {503, "", NULL},
    };
    CU_ASSERT_STRING_EQUAL(rest_call_url(arena, "https://x/", "AC01", "CA000one"),
                           "https://x/2010-04-01/Accounts/AC01/Calls/CA000one.json");
    for (size_t i = 0; i < sizeof cases / sizeof *cases; i++) {
        struct rest_found found = {.status = NULL};
        struct err err;
        const struct http_result result = {
            .status = cases[i].status, .body = cases[i].body, .body_length = strlen(cases[i].body)};
        int rc = rest_read_call(arena, &result, "CA000one", &found, &err);
        CU_ASSERT_EQUAL(rc, cases[i].told != NULL ? 0 : -1);
        if (cases[i].told != NULL && rc == 0) {
            CU_ASSERT_STRING_EQUAL(found.status, cases[i].told);
            CU_ASSERT_STRING_EQUAL(found.sid, "CA000one");
        } else {
            CU_ASSERT_STRING_EQUAL(err.code, "twilio.call");
            CU_ASSERT_EQUAL(err.class, ERR_RETRY_LATER);
        }
    }
}

static void test_bad_lists(void)
{
    static const char *const bodies[] = {"", "[]", "{}", "{\"messages\":{}}", "<html>"};
    struct rest_page page = {0};
    for (size_t i = 0; i < sizeof bodies / sizeof *bodies; i++)
        CU_ASSERT_EQUAL(read_page(bodies[i], &wanted, &page), -1);
    struct http_result refused = {.status = 401, .body = "{\"messages\":[]}", .body_length = 15};
    struct err err;
    CU_ASSERT_EQUAL(rest_read_page(arena, &refused, "https://x", &wanted, &page, &err), -1);
    CU_ASSERT_EQUAL(err.class, ERR_RETRY_LATER);
}

int main(void)
{
    arena = arena_new();
    CU_initialize_registry();
    CU_pSuite suite = CU_add_suite("rest", NULL, NULL);
    CU_add_test(suite, "create", test_create);
    CU_add_test(suite, "create a call", test_create_call);
    CU_add_test(suite, "list of calls", test_list_of_calls);
    CU_add_test(suite, "answers", test_answers);
    CU_add_test(suite, "back-off", test_back_off);
    CU_add_test(suite, "error table", test_error_table);
    CU_add_test(suite, "match", test_match);
    CU_add_test(suite, "match by service", test_match_service);
    CU_add_test(suite, "kinship", test_kinship);
    CU_add_test(suite, "clocks", test_clocks);
    CU_add_test(suite, "no room", test_no_room);
    CU_add_test(suite, "match of a trial account", test_match_trial);
    CU_add_test(suite, "paging", test_paging);
    CU_add_test(suite, "one call", test_one_call);
    CU_add_test(suite, "bad lists", test_bad_lists);
    CU_basic_set_mode(CU_BRM_VERBOSE);
    CU_basic_run_tests();
    unsigned failures = CU_get_number_of_failures();
    CU_cleanup_registry();
    arena_free(&arena);
    return failures > 0 ? 1 : 0;
}
