/* The model client against a scripted server: what is shown, what is refused, and the class of each
 * failure. The request's path names the script. */
#include "unit/common/llm/llm_rig.h"

#define CHUNK(delta) "data: {\"model\":\"m-1\",\"choices\":[{\"index\":0,\"delta\":" delta "}]}\n\n"
#define TEXT(text)   CHUNK("{\"content\":\"" text "\"}")
#define FINISH(why)  "data: {\"choices\":[{\"delta\":{},\"finish_reason\":\"" why "\"}]}\n\n"
#define USAGE                                                                                      \
    "data: {\"choices\":[],\"usage\":{\"prompt_tokens\":12,\"completion_tokens\":3,"               \
    "\"prompt_tokens_details\":{\"cached_tokens\":4,\"cache_write_tokens\":5}}}\n\n"
#define DONE "data: [DONE]\n\n"

static const struct script scripts[] = {
    {"usual", "200 OK", "",
     CHUNK("{\"role\":\"assistant\",\"content\":\"\"}") TEXT("Hel") TEXT("lo") FINISH("stop")
         USAGE DONE,
     "Hello", "", 0, LLM_STOP},
    {"null-content", "200 OK", "",
     CHUNK("{\"role\":\"assistant\",\"content\":null}") TEXT("x") FINISH("stop") DONE, "x", "", 0,
     LLM_STOP},
    {"comments", "200 OK", "",
     ": OPENROUTER PROCESSING\n\n" TEXT("x") ": again\n\n" FINISH("eos") DONE, "x", "", 0,
     LLM_STOP},
    {"length", "200 OK", "", TEXT("cut here") FINISH("length") DONE, "cut here", "", 0, LLM_LENGTH},
    {"no-done", "200 OK", "", TEXT("x") FINISH("stop"), "x", "", 0, LLM_STOP},
    {"no-finish", "200 OK", "", TEXT("x") DONE, "x", "", 0, LLM_OTHER},
    {"unknown-finish", "200 OK", "", TEXT("x") FINISH("novel") DONE, "x", "", 0, LLM_OTHER},
    {"parts", "200 OK", "",
     CHUNK("{\"content\":[{\"type\":\"thinking\",\"text\":\"hm\"},"
           "{\"type\":\"text\",\"text\":\"x\"}]}") FINISH("stop") DONE,
     "x", "", 0, LLM_STOP},
    {"reasoning", "200 OK", "",
     CHUNK("{\"reasoning_content\":\"secret thoughts\"}") CHUNK("{\"reasoning\":\"more\"}")
         TEXT("x") FINISH("stop") DONE,
     "x", "", 0, LLM_STOP},
    {"other-choice", "200 OK", "",
     "data: {\"choices\":[{\"index\":1,\"delta\":{\"content\":\"no\"}}]}\n\n" TEXT("x")
         FINISH("stop") DONE,
     "x", "", 0, LLM_STOP},
    {"other-event", "200 OK", "", "data: {\"type\":\"ping\"}\n\n" TEXT("x") FINISH("stop") DONE,
     "x", "", 0, LLM_STOP},
    {"after-done", "200 OK", "", TEXT("x") FINISH("stop") DONE "data: garbage\n\n", "x", "", 0,
     LLM_STOP},
    {"crlf", "200 OK", "",
     "data: {\"choices\":[{\"delta\":{\"content\":\"x\"},\"finish_reason\":\"stop\"}]}"
     "\r\n\r\ndata: [DONE]\r\n\r\n",
     "x", "", 0, LLM_STOP},
    {"unstreamed", "200 OK", "Content-Type: application/json\r\n",
     "{\"model\":\"m\",\"choices\":[{\"message\":"
     "{\"role\":\"assistant\",\"content\":\"whole\"},\"finish_reason\":\"stop\"}],\"usage\":{"
     "\"prompt_tokens\":12,\"completion_tokens\":3}}",
     "whole", "", 0, LLM_STOP},

    {"tools", "200 OK", "",
     CHUNK("{\"tool_calls\":[{\"index\":0,\"id\":\"c\",\"function\":{\"name\":\"f\","
           "\"arguments\":\"{}\"}}]}") FINISH("tool_calls") DONE,
     "", "llm.empty", ERR_FALL_BACK, LLM_TOOL_CALLS},
    {"empty", "200 OK", "", FINISH("stop") USAGE DONE, "", "llm.empty", ERR_FALL_BACK, LLM_STOP},
    {"blank", "200 OK", "", TEXT(" \\n\\t") FINISH("stop") DONE, " \n\t", "llm.empty",
     ERR_FALL_BACK, LLM_STOP},
    {"nothing", "200 OK", "", "", "", "llm.nonsense", ERR_FALL_BACK, LLM_OTHER},
    {"filtered", "200 OK", "", TEXT("half") FINISH("content_filter") DONE, "half", "llm.filtered",
     ERR_PERMANENT, LLM_FILTERED},
    {"refusal", "200 OK", "", CHUNK("{\"refusal\":\"I can't\"}") FINISH("stop") DONE, "",
     "llm.filtered", ERR_PERMANENT, LLM_FILTERED},
    {"truncated", "200 OK", "", TEXT("half"), "half", "llm.truncated", ERR_RETRY_LATER, LLM_OTHER},
    {"model-length", "200 OK", "", TEXT("x") FINISH("model_length") DONE, "x", "llm.too_long",
     ERR_FALL_BACK, LLM_OTHER},
    {"gave-up", "200 OK", "", TEXT("x") FINISH("error") DONE, "x", "llm.unavailable",
     ERR_RETRY_LATER, LLM_OTHER},
    {"no-resource", "200 OK", "", TEXT("x") FINISH("insufficient_system_resource") DONE, "x",
     "llm.unavailable", ERR_RETRY_LATER, LLM_OTHER}, /* DeepSeek */
    {"bad-json", "200 OK", "", TEXT("x") "data: {\"choices\": oops\n\n", "x", "llm.nonsense",
     ERR_FALL_BACK, LLM_OTHER},
    {"bad-utf8", "200 OK", "", TEXT("x") TEXT("\xC3\x28") FINISH("stop") DONE, "x", "llm.nonsense",
     ERR_FALL_BACK, LLM_OTHER},
    {"nul", "200 OK", "", TEXT("a\\u0000b") FINISH("stop") DONE, "", "llm.nonsense", ERR_FALL_BACK,
     LLM_OTHER},
    {"html", "200 OK", "", "<html>login</html>", "", "llm.nonsense", ERR_FALL_BACK, LLM_OTHER},
    {"json-list", "200 OK", "", "[1,2]", "", "llm.nonsense", ERR_FALL_BACK, LLM_OTHER},
    {"json-other", "200 OK", "", "{\"hello\":1}", "", "llm.nonsense", ERR_FALL_BACK, LLM_OTHER},
    {"too-much", "200 OK", "", TEXT("0123456789") TEXT("0123456789x") FINISH("stop") DONE,
     "0123456789", "llm.too_long_answer", ERR_FALL_BACK, LLM_OTHER},
    {"error-in-stream", "200 OK", "",
     TEXT("x") "data: {\"error\":{\"message\":\"m\",\"code\":502}}\n\n", "x", "llm.unavailable",
     ERR_RETRY_LATER, LLM_OTHER},
    {"quota-in-stream", "200 OK", "", "data: {\"error\":{\"type\":\"insufficient_quota\"}}\n\n", "",
     "llm.exhausted", ERR_FALL_BACK, LLM_OTHER},
    {"groq-error", "200 OK", "",
     "data: {\"choices\":[],\"x_groq\":{\"error\":{\"message\":\"m\"}}}\n\n", "", "llm.unavailable",
     ERR_RETRY_LATER, LLM_OTHER},
    {"error-as-200", "200 OK", "", "{\"error\":{\"code\":429,\"message\":\"slow\"}}", "",
     "llm.throttled", ERR_RETRY_LATER, LLM_OTHER},

    {"throttled", "429 Too Many Requests", "Retry-After: 3\r\n",
     "{\"error\":{\"message\":\"m\",\"type\":"
     "\"requests\",\"param\":null,\"code\":\"rate_limit_exceeded\"}}",
     "", "llm.throttled", ERR_RETRY_LATER, LLM_OTHER},
    {"throttled-ms", "429 Too Many Requests", "retry-after-ms: 1500\r\nRetry-After: 3\r\n", "", "",
     "llm.throttled", ERR_RETRY_LATER, LLM_OTHER},
    {"throttled-no-ms", "429 Too Many Requests", "Retry-After: 3\r\nretry-after-ms: soon\r\n", "",
     "", "llm.throttled", ERR_RETRY_LATER, LLM_OTHER},
    {"no-money", "429 Too Many Requests", "",
     "{\"error\":{\"type\":\"insufficient_quota\",\"code\":"
     "\"credit_balance_exhausted\"}}",
     "", "llm.exhausted", ERR_FALL_BACK, LLM_OTHER},
    {"payment", "402 Payment Required", "Retry-After: 3600\r\n", "", "", "llm.exhausted",
     ERR_FALL_BACK, LLM_OTHER},
    {"key", "401 Unauthorized", "", "no json", "", "llm.config", ERR_FALL_BACK, LLM_OTHER},
    {"xai-key", "400 Bad Request", "",
     "{\"code\":\"Client specified an invalid argument\",\"error\":"
     "\"Incorrect API key provided\"}",
     "", "llm.config", ERR_FALL_BACK, LLM_OTHER},
    {"no-model", "404 Not Found", "", "{\"error\":{\"code\":\"model_not_found\"}}", "",
     "llm.config", ERR_FALL_BACK, LLM_OTHER},
    {"window", "400 Bad Request", "", "{\"error\":{\"code\":\"context_length_exceeded\"}}", "",
     "llm.too_long", ERR_FALL_BACK, LLM_OTHER},
    {"proxy-window", "413 Too Large", "", "<html>413 Request Entity Too Large</html>", "",
     "llm.too_long", ERR_FALL_BACK, LLM_OTHER},
    {"llama-window", "400 Bad Request", "",
     "{\"error\":{\"code\":400,\"type\":\"exceed_context_size_error\"}}", "", "llm.too_long",
     ERR_FALL_BACK, LLM_OTHER},
    {"vllm-window", "400 Bad Request", "",
     "{\"object\":\"error\",\"message\":\"This model's maximum context "
     "length is 4096 tokens\",\"type\":\"BadRequestError\"}",
     "", "llm.too_long", ERR_FALL_BACK, LLM_OTHER},
    {"policy", "400 Bad Request", "", "{\"error\":{\"code\":\"content_policy_violation\"}}", "",
     "llm.filtered", ERR_PERMANENT, LLM_OTHER},
    {"ours", "400 Bad Request", "", "{\"error\":{\"type\":\"invalid_request_error\"}}", "",
     "llm.bad_request", ERR_FALL_BACK, LLM_OTHER},
    {"ours422", "422 Unprocessable", "", "{\"detail\":[{\"msg\":\"a wrong type\"}]}", "",
     "llm.bad_request", ERR_FALL_BACK, LLM_OTHER},
    {"field", "422 Unprocessable", "",
     "{\"error\":{\"message\":\"Unrecognized request argument supplied: x\","
     "\"type\":\"invalid_request_error\",\"param\":null,\"code\":null}}",
     "", "llm.config", ERR_FALL_BACK, LLM_OTHER},
    {"no-tools", "400 Bad Request", "",
     "{\"error\":{\"message\":\"library/small does not support tools\",\"type\":\"api\"}}", "",
     "llm.config", ERR_FALL_BACK, LLM_OTHER},
    {"overloaded", "503 Service Unavailable", "", "", "", "llm.unavailable", ERR_RETRY_LATER,
     LLM_OTHER},
    {"overloaded529", "529 Overloaded", "", "", "", "llm.unavailable", ERR_RETRY_LATER, LLM_OTHER},
    {"moved", "301 Moved", "Location: /elsewhere\r\n", "", "", "llm.config", ERR_FALL_BACK,
     LLM_OTHER},
};

