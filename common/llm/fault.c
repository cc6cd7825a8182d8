/* Failures of model providers as data: their words and statuses, and what to do about each
 * (docs/MODELS.md, "Failures"). Words count before statuses, because a 429 can mean "too fast" as
 * well as "no money". llm.c calls it for whole error answers, chat.c for errors inside streams. */
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <strings.h>

#include "llm/llm_inside.h"

#define RETRY_MS_MAX 86400000

struct verdict {
    enum err_class class;
    const char *code, *message;
};

enum { TOO_LONG, EXHAUSTED, FILTERED, THROTTLED, CONFIG, TRANSIENT, OURS };
static const struct verdict verdicts[] = {
    [TOO_LONG] = {ERR_FALL_BACK, "llm.too_long", "the prompt does not fit the model's window"},
    [EXHAUSTED] = {ERR_FALL_BACK, "llm.exhausted", "the account's credit or quota is used up"},
    [FILTERED] = {ERR_PERMANENT, "llm.filtered", "the provider's filter refused the prompt"},
    [THROTTLED] = {ERR_RETRY_LATER, "llm.throttled", "the provider asks for fewer requests"},
    [CONFIG] = {ERR_FALL_BACK, "llm.config",
                "key, model, base URL or a parameter is not accepted: check the assistant's model"},
    [TRANSIENT] = {ERR_RETRY_LATER, "llm.unavailable", "the provider is failing or overloaded"},
    /* Nothing in it tells whether another vendor would refuse it too: each gets a request of its
     * own making, and what one does not know the next one may. */
    [OURS] = {ERR_FALL_BACK, "llm.bad_request", "the provider calls the request malformed"},
};

/* error.code, error.type (Gemini: error.status) or a detail's word, exactly. */
static const struct {
    const char *word;
    int verdict;
} words[] = {
    {"context_length_exceeded", TOO_LONG},
    {"exceed_context_size_error", TOO_LONG},
    {"token_limit_exceeded", TOO_LONG},
    {"max_tokens_exceeded", TOO_LONG},
    {"request_too_large", TOO_LONG},
    {"credit_balance_exhausted", EXHAUSTED},
    {"organization_spend_limit_exceeded", EXHAUSTED},
    {"project_spend_limit_exceeded", EXHAUSTED},
    {"organization_usage_limit_exceeded", EXHAUSTED},
    {"insufficient_quota", EXHAUSTED},
    {"payment_required", EXHAUSTED},
    {"billing_error", EXHAUSTED},
    {"enforced_spend_limit_reached", EXHAUSTED},
    {LLM_QUOTA_PER_DAY, EXHAUSTED},
    {"content_policy_violation", FILTERED},
    {"content_filter", FILTERED},
    {"invalid_prompt", FILTERED},
    {"refusal", FILTERED},
    {"slow_down", THROTTLED},
    {"rate_limit_exceeded", THROTTLED},
    {"rate_limit_error", THROTTLED},
    {"capacity_exceeded", THROTTLED},
    {"invalid_api_key", CONFIG},
    {"authentication_error", CONFIG},
    {"permission_error", CONFIG},
    {"API_KEY_INVALID", CONFIG},
    {"FAILED_PRECONDITION", CONFIG}, /* Gemini: not in this region, or no billing */
    {"not_found_error", CONFIG},
    {"model_not_found", CONFIG},
    {"unsupported_parameter", CONFIG},
    {"unsupported_value", CONFIG},
    {"unknown_parameter", CONFIG},
    {"server_is_overloaded", TRANSIENT},
    {"service_unavailable_error", TRANSIENT},
    {"server_error", TRANSIENT},
    {"provider_overloaded", TRANSIENT},
    {"provider_unavailable", TRANSIENT},
    {"overloaded_error", TRANSIENT},
    {"timeout", TRANSIENT},
    {"timeout_error", TRANSIENT},
    {"api_error", TRANSIENT},
};

