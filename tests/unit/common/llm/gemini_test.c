/* Gemini's dialect against a scripted server: its request, what is shown, what is refused. */
#include "unit/common/llm/llm_rig.h"

#include <poll.h>

#define EVENT(members) "data: {" members ",\"modelVersion\":\"g-1\",\"responseId\":\"r-1\"}\r\n\r\n"
#define PARTS(parts)                                                                               \
    "\"candidates\":[{\"index\":0,\"content\":{\"role\":\"model\",\"parts\":[" parts "]}}]"
#define LAST(parts, why)                                                                           \
    "\"candidates\":[{\"content\":{\"parts\":[" parts                                              \
    "],\"role\":\"model\"},\"finishReason\":\"" why "\"}]"
#define TEXT(text) EVENT(PARTS("{\"text\":\"" text "\"}"))
#define END(why)   EVENT(LAST("{\"text\":\"\"}", why))
#define USAGE                                                                                      \
    "\"usageMetadata\":{\"promptTokenCount\":12,\"candidatesTokenCount\":3,"                       \
    "\"thoughtsTokenCount\":5,\"cachedContentTokenCount\":4}"
#define ERROR(code, status, message, details)                                                      \
    "{\"error\":{\"code\":" #code ",\"message\":\"" message "\",\"status\":\"" status              \
    "\",\"details\":[" details "]}}"
#define WAIT "{\"@type\":\"type.googleapis.com/google.rpc.RetryInfo\",\"retryDelay\":\"34.07s\"}"
#define QUOTA                                                                                      \
    "{\"@type\":\"x\",\"violations\":[{\"quotaId\":\"GenerateRequestsPerDayPerProject\"}]}"