static void wait_for_client(int fd)
{
    char byte;
    while (recv(fd, &byte, 1, 0) > 0)
        ;
}

static bool answer_slowly(int fd, const char *name)
{
    fake_send(fd, "HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n");
    if (strncmp(name, "stalls", 6) == 0)
        fake_send(fd, "4\r\n: x\n\r\n");
    if (strncmp(name, "keeps-open", 10) == 0) {
        char chunk[400];
        const char *body = TEXT("x") FINISH("stop") DONE;
        snprintf(chunk, sizeof chunk, "%zx\r\n%s\r\n", strlen(body), body);
        fake_send(fd, chunk);
    }
    if (strncmp(name, "dies", 4) == 0) {
        char chunk[400];
        snprintf(chunk, sizeof chunk, "%zx\r\n%s\r\n", strlen(TEXT("half")), TEXT("half"));
        fake_send(fd, chunk);
        return false;
    }
    wait_for_client(fd);
    return false;
}

static void test_scripts(void)
{
    play_scripts(LLM_CHAT);
}

static void test_facts(void)
{
    struct outcome usual = {0}, throttled = {0};
    start(&usual, "usual", (struct llm_request){.temperature = -1});
    run();
    CU_ASSERT_EQUAL(usual.tokens_in, 12);
    CU_ASSERT_EQUAL(usual.tokens_out, 3);
    CU_ASSERT_EQUAL(usual.tokens_cached, 4);
    CU_ASSERT_EQUAL(usual.tokens_written, 5);
    CU_ASSERT_STRING_EQUAL(usual.model, "m-1");
    CU_ASSERT(usual.first_token_us > 0);
    CU_ASSERT_EQUAL(usual.status, 200);
    start(&throttled, "throttled", (struct llm_request){.temperature = -1});
    run();
    CU_ASSERT_EQUAL(throttled.retry_after_ms, 3000);
    CU_ASSERT_EQUAL(throttled.provider_status, 429);
    CU_ASSERT_EQUAL(throttled.tokens_in, -1);
    CU_ASSERT_EQUAL(throttled.tokens_written, -1);
    CU_ASSERT_EQUAL(throttled.first_token_us, -1);
}

