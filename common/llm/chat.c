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

static void write_tools(const struct llm_request *request, struct json_writer *w)
{
    if (request->tool_count == 0)
        return;
    json_open_array(w, "tools");
    for (size_t i = 0; i < request->tool_count; i++) {
        json_open_object(w, NULL);
        json_add_text(w, "type", "function");
        json_open_object(w, "function");
        json_add_text(w, "name", request->tools[i].name);
        llm_tool_describe(&request->tools[i], w);
        json_add_raw(w, "parameters", llm_tool_parameters(&request->tools[i]));
        json_close_object(w);
        json_close_object(w);
    }
    json_close_array(w);
}

static void write_call(const struct llm_asked *asked, struct json_writer *w)
{
    json_open_object(w, NULL);
    json_add_text(w, "id", asked->id);
    json_add_text(w, "type", "function");
    json_open_object(w, "function");
    json_add_text(w, "name", asked->name);
    json_add_text(w, "arguments", asked->arguments);
    json_close_object(w);
    json_close_object(w);
}

static void write_result(const struct llm_asked *asked, struct json_writer *w)
{
    json_open_object(w, NULL);
    json_add_text(w, "role", "tool");
    json_add_text(w, "tool_call_id", asked->id);
    json_add_text(w, "content", asked->result);
    json_close_object(w);
}

/* One message, with its calls but without what came back; `before` calls stand in front of it. */
static void write_message(const struct llm_request *request, size_t at, size_t before,
                          struct json_writer *w)
{
    const struct llm_message *message = &request->messages[at];
    size_t calls = message->role == LLM_ASSISTANT ? message->call_count : 0;
    bool wordless = calls > 0 && llm_is_blank(message->text);
    struct llm_asked asked;
    json_open_object(w, NULL);
    json_add_text(w, "role", roles[message->role]);
    json_add_text(w, "content", wordless ? NULL : message->text);
    if (request->echo_reasoning && message->role == LLM_ASSISTANT)
        json_add_text(w, "reasoning_content", ""); /* we keep none */
    if (calls > 0)
        json_open_array(w, "tool_calls");
    for (size_t i = 0; i < calls; i++) {
        llm_asked_fill(request, at, i, before, &asked);
        write_call(&asked, w);
    }
    if (calls > 0)
        json_close_array(w);
    json_close_object(w);
}

static void write_messages(const struct llm_request *request, struct json_writer *w)
{
    size_t before = 0;
    struct llm_asked asked;
    json_open_array(w, "messages");
    for (size_t at = 0; at < request->message_count; at++) {
        const struct llm_message *message = &request->messages[at];
        if (message->role == LLM_TOOL)
            continue; /* written with its call */
        write_message(request, at, before, w);
        size_t calls = message->role == LLM_ASSISTANT ? message->call_count : 0;
        for (size_t i = 0; i < calls; i++) {
            llm_asked_fill(request, at, i, before, &asked);
            write_result(&asked, w);
        }
        before += calls;
    }
    json_close_array(w);
}

static void write_members(const struct llm_request *request, const struct json *extra,
                          struct json_writer *w)
{
    (void)extra;
    json_add_text(w, "model", request->model);
    write_tools(request, w);
    write_messages(request, w);
    if (request->tool_count > 0 && request->no_more_tools)
        json_add_text(w, "tool_choice", "none");
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

/* Arguments are a text; a value in their place is kept as its JSON. */
static int take_calls(struct llm_answer *answer, const struct json *calls, struct err *err)
{
    if (calls == NULL || json_type(calls) != JSON_ARRAY)
        return 0;
    for (const struct json *call = json_first(calls); call != NULL; call = json_next(call)) {
        const struct json *function = json_member(call, "function");
        const struct json *arguments = json_member(function, "arguments");
        struct llm_piece piece = {.index = llm_piece_index(call),
                                  .id = json_member_text(call, "id"),
                                  .name = json_member_text(function, "name"),
                                  .arguments = json_text(arguments),
                                  .value = json_text(arguments) == NULL ? arguments : NULL};
        if (llm_calls_take(answer, &piece, err) != 0)
            return -1;
    }
    return 0;
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
    if (take_content(answer, json_member(delta, "content"), err) != 0 ||
        take_calls(answer, json_member(delta, "tool_calls"), err) != 0)
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
    json_member_int(details, "cache_write_tokens", 0, INT64_MAX / 2, &answer->tokens_written);
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