static const struct script scripts[] = {
    {"usual", "200 OK", "",
     EVENT(PARTS("{\"text\":\"Hel\"}") ",\"usageMetadata\":{\"promptTokenCount\":12}")
         EVENT(LAST("{\"text\":\"lo\"}", "STOP") "," USAGE),
     "Hello", "", 0, LLM_STOP},
    {"two-parts", "200 OK", "", EVENT(LAST("{\"text\":\"a\"},{\"text\":\"b\"}", "STOP")), "ab", "",
     0, LLM_STOP},
    {"thoughts", "200 OK", "",
     EVENT(PARTS("{\"text\":\"hm\",\"thought\":true}")) TEXT("x") END("STOP"), "x", "", 0,
     LLM_STOP},
    {"length", "200 OK", "", TEXT("cut") END("MAX_TOKENS"), "cut", "", 0, LLM_LENGTH},
    {"novel", "200 OK", "", TEXT("x") END("NOVEL"), "x", "", 0, LLM_OTHER},
    {"whole", "200 OK", "", "{" LAST("{\"text\":\"whole\"}", "STOP") "}", "whole", "", 0, LLM_STOP},
    {"call", "200 OK", "", EVENT(LAST("{\"functionCall\":{\"name\":\"f\",\"args\":{}}}", "STOP")),
     "", "llm.empty", ERR_FALL_BACK, LLM_TOOL_CALLS},
    {"empty", "200 OK", "", END("STOP"), "", "llm.empty", ERR_FALL_BACK, LLM_STOP},
    {"safety", "200 OK", "", TEXT("half") END("SAFETY"), "half", "llm.filtered", ERR_PERMANENT,
     LLM_FILTERED},
    {"blocked", "200 OK", "", "data: {\"promptFeedback\":{\"blockReason\":\"OTHER\"}}\n\n", "",
     "llm.filtered", ERR_PERMANENT, LLM_FILTERED},
    {"malformed", "200 OK", "", END("MALFORMED_FUNCTION_CALL"), "", "llm.unavailable",
     ERR_RETRY_LATER, LLM_OTHER},
    {"truncated", "200 OK", "", TEXT("half"), "half", "llm.truncated", ERR_RETRY_LATER, LLM_OTHER},
    {"nonsense", "200 OK", "", TEXT("x") "data: {\"candidates\": oops\n\n", "x", "llm.nonsense",
     ERR_FALL_BACK, LLM_OTHER},
    {"other", "200 OK", "", "{\"hello\":1}", "", "llm.nonsense", ERR_FALL_BACK, LLM_OTHER},
    {"strange-shapes", "200 OK", "",
     "data: {\"candidates\":{\"a\":1},\"promptFeedback\":[]}\n\n"
     "data: {\"candidates\":[{\"content\":{\"parts\":\"no\"},\"finishReason\":7}]}\n\n"
     "data: {\"candidates\":[3],\"usageMetadata\":\"x\"}\n\n" TEXT("x") END("STOP"),
     "x", "", 0, LLM_STOP},
    {"raw-error", "200 OK", "", ERROR(503, "UNAVAILABLE", "m", ""), "", "llm.unavailable",
     ERR_RETRY_LATER, LLM_OTHER},
    {"error-event", "200 OK", "",
     TEXT("x") "data: " ERROR(429, "RESOURCE_EXHAUSTED", "m", QUOTA) "\n\n", "x", "llm.exhausted",
     ERR_FALL_BACK, LLM_OTHER},

    {"throttled", "429 Too Many", "", ERROR(429, "RESOURCE_EXHAUSTED", "m", WAIT), "",
     "llm.throttled", ERR_RETRY_LATER, LLM_OTHER},
    {"per-day", "429 Too Many", "", ERROR(429, "RESOURCE_EXHAUSTED", "m", WAIT "," QUOTA), "",
     "llm.exhausted", ERR_FALL_BACK, LLM_OTHER},
    {"in-array", "429 Too Many", "", "[" ERROR(429, "RESOURCE_EXHAUSTED", "m", QUOTA) "]", "",
     "llm.exhausted", ERR_FALL_BACK, LLM_OTHER},
    {"prepaid", "402 Payment", "", ERROR(402, "RESOURCE_EXHAUSTED", "m", ""), "", "llm.exhausted",
     ERR_FALL_BACK, LLM_OTHER},
    {"wrong-key", "400 Bad", "",
     ERROR(400, "INVALID_ARGUMENT", "m", "{\"@type\":\"x\",\"reason\":\"API_KEY_INVALID\"}"), "",
     "llm.config", ERR_FALL_BACK, LLM_OTHER},
    {"region", "400 Bad", "", ERROR(400, "FAILED_PRECONDITION", "m", ""), "", "llm.config",
     ERR_FALL_BACK, LLM_OTHER},
    {"denied", "403 Denied", "", ERROR(403, "PERMISSION_DENIED", "m", ""), "", "llm.config",
     ERR_FALL_BACK, LLM_OTHER},
    {"no-model", "404 Not", "", ERROR(404, "NOT_FOUND", "m", ""), "", "llm.config", ERR_FALL_BACK,
     LLM_OTHER},
    {"window", "400 Bad", "",
     ERROR(400, "INVALID_ARGUMENT",
           "The input token count exceeds the maximum number of tokens "
           "allowed",
           ""),
     "", "llm.too_long", ERR_FALL_BACK, LLM_OTHER},
    {"ours", "400 Bad", "", ERROR(400, "INVALID_ARGUMENT", "Something", ""), "", "llm.bad_request",
     ERR_FALL_BACK, LLM_OTHER},
    {"field", "400 Bad", "",
     ERROR(400, "INVALID_ARGUMENT", "Unknown name \\\"x\\\": Cannot find field.", ""), "",
     "llm.config", ERR_FALL_BACK, LLM_OTHER},
    {"deadline", "504 Gateway", "", ERROR(504, "DEADLINE_EXCEEDED", "m", ""), "", "llm.unavailable",
     ERR_RETRY_LATER, LLM_OTHER},
};

static void send_chunk(int fd, const char *text)
{
    char head[20];
    snprintf(head, sizeof head, "%zx\r\n", strlen(text));
    fake_send(fd, head);
    fake_send(fd, text);
    fake_send(fd, "\r\n");
}

/* An event, and later an error that is none; "bare-error-alone" sends it alone in an array. */
static bool answer_and_fail(int fd, const char *name)
{
    const bool alone = strncmp(name, "bare-error-alone", 16) == 0;
    fake_send(fd, "HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n");
    send_chunk(fd, TEXT("half"));
    poll(NULL, 0, 50);
    send_chunk(fd, alone ? "[" ERROR(429, "RESOURCE_EXHAUSTED", "m", QUOTA) "]"
                         : ERROR(429, "RESOURCE_EXHAUSTED", "m", QUOTA));
    fake_send(fd, "0\r\n\r\n");
    return true;
}

static void test_bare_error(void)
{
    static const char *const names[] = {"bare-error", "bare-error-alone"};
    for (size_t i = 0; i < sizeof names / sizeof *names; i++) {
        struct outcome o = {0};
        start(&o, names[i], (struct llm_request){.dialect = LLM_GEMINI});
        run();
        CU_ASSERT_STRING_EQUAL(o.text, "half");
        CU_ASSERT_STRING_EQUAL(o.code, "llm.exhausted");
    }
}

static void test_scripts(void)
{
    play_scripts(LLM_GEMINI);
}

