/* Anthropic's dialect against a scripted server: its request, what is shown, what is refused. */
#include "unit/common/llm/llm_rig.h"

#define EVENT(type, members) "event: " type "\ndata: {\"type\":\"" type "\"" members "}\n\n"
#define START                                                                                      \
    EVENT("message_start",                                                                         \
          ",\"message\":{\"id\":\"msg_1\",\"model\":\"c-1\",\"content\":[],\"stop_reason\":null,"  \
          "\"usage\":{\"input_tokens\":5,\"cache_creation_input_tokens\":3,"                       \
          "\"cache_read_input_tokens\":4,\"output_tokens\":1}}")                                   \
    EVENT("content_block_start", ",\"index\":0,\"content_block\":{\"type\":\"text\",\"text\":"     \
                                 "\"\"}")
#define TEXT(text)                                                                                 \
    EVENT("content_block_delta",                                                                   \
          ",\"index\":0,\"delta\":{\"type\":\"text_delta\",\"text\":\"" text "\"}")
#define PING EVENT("ping", "")
#define FINISH(why)                                                                                \
    EVENT("content_block_stop", ",\"index\":0")                                                    \
    EVENT("message_delta",                                                                         \
          ",\"delta\":{\"stop_reason\":\"" why "\"},\"usage\":{\"output_tokens\":9}")
#define STOP EVENT("message_stop", "")
#define ERROR(type, more)                                                                          \
    "{\"type\":\"error\",\"error\":{\"type\":\"" type "\",\"message\":\"m\"" more                  \
    "},\"request_id\":\"req_2\"}"

static const struct script scripts[] = {
    {"usual", "200 OK", "request-id: req_1\r\n",
     START PING TEXT("Hel") TEXT("lo") FINISH("end_turn") STOP, "Hello", "", 0, LLM_STOP},
    {"no-stop", "200 OK", "", START TEXT("x") FINISH("end_turn"), "x", "", 0, LLM_STOP},
    {"after-stop", "200 OK", "", START TEXT("x") FINISH("end_turn") STOP "data: garbage\n\n", "x",
     "", 0, LLM_STOP},
    {"sequence", "200 OK", "", START TEXT("x") FINISH("stop_sequence") STOP, "x", "", 0, LLM_STOP},
    {"length", "200 OK", "", START TEXT("cut") FINISH("max_tokens") STOP, "cut", "", 0, LLM_LENGTH},
    {"novel", "200 OK", "", START EVENT("novel_event", ",\"a\":1") TEXT("x") FINISH("novel") STOP,
     "x", "", 0, LLM_OTHER},
    {"thinking", "200 OK", "",
     START EVENT("content_block_delta",
                 ",\"delta\":{\"type\":\"thinking_delta\",\"thinking\":\"hm\",\"text\":\"no\"}")
         TEXT("x") FINISH("end_turn") STOP,
     "x", "", 0, LLM_STOP},
    {"whole", "200 OK", "",
     "{\"type\":\"message\",\"id\":\"msg_1\",\"model\":\"c-1\",\"content\":[{\"type\":\"thinking\","
     "\"thinking\":\"hm\"},{\"type\":\"text\",\"text\":\"whole\"}],\"stop_reason\":\"end_turn\","
     "\"usage\":{\"input_tokens\":12,\"output_tokens\":3}}",
     "whole", "", 0, LLM_STOP},
    {"tool", "200 OK", "",
     START EVENT("content_block_start", ",\"index\":1,\"content_block\":{\"type\":\"tool_use\","
                                        "\"id\":\"t\",\"name\":\"f\",\"input\":{}}")
         EVENT("content_block_delta",
               ",\"index\":1,\"delta\":{\"type\":\"input_json_delta\",\"partial_json\":\"{}\"}")
             FINISH("tool_use") STOP,
     "", "llm.empty", ERR_FALL_BACK, LLM_TOOL_CALLS},
    {"empty", "200 OK", "", START FINISH("end_turn") STOP, "", "llm.empty", ERR_FALL_BACK,
     LLM_STOP},
    {"refusal", "200 OK", "", START TEXT("half") FINISH("refusal") STOP, "half", "llm.filtered",
     ERR_PERMANENT, LLM_FILTERED},
    {"window-full", "200 OK", "", START TEXT("x") FINISH("model_context_window_exceeded") STOP, "x",
     "llm.too_long", ERR_FALL_BACK, LLM_OTHER},
    {"truncated", "200 OK", "", START TEXT("half"), "half", "llm.truncated", ERR_RETRY_LATER,
     LLM_OTHER},
    {"pings-only", "200 OK", "", PING PING, "", "llm.nonsense", ERR_FALL_BACK, LLM_OTHER},
    {"nonsense", "200 OK", "", START TEXT("x") "data: {\"type\": oops\n\n", "x", "llm.nonsense",
     ERR_FALL_BACK, LLM_OTHER},
    {"strange-shapes", "200 OK", "",
     EVENT("message_start", ",\"message\":[1]") EVENT("content_block_delta", ",\"delta\":\"x\"")
         EVENT("message_delta", "") EVENT("content_block_start", ",\"content_block\":7") TEXT("x")
             FINISH("end_turn") STOP,
     "x", "", 0, LLM_STOP},
    {"error-event", "200 OK", "",
     START TEXT("x") "event: error\ndata: " ERROR("overloaded_error", "") "\n\n", "x",
     "llm.unavailable", ERR_RETRY_LATER, LLM_OTHER},

    {"key", "401 Unauthorized", "", ERROR("authentication_error", ""), "", "llm.config",
     ERR_FALL_BACK, LLM_OTHER},
    {"billing", "402 Payment", "", ERROR("billing_error", ""), "", "llm.exhausted", ERR_FALL_BACK,
     LLM_OTHER},
    {"no-model", "404 Not Found", "", ERROR("not_found_error", ""), "", "llm.config", ERR_FALL_BACK,
     LLM_OTHER},
    {"too-large", "413 Large", "", ERROR("request_too_large", ""), "", "llm.too_long",
     ERR_FALL_BACK, LLM_OTHER},
    {"ours", "400 Bad Request", "", ERROR("invalid_request_error", ""), "", "llm.bad_request",
     ERR_FALL_BACK, LLM_OTHER},
    {"field", "400 Bad Request", "",
     "{\"type\":\"error\",\"error\":{\"type\":\"invalid_request_error\",\"message\":"
     "\"x: Extra inputs are not permitted\"}}",
     "", "llm.config", ERR_FALL_BACK, LLM_OTHER},
    {"throttled", "429 Too Many", "Retry-After: 7\r\n", ERROR("rate_limit_error", ""), "",
     "llm.throttled", ERR_RETRY_LATER, LLM_OTHER},
    {"spent", "429 Too Many", "",
     ERROR("rate_limit_error", ",\"details\":{\"error_code\":\"enforced_spend_limit_reached\"}"),
     "", "llm.exhausted", ERR_FALL_BACK, LLM_OTHER},
    {"api", "500 Internal", "", ERROR("api_error", ""), "", "llm.unavailable", ERR_RETRY_LATER,
     LLM_OTHER},
    {"slow", "504 Gateway", "", ERROR("timeout_error", ""), "", "llm.unavailable", ERR_RETRY_LATER,
     LLM_OTHER},
    {"overloaded", "529 Overloaded", "", ERROR("overloaded_error", ""), "", "llm.unavailable",
     ERR_RETRY_LATER, LLM_OTHER},
};