/* To the millisecond where the vendor says so, and also of an account without credit. */
static void test_times_to_wait(void)
{
    static const struct {
        const char *name;
        int64_t ms;
    } cases[] = {{"throttled", 3000},  {"throttled-ms", 1500}, {"throttled-no-ms", 3000},
                 {"payment", 3600000}, {"no-money", 0},        {"key", 0}};
    for (size_t i = 0; i < sizeof cases / sizeof *cases; i++) {
        struct outcome o = {0};
        start(&o, cases[i].name, (struct llm_request){.temperature = -1});
        run();
        CU_ASSERT_EQUAL(o.retry_after_ms, cases[i].ms);
    }
}

static void check_body(struct json *body, bool newer)
{
    CU_ASSERT_STRING_EQUAL(json_member_text(body, "model"), "m-1");
    CU_ASSERT_TRUE(json_member_bool(body, "stream", false));
    CU_ASSERT_EQUAL(json_member_bool(json_member(body, "stream_options"), "include_usage", false),
                    !newer);
    const struct json *message = json_first(json_member(body, "messages"));
    CU_ASSERT_STRING_EQUAL(json_member_text(message, "role"), "system");
    CU_ASSERT_STRING_EQUAL(json_member_text(message, "content"), "You are \"kind\".");
    CU_ASSERT_PTR_NULL(json_member(message, "reasoning_content"));
    message = json_next(json_next(message));
    CU_ASSERT_STRING_EQUAL(json_member_text(message, "role"), "assistant");
    CU_ASSERT_EQUAL(json_member(message, "reasoning_content") != NULL, newer);
    CU_ASSERT_PTR_NULL(json_next(message));
    int64_t limit = 0;
    CU_ASSERT_TRUE(
        json_member_int(body, newer ? "max_completion_tokens" : "max_tokens", 0, 1000, &limit));
    CU_ASSERT_EQUAL(limit, 99);
    CU_ASSERT_PTR_NULL(json_member(body, newer ? "max_tokens" : "max_completion_tokens"));
}