static void test_facts(void)
{
    struct outcome usual = {0}, throttled = {0}, day = {0};
    start(&usual, "usual", (struct llm_request){.dialect = LLM_GEMINI});
    start(&throttled, "throttled", (struct llm_request){.dialect = LLM_GEMINI});
    start(&day, "per-day", (struct llm_request){.dialect = LLM_GEMINI});
    run();
    CU_ASSERT_EQUAL(usual.tokens_in, 12);
    CU_ASSERT_EQUAL(usual.tokens_out, 8);
    CU_ASSERT_EQUAL(usual.tokens_cached, 4);
    CU_ASSERT_STRING_EQUAL(usual.model, "g-1");
    CU_ASSERT_STRING_EQUAL(usual.request_id, "r-1");
    CU_ASSERT_EQUAL(throttled.retry_after_ms, 34070);
    CU_ASSERT_EQUAL(day.retry_after_ms, 0);
}

/* The role and the texts of a content, joined by "|". */
static void check_content(const struct json *content, const char *role, const char *texts)
{
    char joined[200] = "";
    CU_ASSERT_STRING_EQUAL(json_member_text(content, "role"), role);
    for (const struct json *p = json_first(json_member(content, "parts")); p != NULL;
         p = json_next(p)) {
        strncat(joined, joined[0] != '\0' ? "|" : "", 2);
        strncat(joined, json_member_text(p, "text"), 60);
    }
    CU_ASSERT_STRING_EQUAL(joined, texts);
}

static void test_request(void)
{
    static const struct llm_message messages[] = {
        {.role = LLM_SYSTEM, .text = "rules"},    {.role = LLM_ASSISTANT, .text = "We moved."},
        {.role = LLM_USER, .text = "When?"},      {.role = LLM_USER, .text = "And where?"},
        {.role = LLM_ASSISTANT, .text = "Soon."}, {.role = LLM_USER, .text = "Ok"}};
    struct secret *key = secret_new("g-key", 5);
    struct outcome o = {0};
    start(&o, "usual",
          (struct llm_request){.dialect = LLM_GEMINI,
                               .model = "tuned/m 1",
                               .key = key,
                               .key_header = "x-goog-api-key",
                               .messages = messages,
                               .message_count = 6,
                               .temperature = 0.5,
                               .max_tokens = 99,
                               .extra =
                                   "{\"generationConfig\":{\"thinkingConfig\":{\"thinkingLevel\":"
                                   "\"MINIMAL\"}},\"serviceTier\":\"standard\"}"});
    run();
    char *head = fake_last_head(server);
    CU_ASSERT_PTR_NOT_NULL(strstr(
        head, "POST /usual/models/tuned%2Fm%201:streamGenerateContent?alt=sse HTTP/1.1\r\n"));
    CU_ASSERT_PTR_NOT_NULL(strstr(head, "x-goog-api-key: g-key\r\n"));
    CU_ASSERT_PTR_NULL(strstr(head, "Authorization"));
    free(head);
    struct json *body = last_body();
    const struct json *system =
        json_first(json_member(json_member(body, "systemInstruction"), "parts"));
    const struct json *config = json_member(body, "generationConfig");
    const struct json *content = json_first(json_member(body, "contents"));
    int64_t limit = 0;
    CU_ASSERT_STRING_EQUAL(json_member_text(system, "text"), "rules");
    check_content(content, "user", "(The business wrote first.)");
    check_content(content = json_next(content), "model", "We moved.");
    check_content(content = json_next(content), "user", "When?|And where?");
    check_content(content = json_next(content), "model", "Soon.");
    check_content(content = json_next(content), "user", "Ok");
    CU_ASSERT_PTR_NULL(json_next(content));
    CU_ASSERT_EQUAL(json_number(json_member(config, "temperature")), 0.5);
    CU_ASSERT_TRUE(json_member_int(config, "maxOutputTokens", 0, 1000, &limit) && limit == 99);
    CU_ASSERT_STRING_EQUAL(json_member_text(json_member(config, "thinkingConfig"), "thinkingLevel"),
                           "MINIMAL");
    CU_ASSERT_STRING_EQUAL(json_member_text(body, "serviceTier"), "standard");
    CU_ASSERT_PTR_NULL(json_member(body, "model"));
    CU_ASSERT_PTR_NULL(json_member(body, "stream"));
    json_free(&body);
    secret_free(&key);
}

int main(void)
{
    script_list = scripts;
    script_count = sizeof scripts / sizeof *scripts;
    serve_slow = answer_and_fail;
    CU_initialize_registry();
    CU_pSuite suite = CU_add_suite("gemini", set_up, tear_down);
    CU_add_test(suite, "every script", test_scripts);
    CU_add_test(suite, "tokens, model, time to wait", test_facts);
    CU_add_test(suite, "the request", test_request);
    CU_add_test(suite, "an error that is no event", test_bare_error);
    return run_tests();
}
