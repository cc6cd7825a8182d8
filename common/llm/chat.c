/* The Chat Completions dialect: writing a request, and reading chunks of its stream (or a whole
 * answer from a server that does not stream). Vendors differ in what they leave out, so absent,
 * null and empty mean the same everywhere; reasoning is recognised only as a sign of life and never
 * becomes text. llm.c calls it. */
#include <string.h>

#include "base/text.h"
#include "llm/llm_inside.h"

void chat_answer_init(struct chat_answer *answer, size_t text_max_bytes)
{
    *answer = (struct chat_answer){
        .finish = LLM_OTHER, .tokens_in = -1, .tokens_out = -1, .tokens_cached = -1};
    strbuf_init(&answer->text, text_max_bytes);
}

void chat_answer_fini(struct chat_answer *answer)
{
    strbuf_fini(&answer->text);
}

/* ---- request ---- */

static const char *const roles[] = {
    [LLM_SYSTEM] = "system", [LLM_USER] = "user", [LLM_ASSISTANT] = "assistant"};

void chat_request_write(const struct llm_request *request, struct strbuf *out)
{
    struct json_writer w;
    json_writer_init(&w, out);
    json_open_object(&w, NULL);
    json_add_text(&w, "model", request->model);
    json_open_array(&w, "messages");
    for (size_t i = 0; i < request->message_count; i++) {
        json_open_object(&w, NULL);
        json_add_text(&w, "role", roles[request->messages[i].role]);
        json_add_text(&w, "content", request->messages[i].text);
        json_close_object(&w);
    }
    json_close_array(&w);
    if (request->temperature >= 0)
        json_add_double(&w, "temperature", request->temperature);
    if (request->max_tokens > 0)
        json_add_int(&w, request->max_completion_tokens ? "max_completion_tokens" : "max_tokens",
                     request->max_tokens);
    json_add_bool(&w, "stream", true);
    json_open_object(&w, "stream_options");
    json_add_bool(&w, "include_usage", true);
    json_close_object(&w);
    json_close_object(&w);
}

/* ---- answer ---- */

enum finish_kind { FINISH_PLAIN, FINISH_TOO_LONG, FINISH_BROKEN };
static const struct {
    const char *word;
    enum llm_finish finish;
    enum finish_kind kind;
} finishes[] = {
    {"stop", LLM_STOP, FINISH_PLAIN},
    {"eos", LLM_STOP, FINISH_PLAIN}, /* Together */
    {"length", LLM_LENGTH, FINISH_PLAIN},
    {"tool_calls", LLM_TOOL_CALLS, FINISH_PLAIN},
    {"function_call", LLM_TOOL_CALLS, FINISH_PLAIN},
    {"content_filter", LLM_FILTERED, FINISH_PLAIN},
    {"model_length", LLM_OTHER, FINISH_TOO_LONG},               /* Mistral: the window is full */
    {"error", LLM_OTHER, FINISH_BROKEN},                        /* OpenRouter, Mistral */
    {"insufficient_system_resource", LLM_OTHER, FINISH_BROKEN}, /* DeepSeek */
};

static int take_finish(struct chat_answer *answer, const char *word, struct err *err)
{
    if (word == NULL)
        return 0;
    for (size_t i = 0; i < sizeof finishes / sizeof *finishes; i++) {
        if (strcmp(finishes[i].word, word) != 0)
            continue;
        if (finishes[i].kind == FINISH_TOO_LONG)
            return err_set(err, ERR_FALL_BACK, "llm.too_long", "the model's window is full");
        if (finishes[i].kind == FINISH_BROKEN)
            return err_set(err, ERR_RETRY_LATER, "llm.unavailable",
                           "the provider gave up inside its answer");
        answer->finish = finishes[i].finish;
    }
    answer->finished = true;
    return 0;
}

static bool is_text_part(const struct json *part)
{
    const char *type = json_member_text(part, "type");
    return type == NULL || strcmp(type, "text") == 0;
}

/* Content is a text, null, or (Mistral) an array of typed parts of which "text" ones count. */
static void take_content(struct chat_answer *answer, const struct json *content)
{
    const char *text = json_text(content);
    if (text != NULL)
        strbuf_add_text(&answer->text, text);
    if (content == NULL || json_type(content) != JSON_ARRAY)
        return;
    for (const struct json *part = json_first(content); part != NULL; part = json_next(part)) {
        const char *piece = json_member_text(part, "text");
        if (piece != NULL && is_text_part(part))
            strbuf_add_text(&answer->text, piece);
    }
}