/* Parts of the message of a 400, 413 or 422 whose words say nothing; the first one counts. */
static const struct {
    const char *part;
    int verdict;
} parts[] = {
    {"string_above_max_length", OURS},
    {"invalid 'user'", OURS},
    {"maximum context length", TOO_LONG},
    {"input tokens exceed", TOO_LONG},
    {"exceed context limit", TOO_LONG},
    {"maximum context limit", TOO_LONG},
    {"exceeds the available context size", TOO_LONG},
    {"longer than the model's context length", TOO_LONG},
    {"exceeds the maximum number of tokens", TOO_LONG},
    {"`max_new_tokens` must be", TOO_LONG},
    {"prompt is too long", TOO_LONG},
    {"while limit is", TOO_LONG},  /* "current length is ... while limit is ..." */
    {"incorrect api key", CONFIG}, /* xAI answers 400 for a wrong key */
    {"unsupported parameter", CONFIG},
    {"unrecognized request argument", CONFIG},  /* OpenAI's endpoints and those that copy them */
    {"extra inputs are not permitted", CONFIG}, /* Anthropic, vLLM */
    {"cannot find field", CONFIG},              /* Gemini */
    {"does not support tools", CONFIG},         /* Ollama: the model was not made for them */
    {"--enable-auto-tool-choice", CONFIG},      /* vLLM was started without them */
};

static const struct {
    int from, to, verdict;
} statuses[] = {
    {402, 402, EXHAUSTED}, {413, 413, TOO_LONG}, {429, 429, THROTTLED}, {498, 498, THROTTLED},
    {401, 401, CONFIG},    {403, 404, CONFIG},   {405, 405, CONFIG},    {408, 409, TRANSIENT},
    {500, 599, TRANSIENT}, {400, 499, OURS},     {300, 399, CONFIG},
};

static int by_word(const char *word)
{
    for (size_t i = 0; word[0] != '\0' && i < sizeof words / sizeof *words; i++)
        if (strcmp(words[i].word, word) == 0)
            return words[i].verdict;
    return -1;
}

static int by_message(const struct llm_fault *fault)
{
    if (fault->message == NULL ||
        (fault->status != 400 && fault->status != 413 && fault->status != 422))
        return -1;
    for (size_t i = 0; i < sizeof parts / sizeof *parts; i++)
        if (strcasestr(fault->message, parts[i].part) != NULL ||
            strcmp(fault->code, parts[i].part) == 0)
            return parts[i].verdict;
    return -1;
}

static int by_status(int status)
{
    for (size_t i = 0; i < sizeof statuses / sizeof *statuses; i++)
        if (status >= statuses[i].from && status <= statuses[i].to)
            return statuses[i].verdict;
    return TRANSIENT; /* an error in a 200 stream that names nothing */
}

int llm_classify(const struct llm_fault *fault, struct err *err)
{
    int verdict = by_word(fault->code);
    if (verdict < 0)
        verdict = by_word(fault->type);
    if (verdict < 0)
        verdict = by_message(fault);
    if (verdict < 0)
        verdict = by_status(fault->status);
    const struct verdict *v = &verdicts[verdict];
    err_set(err, v->class, v->code, "%s (HTTP %d, code \"%s\", type \"%s\")", v->message,
            fault->status, fault->code, fault->type);
    if (err != NULL) {
        err->provider_status = fault->status;
        const bool passes = v->class == ERR_RETRY_LATER || verdict == EXHAUSTED;
        err->retry_after_ms = passes ? fault->retry_after_ms : 0;
    }
    return -1;
}

static const struct {
    const char *code;
    enum llm_health health;
} healths[] = {
    {"llm.config", LLM_SHUT},         {"llm.exhausted", LLM_SHUT},
    {"llm.too_long", LLM_HEALTHY},    {"llm.too_long_answer", LLM_HEALTHY},
    {"llm.bad_request", LLM_HEALTHY}, {"llm.filtered", LLM_HEALTHY},
};

enum llm_health llm_health(const struct err *err)
{
    for (size_t i = 0; i < sizeof healths / sizeof *healths; i++)
        if (strcmp(healths[i].code, err->code) == 0)
            return healths[i].health;
    return LLM_TROUBLED;
}

/* OpenRouter's moderation and guardrails tell beside a 403 what they flagged; beside one of a key
 * that may not ask there is nothing of the kind. */