static bool answer_nothing(int fd, const char *name)
{
    (void)fd, (void)name;
    return false;
}

static void test_scripts(void)
{
    play_scripts(LLM_ANTHROPIC);
}

static void test_facts(void)
{
    struct outcome usual = {0}, whole = {0}, throttled = {0};
    start(&usual, "usual", (struct llm_request){.dialect = LLM_ANTHROPIC});
    start(&whole, "whole", (struct llm_request){.dialect = LLM_ANTHROPIC});
    start(&throttled, "throttled", (struct llm_request){.dialect = LLM_ANTHROPIC});
    run();
    CU_ASSERT_EQUAL(usual.tokens_in, 12);
    CU_ASSERT_EQUAL(usual.tokens_out, 9);
    CU_ASSERT_EQUAL(usual.tokens_cached, 4);
    CU_ASSERT_EQUAL(usual.tokens_written, 3);
    CU_ASSERT_STRING_EQUAL(usual.model, "c-1");
    CU_ASSERT_STRING_EQUAL(usual.request_id, "req_1");
    CU_ASSERT_EQUAL(whole.tokens_in, 12);
    CU_ASSERT_EQUAL(whole.tokens_cached, 0);
    CU_ASSERT_STRING_EQUAL(whole.request_id, "msg_1");
    CU_ASSERT_EQUAL(throttled.retry_after_ms, 7000);
}

/* The role and the texts of a message, joined by "|". */
static void check_message(const struct json *message, const char *role, const char *texts)
{
    char joined[200] = "";
    CU_ASSERT_STRING_EQUAL(json_member_text(message, "role"), role);
    for (const struct json *p = json_first(json_member(message, "content")); p != NULL;
         p = json_next(p)) {
        CU_ASSERT_STRING_EQUAL(json_member_text(p, "type"), "text");
        strncat(joined, joined[0] != '\0' ? "|" : "", 2);
        strncat(joined, json_member_text(p, "text"), 60);
    }
    CU_ASSERT_STRING_EQUAL(joined, texts);
}

