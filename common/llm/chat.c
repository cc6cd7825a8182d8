/* The Chat Completions dialect: writing a request, and reading chunks of its stream (or a whole
 * answer from a server that does not stream). Vendors differ in what they leave out, so absent,
 * null and empty mean the same everywhere; reasoning is recognised only as a sign of life and never
 * becomes text. answer.c calls it. */
#include <string.h>

#include "llm/llm_inside.h"

/* ---- request ---- */

static const char *const roles[] = {
    [LLM_SYSTEM] = "system", [LLM_USER] = "user", [LLM_ASSISTANT] = "assistant"};

static void write_path(const struct llm_request *request, struct strbuf *url)
{
    (void)request;
    strbuf_add_text(url, "/chat/completions");
}

static void write_members(const struct llm_request *request, const struct json *extra,
                          struct json_writer *w)
{
    (void)extra;
    json_add_text(w, "model", request->model);
    json_open_array(w, "messages");
    for (size_t i = 0; i < request->message_count; i++) {
        json_open_object(w, NULL);
        json_add_text(w, "role", roles[request->messages[i].role]);
        json_add_text(w, "content", request->messages[i].text);
        if (request->echo_reasoning && request->messages[i].role == LLM_ASSISTANT)
            json_add_text(w, "reasoning_content", ""); /* we keep none */
        json_close_object(w);
    }
    json_close_array(w);
    if (request->temperature >= 0)
        json_add_double(w, "temperature", request->temperature);
    if (request->max_tokens > 0)
        json_add_int(w, request->max_completion_tokens ? "max_completion_tokens" : "max_tokens",
                     request->max_tokens);
    json_add_bool(w, "stream", true);
    if (request->no_stream_usage)
        return;
    json_open_object(w, "stream_options");
    json_add_bool(w, "include_usage", true);
    json_close_object(w);
}

/* ---- answer ---- */

static const struct llm_finish_word finishes[] = {
    {"stop", LLM_STOP, FINISH_PLAIN},
    {"eos", LLM_STOP, FINISH_PLAIN}, /* Together */
    {"length", LLM_LENGTH, FINISH_PLAIN},
    {"tool_calls", LLM_TOOL_CALLS, FINISH_PLAIN},
    {"function_call", LLM_TOOL_CALLS, FINISH_PLAIN},
    {"content_filter", LLM_FILTERED, FINISH_PLAIN},
    {"model_length", LLM_OTHER, FINISH_TOO_LONG},               /* Mistral */
    {"error", LLM_OTHER, FINISH_BROKEN},                        /* OpenRouter, Mistral */
    {"insufficient_system_resource", LLM_OTHER, FINISH_BROKEN}, /* DeepSeek */
};

static bool is_text_part(const struct json *part)
{
    const char *type = json_member_text(part, "type");
    return type == NULL || strcmp(type, "text") == 0;
}

/* Content is a text, null, or (Mistral) an array of typed parts of which "text" ones count. */
static int take_content(struct llm_answer *answer, const struct json *content, struct err *err)
{
    int result = llm_answer_add_text(answer, json_text(content), err);
    if (content == NULL || json_type(content) != JSON_ARRAY)
        return result;
    for (const struct json *part = json_first(content); part != NULL && result == 0;
         part = json_next(part))
        if (is_text_part(part))
            result = llm_answer_add_text(answer, json_member_text(part, "text"), err);
    return result;
}

static const char *const reasoning[] = {"reasoning", "reasoning_content", "reasoning_details",
                                        "thinking"};

static int take_choice(struct llm_answer *answer, const struct json *choice, struct err *err)
{
    const struct json *delta = json_member(choice, "delta");
    if (delta == NULL)
        delta = json_member(choice, "message");
    const char *refusal = json_member_text(delta, "refusal");
    answer->refused |= refusal != NULL && refusal[0] != '\0';
    answer->tools |= json_first(json_member(delta, "tool_calls")) != NULL ||
                     json_member(delta, "function_call") != NULL;
    for (size_t i = 0; i < sizeof reasoning / sizeof *reasoning; i++)
        answer->alive |= json_member(delta, reasoning[i]) != NULL;
    if (take_content(answer, json_member(delta, "content"), err) != 0)
        return -1;
    return llm_answer_finish(answer, finishes, sizeof finishes / sizeof *finishes,
                             json_member_text(choice, "finish_reason"), err);
}

static void take_usage(struct llm_answer *answer, const struct json *usage)
{
    const struct json *details = json_member(usage, "prompt_tokens_details");
    json_member_int(usage, "prompt_tokens", 0, INT64_MAX / 2, &answer->tokens_in);
    json_member_int(usage, "completion_tokens", 0, INT64_MAX / 2, &answer->tokens_out);
    if (!json_member_int(details, "cached_tokens", 0, INT64_MAX / 2, &answer->tokens_cached))
        json_member_int(usage, "prompt_cache_hit_tokens", 0, INT64_MAX / 2, /* DeepSeek */
                        &answer->tokens_cached);
}

static int take(struct llm_answer *answer, const struct json *document, struct err *err)
{
    const struct json *groq = json_member(document, "x_groq");
    const struct json *choices = json_member(document, "choices");
    const struct json *choice =
        choices != NULL && json_type(choices) == JSON_ARRAY ? json_first(choices) : NULL;
    struct llm_fault fault = {.status = 200};
    if (llm_fault_read(groq, &fault) || llm_fault_read(choice, &fault))
        return llm_classify(&fault, err);
    if (choices == NULL && json_member(document, "usage") == NULL)
        return 0; /* some other event: vendors add their own */
    answer->recognised = true;
    llm_answer_keep(answer->model, json_member_text(document, "model"));
    llm_answer_keep(answer->request_id, json_member_text(document, "id"));
    take_usage(answer, json_member(groq, "usage"));
    take_usage(answer, json_member(document, "usage"));
    int64_t index = 0;
    json_member_int(choice, "index", 0, INT32_MAX, &index);
    return choice != NULL && index == 0 ? take_choice(answer, choice, err) : 0;
}

const struct llm_wire llm_wire_chat = {
    .name = "openai", .write_path = write_path, .write_members = write_members, .take = take};