static bool is_flagged(const struct json *metadata)
{
    static const char *const told[] = {"reasons", "flagged_input", "patterns"};
    for (size_t i = 0; i < sizeof told / sizeof *told; i++)
        if (json_member(metadata, told[i]) != NULL)
            return true;
    return false;
}

/* Keeps a provider's word only if it is one: it goes into logs and rows. */
static void copy_word(char out[LLM_NAME_MAX], const char *word)
{
    size_t length = word != NULL ? strlen(word) : 0;
    static const char allowed[] =
        "abcdefghijklmnopqrstuvwxyzABCDEFGHIJKLMNOPQRSTUVWXYZ0123456789_.-";
    if (length > 0 && length < LLM_NAME_MAX && strspn(word, allowed) == length)
        memcpy(out, word, length + 1);
}

/* "34.07s" or "900ms". */
static int64_t read_duration(const char *text)
{
    char *end = NULL;
    double ms = text != NULL ? strtod(text, &end) : 0;
    if (end == NULL || end == text)
        return 0;
    if (strcmp(end, "s") == 0)
        ms *= 1000;
    else if (strcmp(end, "ms") != 0)
        return 0;
    return ms > 0 && ms < RETRY_MS_MAX ? (int64_t)ms : 0;
}

static bool is_of_a_day(const struct json *violation)
{
    const char *quota = json_member_text(violation, "quotaId");
    return quota != NULL && (strstr(quota, "PerDay") != NULL || strstr(quota, "Daily") != NULL);
}

static bool is_day_quota(const struct json *detail)
{
    const struct json *violations = json_member(detail, "violations");
    if (violations != NULL && json_type(violations) == JSON_ARRAY)
        for (const struct json *v = json_first(violations); v != NULL; v = json_next(v))
            if (is_of_a_day(v))
                return true;
    return false;
}

/* Google's details: an array of typed objects. A day's quota stands above the time to wait that
 * comes with it. */
static void read_details(const struct json *details, struct llm_fault *fault)
{
    copy_word(fault->code, json_member_text(details, "error_code")); /* Anthropic's is one object */
    if (details == NULL || json_type(details) != JSON_ARRAY)
        return;
    int64_t wait_ms = 0;
    bool of_a_day = false;
    for (const struct json *detail = json_first(details); detail != NULL;
         detail = json_next(detail)) {
        int64_t detail_ms = read_duration(json_member_text(detail, "retryDelay"));
        wait_ms = detail_ms > 0 ? detail_ms : wait_ms;
        of_a_day |= is_day_quota(detail);
        copy_word(fault->code, json_member_text(detail, "reason"));
    }
    if (of_a_day)
        copy_word(fault->code, LLM_QUOTA_PER_DAY);
    else if (wait_ms > 0)
        fault->retry_after_ms = wait_ms;
}

bool llm_fault_read(const struct json *document, struct llm_fault *fault)
{
    if (document != NULL && json_type(document) == JSON_ARRAY)
        document = json_first(document);
    const struct json *error = json_member(document, "error");
    const char *object = json_member_text(document, "object");
    bool flat = object != NULL && strcmp(object, "error") == 0;
    if (error == NULL && !flat)
        return false;
    const struct json *from =
        json_type(document) == JSON_OBJECT && error != NULL && json_type(error) == JSON_OBJECT
            ? error
            : document;
    int64_t status;
    copy_word(fault->code, json_member_text(from, "code"));
    copy_word(fault->type, json_member_text(from, "type"));
    copy_word(fault->type, json_member_text(from, "status"));
    read_details(json_member(from, "details"), fault);
    const struct json *metadata = json_member(from, "metadata");
    const char *kind = json_member_text(metadata, "error_type");
    if (kind != NULL)
        copy_word(fault->type, kind);
    /* OpenRouter and llama.cpp give the HTTP status as the code */
    if (json_member_int(from, "code", 400, 599, &status) && fault->status < 300)
        fault->status = (int)status;
    if (fault->status == 403 && is_flagged(metadata))
        copy_word(fault->code, "content_policy_violation");
    fault->message =
        from == document && !flat ? json_text(error) : json_member_text(from, "message");
    return true;
}