static void check_body(int64_t max_tokens)
{
    struct json *body = last_body();
    const struct json *system = json_first(json_member(body, "system"));
    const struct json *message = json_first(json_member(body, "messages"));
    int64_t limit = 0;
    CU_ASSERT_STRING_EQUAL(json_member_text(body, "model"), "m-1");
    CU_ASSERT_STRING_EQUAL(json_member_text(system, "text"), "rules");
    CU_ASSERT_TRUE(json_member_bool(body, "stream", false));
    CU_ASSERT_PTR_NULL(json_member(body, "stream_options"));
    CU_ASSERT_PTR_NULL(json_member(body, "temperature"));
    CU_ASSERT_TRUE(json_member_int(body, "max_tokens", 0, 5000, &limit) && limit == max_tokens);
    CU_ASSERT_STRING_EQUAL(json_member_text(json_member(body, "thinking"), "type"), "disabled");
    check_message(message, "user", "When?|And where?");
    check_message(message = json_next(message), "assistant", "Soon.");
    CU_ASSERT_PTR_NULL(json_next(message));
    json_free(&body);
}

static void test_request(void)
{
    static const struct llm_message messages[] = {{.role = LLM_SYSTEM, .text = "rules"},
                                                  {.role = LLM_USER, .text = "When?"},
                                                  {.role = LLM_USER, .text = "And where?"},
                                                  {.role = LLM_ASSISTANT, .text = "Soon."}};
    static const char *const headers[] = {"anthropic-version: 2026-10-21", NULL};
    struct secret *key = secret_new("c-key", 5);
    for (int limit = 0; limit <= 300;
         limit += 300) { /* with the usual header, and with a given one */
        struct outcome o = {0};
        start(&o, "usual",
              (struct llm_request){.dialect = LLM_ANTHROPIC,
                                   .key = key,
                                   .key_header = "x-api-key",
                                   .headers = limit > 0 ? headers : NULL,
                                   .messages = messages,
                                   .message_count = 4,
                                   .temperature = -1,
                                   .max_tokens = limit,
                                   .extra = "{\"thinking\":{\"type\":\"disabled\"}}"});
        run();
        char *head = fake_last_head(server);
        CU_ASSERT_PTR_NOT_NULL(strstr(head, "POST /usual/messages HTTP/1.1\r\n"));
        CU_ASSERT_PTR_NOT_NULL(strstr(head, "x-api-key: c-key\r\n"));
        CU_ASSERT_PTR_NOT_NULL(strstr(head, limit > 0 ? "anthropic-version: 2026-10-21\r\n"
                                                      : "anthropic-version: 2023-06-01\r\n"));
        CU_ASSERT_PTR_NULL(strstr(head, "Authorization"));
        free(head);
        check_body(limit > 0 ? limit : 1024);
    }
    secret_free(&key);
}

/* What `cache_control` the parts of a list say: "-" none, "e" ephemeral. */
static const char *marks_of(const struct json *list, char marks[16])
{
    size_t count = 0;
    for (const struct json *p = json_first(list); p != NULL; p = json_next(p)) {
        const struct json *mark = json_member(p, "cache_control");
        const char *type = json_member_text(mark, "type");
        marks[count++] = mark == NULL                                     ? '-'
                         : type != NULL && strcmp(type, "ephemeral") == 0 ? 'e'
                                                                          : '?';
    }
    marks[count] = '\0';
    return marks;
}

/* The ends of what comes again are told, four at most: the first ones. */
static void test_cache_marks(void)
{
    struct llm_message messages[] = {
        {.role = LLM_SYSTEM, .text = "rules", .is_kept = true},
        {.role = LLM_USER, .text = "When?"},
        {.role = LLM_USER, .text = "And where?", .is_kept = true},
        {.role = LLM_ASSISTANT, .text = "Soon.", .is_kept = true},
        {.role = LLM_USER, .text = "a"},
        {.role = LLM_USER, .text = "b", .is_kept = true},
        {.role = LLM_USER, .text = "c", .is_kept = true},
        {.role = LLM_USER, .text = "d"},
    };
    char marks[16];
    struct outcome o = {0};
    start(&o, "usual",
          (struct llm_request){.dialect = LLM_ANTHROPIC, .messages = messages, .message_count = 8});
    run();
    struct json *body = last_body();
    const struct json *turn = json_first(json_member(body, "messages"));
    CU_ASSERT_STRING_EQUAL(marks_of(json_member(body, "system"), marks), "e");
    CU_ASSERT_STRING_EQUAL(marks_of(json_member(turn, "content"), marks), "-e");
    turn = json_next(turn);
    CU_ASSERT_STRING_EQUAL(marks_of(json_member(turn, "content"), marks), "e");
    turn = json_next(turn);
    CU_ASSERT_STRING_EQUAL(marks_of(json_member(turn, "content"), marks), "-e--");
    json_free(&body);
}

int main(void)
{
    script_list = scripts;
    script_count = sizeof scripts / sizeof *scripts;
    serve_slow = answer_nothing;
    CU_initialize_registry();
    CU_pSuite suite = CU_add_suite("anthropic", set_up, tear_down);
    CU_add_test(suite, "every script", test_scripts);
    CU_add_test(suite, "tokens, model, time to wait", test_facts);
    CU_add_test(suite, "the request", test_request);
    CU_add_test(suite, "ends of what comes again", test_cache_marks);
    return run_tests();
}
