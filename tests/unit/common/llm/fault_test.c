/* What each vendor's error body means for the turn: class and code by its words, then by parts of
 * its message, then by the status (docs/MODELS.md, "Failures"). */
#include "llm/llm_inside.h"

#include <CUnit/Basic.h>
#include <CUnit/CUnit.h>
#include <stdio.h>
#include <string.h>

struct fault_case {
    int status;
    const char *body; /* "": none that can be read */
    const char *code;
    int64_t retry_after_ms;
};

#define CODE(word)       "{\"error\":{\"code\":\"" word "\"}}"
#define TYPE(word)       "{\"error\":{\"type\":\"" word "\"}}"
#define MESSAGE(text)    "{\"error\":{\"message\":\"" text "\",\"type\":\"invalid_request_error\"}}"
#define GEMINI(word)     "{\"error\":{\"code\":400,\"status\":\"" word "\",\"message\":\"m\"}}"
#define OPENROUTER(word) "{\"error\":{\"code\":400,\"metadata\":{\"error_type\":\"" word "\"}}}"
#define REASON(word)     "{\"error\":{\"details\":[{\"reason\":\"" word "\"}]}}"
#define REFUSED(members) "{\"error\":{\"code\":403,\"message\":\"m\",\"metadata\":{" members "}}}"
#define QUOTA(id, rest)                                                                            \
    "{\"error\":{\"status\":\"RESOURCE_EXHAUSTED\",\"details\":[{\"violations\":[{"                \
    "\"quotaId\":\"" id "\"}]}" rest "]}}"

static const struct fault_case words[] = {
    /* too long */
    {400, CODE("context_length_exceeded"), "llm.too_long", 0},
    {400, OPENROUTER("context_length_exceeded"), "llm.too_long", 0},
    {400, OPENROUTER("token_limit_exceeded"), "llm.too_long", 0},
    {400, CODE("max_tokens_exceeded"), "llm.too_long", 0},
    {400, TYPE("exceed_context_size_error"), "llm.too_long", 0}, /* llama.cpp */
    {413, TYPE("request_too_large"), "llm.too_long", 0},         /* Anthropic */
    /* no money */
    {429, CODE("credit_balance_exhausted"), "llm.exhausted", 0},
    {429, CODE("organization_spend_limit_exceeded"), "llm.exhausted", 0},
    {429, CODE("project_spend_limit_exceeded"), "llm.exhausted", 0},
    {429, CODE("organization_usage_limit_exceeded"), "llm.exhausted", 0},
    {429, CODE("insufficient_quota"), "llm.exhausted", 0},
    {403, CODE("payment_required"), "llm.exhausted", 0},
    {400, TYPE("billing_error"), "llm.exhausted", 0},
    {429, CODE("enforced_spend_limit_reached"), "llm.exhausted", 0},
    {429, QUOTA("GenerateRequestsPerDayPerProject", ""), "llm.exhausted", 0},
    {429, QUOTA("GenerateContentDailyLimit", ",{\"retryDelay\":\"7s\"}"), "llm.exhausted", 0},
    /* a filter */
    {400, OPENROUTER("content_policy_violation"), "llm.filtered", 0},
    {400, CODE("content_filter"), "llm.filtered", 0}, /* Azure */
    {400, CODE("invalid_prompt"), "llm.filtered", 0},
    {403, OPENROUTER("refusal"), "llm.filtered", 0},
    /* OpenRouter's moderation and guardrails: what was flagged is told instead of a word */
    {403, REFUSED("\"reasons\":[\"violence\"]"), "llm.filtered", 0},
    {403, REFUSED("\"flagged_input\":\"x\",\"provider_name\":\"p\""), "llm.filtered", 0},
    {403, REFUSED("\"error_type\":\"permission_denied\",\"patterns\":[\"x\"]"), "llm.filtered", 0},
    {200, REFUSED("\"reasons\":[\"violence\"]"), "llm.filtered", 0},
    {403, REFUSED("\"error_type\":\"permission_denied\",\"reasons\":null"), "llm.config", 0},
    {402, REFUSED("\"reasons\":[\"credit\"]"), "llm.exhausted", 0},
    /* too fast: the word counts whatever the status */
    {429, CODE("slow_down"), "llm.throttled", 0},
    {503, CODE("slow_down"), "llm.throttled", 0},
    {429, CODE("rate_limit_exceeded"), "llm.throttled", 0},
    {429, TYPE("rate_limit_error"), "llm.throttled", 0},
    {400, CODE("capacity_exceeded"), "llm.throttled", 0},
    {498, CODE("capacity_exceeded"), "llm.throttled", 0}, /* Groq's flex tier */
    {429, QUOTA("RequestsPerMinute", ",{\"retryDelay\":\"1.5s\"}"), "llm.throttled", 1500},
    {429, QUOTA("RequestsPerMinute", ",{\"retryDelay\":\"900ms\"}"), "llm.throttled", 900},
    {429, QUOTA("RequestsPerMinute", ",{\"retryDelay\":\"86400000ms\"}"), "llm.throttled", 0},
    {429, QUOTA("RequestsPerMinute", ",{\"retryDelay\":\"15m\"}"), "llm.throttled", 0},
    {429, QUOTA("RequestsPerMinute", ",{\"retryDelay\":\"-1s\"}"), "llm.throttled", 0},
    /* key, model, parameters */
    {400, CODE("invalid_api_key"), "llm.config", 0},
    {400, TYPE("authentication_error"), "llm.config", 0},
    {400, TYPE("permission_error"), "llm.config", 0},
    {400, REASON("API_KEY_INVALID"), "llm.config", 0},
    {400, GEMINI("FAILED_PRECONDITION"), "llm.config", 0},
    {400, TYPE("not_found_error"), "llm.config", 0},
    {400, CODE("model_not_found"), "llm.config", 0},
    {400, CODE("unsupported_parameter"), "llm.config", 0},
    {400, CODE("unsupported_value"), "llm.config", 0},
    {400, CODE("unknown_parameter"), "llm.config", 0},
    /* failing for a while, with a status that says something else */
    {400, CODE("server_is_overloaded"), "llm.unavailable", 0},
    {400, TYPE("service_unavailable_error"), "llm.unavailable", 0},
    {400, TYPE("server_error"), "llm.unavailable", 0},
    {400, OPENROUTER("provider_overloaded"), "llm.unavailable", 0},
    {400, OPENROUTER("provider_unavailable"), "llm.unavailable", 0},
    {429, TYPE("overloaded_error"), "llm.unavailable", 0},
    {400, OPENROUTER("timeout"), "llm.unavailable", 0},
    {400, TYPE("timeout_error"), "llm.unavailable", 0},
    {400, TYPE("api_error"), "llm.unavailable", 0},
};