static void test_request(void)
{
    struct secret *key = secret_new("sk-test", 7);
    for (int newer = 0; newer < 2; newer++) {
        struct outcome o = {0};
        start(&o, "usual",
              (struct llm_request){.key = key,
                                   .temperature = 0.5,
                                   .max_tokens = 99,
                                   .max_completion_tokens = newer == 1,
                                   .echo_reasoning = newer == 1,
                                   .no_stream_usage = newer == 1});
        run();
        char *head = fake_last_head(server);
        CU_ASSERT_PTR_NOT_NULL(strstr(head, "POST /usual/chat/completions HTTP/1.1\r\n"));
        CU_ASSERT_PTR_NOT_NULL(strstr(head, "Authorization: Bearer sk-test\r\n"));
        CU_ASSERT_PTR_NOT_NULL(strstr(head, "Content-Type: application/json\r\n"));
        free(head);
        struct json *body = last_body();
        check_body(body, newer == 1);
        CU_ASSERT_EQUAL(json_number(json_member(body, "temperature")), 0.5);
        json_free(&body);
    }
    secret_free(&key);
}

static void test_slow(void)
{
    struct outcome hangs = {0}, stalls = {0}, dies = {0}, open = {0}, total = {0};
    start(&hangs, "hangs", (struct llm_request){.first_token_ms = 60});
    start(&stalls, "stalls", (struct llm_request){.first_token_ms = 15000, .idle_ms = 60});
    start(&dies, "dies", (struct llm_request){.first_token_ms = 15000});
    start(&open, "keeps-open", (struct llm_request){.first_token_ms = 15000});
    start(&total, "stalls", (struct llm_request){.first_token_ms = 15000, .total_ms = 80});
    run();
    CU_ASSERT_STRING_EQUAL(hangs.code, "llm.first_token");
    CU_ASSERT_TRUE(dies.sent && open.sent);
    CU_ASSERT_EQUAL(hangs.class, ERR_RETRY_LATER);
    CU_ASSERT_STRING_EQUAL(stalls.code, "http.timeout");
    CU_ASSERT_STRING_EQUAL(dies.code, "llm.truncated");
    CU_ASSERT_STRING_EQUAL(dies.text, "half");
    CU_ASSERT_STRING_EQUAL(open.code, ""); /* done is done, the connection's end is not awaited */
    CU_ASSERT_STRING_EQUAL(open.text, "x");
    CU_ASSERT_STRING_EQUAL(total.code, "http.timeout");
}