static const char *const reasoning[] = {"reasoning", "reasoning_content", "reasoning_details",
                                        "thinking"};

static int take_choice(struct chat_answer *answer, const struct json *choice, struct err *err)
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
    take_content(answer, json_member(delta, "content"));
    if (answer->text.overflow)
        return err_set(err, ERR_FALL_BACK, "llm.too_long_answer",
                       "the answer is longer than %zu bytes", answer->text.length);
    answer->alive |= answer->text.length > 0;
    return take_finish(answer, json_member_text(choice, "finish_reason"), err);
}

static void take_usage(struct chat_answer *answer, const struct json *usage)
{
    const struct json *details = json_member(usage, "prompt_tokens_details");
    json_member_int(usage, "prompt_tokens", 0, INT64_MAX / 2, &answer->tokens_in);
    json_member_int(usage, "completion_tokens", 0, INT64_MAX / 2, &answer->tokens_out);
    if (!json_member_int(details, "cached_tokens", 0, INT64_MAX / 2, &answer->tokens_cached))
        json_member_int(usage, "prompt_cache_hit_tokens", 0, INT64_MAX / 2, /* DeepSeek */
                        &answer->tokens_cached);
}

static void take_model(struct chat_answer *answer, const char *model)
{
    if (model != NULL && model[0] != '\0' && answer->model[0] == '\0') {
        size_t length = text_utf8_prefix(model, sizeof answer->model - 1);
        memcpy(answer->model, model, length);
    }
}

static int take_document(struct chat_answer *answer, const struct json *document, struct err *err)
{
    const struct json *groq = json_member(document, "x_groq");
    const struct json *choices = json_member(document, "choices");
    const struct json *choice =
        choices != NULL && json_type(choices) == JSON_ARRAY ? json_first(choices) : NULL;
    struct llm_fault fault = {.status = 200};
    if (llm_fault_read(document, &fault) || llm_fault_read(groq, &fault) ||
        llm_fault_read(choice, &fault))
        return llm_classify(&fault, err);
    if (json_type(document) != JSON_OBJECT)
        return err_set(err, ERR_FALL_BACK, "llm.nonsense", "the answer is no JSON object");
    if (choices == NULL && json_member(document, "usage") == NULL)
        return 0; /* some other event: vendors add their own */
    answer->recognised = true;
    take_model(answer, json_member_text(document, "model"));
    take_usage(answer, json_member(groq, "usage"));
    take_usage(answer, json_member(document, "usage"));
    int64_t index = 0;
    json_member_int(choice, "index", 0, INT32_MAX, &index);
    return choice != NULL && index == 0 ? take_choice(answer, choice, err) : 0;
}

int chat_answer_take(struct chat_answer *answer, const char *bytes, size_t length, struct err *err)
{
    if (length == 6 && memcmp(bytes, "[DONE]", 6) == 0) {
        answer->done = true;
        return 0;
    }
    struct json *document = NULL;
    struct err why;
    if (json_parse(bytes, length, &document, &why) != 0)
        return err_set(err, ERR_FALL_BACK, "llm.nonsense", "the answer is no JSON (%s)", why.code);
    int result = take_document(answer, document, err);
    json_free(&document);
    return result;
}

static bool is_blank(const struct strbuf *text)
{
    return text->length == 0 || strspn(text->data, " \t\r\n") == text->length;
}

int chat_answer_judge(const struct chat_answer *answer, bool cut, struct err *err)
{
    if (answer->refused || answer->finish == LLM_FILTERED)
        return err_set(err, ERR_PERMANENT, "llm.filtered", "the model declined to answer");
    if (!answer->finished && !answer->done) {
        if (!answer->recognised && !cut)
            return err_set(err, ERR_FALL_BACK, "llm.nonsense", "the answer holds no chunk");
        return err_set(err, ERR_RETRY_LATER, "llm.truncated", "the answer ended in the middle");
    }
    if (is_blank(&answer->text))
        return err_set(err, ERR_FALL_BACK, "llm.empty", "the answer holds no text");
    return 0;
}