static const struct fault_case messages[] = {
    {400, MESSAGE("This model's maximum context length is 4096 tokens"), "llm.too_long", 0},
    {400, MESSAGE("Input tokens exceed the configured limit of 272000"), "llm.too_long", 0},
    {400, MESSAGE("input length and `max_tokens` exceed context limit"), "llm.too_long", 0},
    {400, MESSAGE("the model's maximum context limit"), "llm.too_long", 0},
    {400, MESSAGE("the request exceeds the available context size"), "llm.too_long", 0},
    {400, MESSAGE("is longer than the model's context length"), "llm.too_long", 0},
    {400, MESSAGE("exceeds the maximum number of tokens allowed (1048576)"), "llm.too_long", 0},
    {422, MESSAGE("`inputs` tokens + `max_new_tokens` must be <= 4097"), "llm.too_long", 0},
    {400, MESSAGE("prompt is too long: 210000 tokens > 200000 maximum"), "llm.too_long", 0},
    {413, MESSAGE("Prompt is too long"), "llm.too_long", 0},
    {400, MESSAGE("Current length is 8197 while limit is 8192"), "llm.too_long", 0},
    /* of one string, which no shorter past would mend */
    {400, MESSAGE("string_above_max_length: maximum context length"), "llm.bad_request", 0},
    {400, MESSAGE("Invalid 'user': maximum context length"), "llm.bad_request", 0},
    {400, CODE("string_above_max_length"), "llm.bad_request", 0},
    {400, "{\"code\":\"x\",\"error\":\"Incorrect API key provided: a***\"}", "llm.config", 0},
    {400, MESSAGE("Unsupported parameter: 'max_tokens'"), "llm.config", 0},
    {422, MESSAGE("Unrecognized request argument supplied: x"), "llm.config", 0},
    {400, MESSAGE("stream_options: Extra inputs are not permitted"), "llm.config", 0},
    {400, GEMINI("INVALID_ARGUMENT"), "llm.bad_request", 0},
    {400, MESSAGE("Unknown name x: Cannot find field."), "llm.config", 0},
    {400, MESSAGE("library/small does not support tools"), "llm.config", 0},
    {400,
     "{\"object\":\"error\",\"message\":\"auto tool choice requires --enable-auto-tool-choice\","
     "\"type\":\"BadRequestError\"}",
     "llm.config", 0},
    /* a sentence counts only where nothing else would be told by the status */
    {500, MESSAGE("prompt is too long"), "llm.unavailable", 0},
    {429, MESSAGE("does not support tools"), "llm.throttled", 0},
};