static void test_unreachable(void)
{
    struct outcome o = {0}, url = {0};
    struct llm_message message = {.role = LLM_USER, .text = "x"};
    struct llm_callbacks callbacks = {.on_done = on_done, .arg = &o};
    struct llm_request request = {
        .base_url = "http://127.0.0.1:1", .model = "m", .messages = &message, .message_count = 1};
    waiting = 2;
    llm_start(llm, &request, &callbacks);
    request.base_url = "ftp://127.0.0.1/";
    callbacks.arg = &url;
    llm_start(llm, &request, &callbacks);
    run();
    CU_ASSERT_STRING_EQUAL(o.code, "http.connect");
    CU_ASSERT_FALSE(o.sent);
    CU_ASSERT_EQUAL(o.class, ERR_RETRY_LATER);
    CU_ASSERT_STRING_EQUAL(url.code, "llm.config");
    CU_ASSERT_EQUAL(url.class, ERR_FALL_BACK);
}

static void test_cancel(void)
{
    struct outcome inside = {.cancel_on_text = true}, outside = {0}, other = {0},
                   whole = {.cancel_on_text = true}, first = {.cancel_on_first = true},
                   whole_first = {.cancel_on_first = true};
    start(&inside, "usual", (struct llm_request){0});
    start(&outside, "hangs", (struct llm_request){0});
    start(&whole, "unstreamed", (struct llm_request){0});
    start(&first, "usual", (struct llm_request){0});
    start(&whole_first, "unstreamed", (struct llm_request){0});
    start(&other, "usual", (struct llm_request){0});
    llm_cancel(llm, outside.call);
    waiting--;
    run();
    CU_ASSERT_FALSE(inside.done || outside.done || whole.done);
    CU_ASSERT_STRING_EQUAL(inside.streamed, "Hel");
    CU_ASSERT_FALSE(first.done || whole_first.done);
    CU_ASSERT_STRING_EQUAL(first.streamed, "");
    CU_ASSERT_EQUAL(first.firsts + whole_first.firsts, 2);
    CU_ASSERT_STRING_EQUAL(other.text, "Hello");
}

static void test_free_in_flight(void)
{
    struct outcome left = {0};
    start(&left, "hangs", (struct llm_request){0});
    llm_free(&llm);
    CU_ASSERT_PTR_NULL(llm);
    CU_ASSERT_FALSE(left.done);
    waiting = 0;
    llm = llm_new(loop);
}

int main(void)
{
    script_list = scripts;
    script_count = sizeof scripts / sizeof *scripts;
    serve_slow = answer_slowly;
    CU_initialize_registry();
    CU_pSuite suite = CU_add_suite("llm", set_up, tear_down);
    CU_add_test(suite, "every script", test_scripts);
    CU_add_test(suite, "tokens, model, retry-after", test_facts);
    CU_add_test(suite, "times to wait", test_times_to_wait);
    CU_add_test(suite, "the request", test_request);
    CU_add_test(suite, "slow and broken streams", test_slow);
    CU_add_test(suite, "unreachable", test_unreachable);
    CU_add_test(suite, "cancel", test_cancel);
    CU_add_test(suite, "free with a call in flight", test_free_in_flight);
    return run_tests();
}