static const struct fault_case statuses[] = {
    {402, "", "llm.exhausted", 0},
    {413, "", "llm.too_long", 0},
    {429, "", "llm.throttled", 0},
    {498, "", "llm.throttled", 0},
    {401, "", "llm.config", 0},
    {403, "", "llm.config", 0},
    {404, "", "llm.config", 0},
    {405, "", "llm.config", 0},
    {408, "", "llm.unavailable", 0},
    {409, "", "llm.unavailable", 0},
    {500, "", "llm.unavailable", 0},
    {502, "", "llm.unavailable", 0},
    {503, "", "llm.unavailable", 0},
    {504, "", "llm.unavailable", 0},
    {524, "", "llm.unavailable", 0},
    {529, "", "llm.unavailable", 0},
    {400, "", "llm.bad_request", 0},
    {422, "", "llm.bad_request", 0},
    {301, "", "llm.config", 0},
    {307, "", "llm.config", 0},
    /* errors in a 200 stream: the code is a status, or says nothing */
    {200, "{\"error\":{\"code\":502}}", "llm.unavailable", 0},
    {200, "{\"error\":{\"code\":429}}", "llm.throttled", 0},
    {200, "{\"error\":{\"message\":\"m\"}}", "llm.unavailable", 0},
    /* words that nobody knows */
    {429, CODE("brand_new_word"), "llm.throttled", 0},
    {400, TYPE("brand new words; DROP"), "llm.bad_request", 0},
};

static const struct {
    const char *code;
    enum err_class class;
    enum llm_health health;
} verdicts[] = {
    {"llm.too_long", ERR_FALL_BACK, LLM_HEALTHY},
    {"llm.exhausted", ERR_FALL_BACK, LLM_SHUT},
    {"llm.filtered", ERR_PERMANENT, LLM_HEALTHY},
    {"llm.throttled", ERR_RETRY_LATER, LLM_TROUBLED},
    {"llm.config", ERR_FALL_BACK, LLM_SHUT},
    {"llm.unavailable", ERR_RETRY_LATER, LLM_TROUBLED},
    {"llm.bad_request", ERR_FALL_BACK, LLM_HEALTHY},
};

static void check(const struct fault_case *c)
{
    struct llm_fault fault = {.status = c->status};
    struct json *body = NULL;
    struct err err = {.code = ""};
    if (c->body[0] != '\0') {
        CU_ASSERT_EQUAL_FATAL(json_parse(c->body, strlen(c->body), &body, &err), 0);
        CU_ASSERT_TRUE(llm_fault_read(body, &fault));
    }
    CU_ASSERT_EQUAL(llm_classify(&fault, &err), -1);
    if (strcmp(err.code, c->code) != 0)
        printf("    %d %s: %s, not %s\n", c->status, c->body, err.code, c->code);
    CU_ASSERT_STRING_EQUAL(err.code, c->code);
    CU_ASSERT_EQUAL(err.retry_after_ms, c->retry_after_ms);
    for (size_t i = 0; i < sizeof verdicts / sizeof verdicts[0]; i++)
        if (strcmp(verdicts[i].code, err.code) == 0) {
            CU_ASSERT_EQUAL(err.class, verdicts[i].class);
            CU_ASSERT_EQUAL(llm_health(&err), verdicts[i].health);
        }
    json_free(&body);
}

#define CHECK_ALL(cases)                                                                           \
    for (size_t i = 0; i < sizeof(cases) / sizeof(cases)[0]; i++)                                  \
    check(&(cases)[i])

static void by_word(void)
{
    CHECK_ALL(words);
}

static void by_message(void)
{
    CHECK_ALL(messages);
}

static void by_status(void)
{
    CHECK_ALL(statuses);
}

/* What a vendor names goes into logs and rows: a word, or nothing. */
static void only_words_are_kept(void)
{
    static const char body[] = "{\"error\":{\"code\":\"a b\",\"type\":\"it was +15550001\"}}";
    struct llm_fault fault = {.status = 400};
    struct json *json = NULL;
    struct err err;
    CU_ASSERT_EQUAL_FATAL(json_parse(body, strlen(body), &json, &err), 0);
    CU_ASSERT_TRUE(llm_fault_read(json, &fault));
    CU_ASSERT_STRING_EQUAL(fault.code, "");
    CU_ASSERT_STRING_EQUAL(fault.type, "");
    json_free(&json);
}

int main(void)
{
    CU_initialize_registry();
    CU_pSuite suite = CU_add_suite("fault", NULL, NULL);
    CU_add_test(suite, "by word", by_word);
    CU_add_test(suite, "by message", by_message);
    CU_add_test(suite, "by status", by_status);
    CU_add_test(suite, "words alone", only_words_are_kept);
    CU_basic_run_tests();
    return CU_get_number_of_failures() != 0;
}
