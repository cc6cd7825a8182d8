/* Gemini's own dialect: contents of parts, generationConfig, and a stream whose events are whole
 * responses with only the new parts, without an end marker. answer.c calls it; source of the wire
 * facts: docs/MODELS.md, "Gemini". */
#include <string.h>

#include "base/text.h"
#include "llm/llm_inside.h"

/* ---- request ---- */

static void write_path(const struct llm_request *request, struct strbuf *url)
{
    strbuf_add_text(url, "/models/");
    text_add_percent(url, request->model);
    strbuf_add_text(url, ":streamGenerateContent?alt=sse");
}

#define CONFIG "generationConfig"

static void write_config(const struct llm_request *request, const struct json *extra,
                         struct json_writer *w)
{
    const struct json *more = json_member(extra, CONFIG);
    if (request->temperature < 0 && request->max_tokens <= 0 && more == NULL)
        return;
    json_open_object(w, CONFIG);
    if (request->temperature >= 0)
        json_add_double(w, "temperature", request->temperature);
    if (request->max_tokens > 0)
        json_add_int(w, "maxOutputTokens", request->max_tokens);
    llm_extra_write(more, NULL, w);
    json_close_object(w);
}

static void write_tools(const struct llm_request *request, struct json_writer *w)
{
    if (request->tool_count == 0)
        return;
    json_open_array(w, "tools");
    json_open_object(w, NULL);
    json_open_array(w, "functionDeclarations");
    for (size_t i = 0; i < request->tool_count; i++) {
        json_open_object(w, NULL);
        json_add_text(w, "name", request->tools[i].name);
        llm_tool_describe(&request->tools[i], w);
        json_add_raw(w, "parametersJsonSchema", llm_tool_parameters(&request->tools[i]));
        json_close_object(w);
    }
    json_close_array(w);
    json_close_object(w);
    json_close_array(w);
}

/* What Google gives for calls that its model did not write: from Gemini 3 on the first call of a
 * round needs a signature. */
static const char no_signature[] = "skip_thought_signature_validator";

static void write_signature(const struct llm_request *request, const struct llm_asked *asked,
                            struct json_writer *w)
{
    struct strbuf signer;
    strbuf_init(&signer, 8192);
    llm_signer_write(request, &signer);
    bool is_own =
        asked->signature != NULL && strncmp(asked->signature, signer.data, signer.length) == 0;
    const char *bare = is_own ? asked->signature + signer.length : "";
    if (bare[0] != '\0')
        json_add_text(w, "thoughtSignature", bare);
    else if (!is_own && asked->first)
        json_add_text(w, "thoughtSignature", no_signature);
    strbuf_fini(&signer);
}

/* Without ids: calls and results are matched by their order, and not every version knows ids. */
static void write_call(const struct llm_request *request, const struct llm_asked *asked,
                       struct json_writer *w)
{
    json_open_object(w, NULL);
    json_open_object(w, "functionCall");
    json_add_text(w, "name", asked->name);
    json_add_raw(w, "args", asked->object);
    json_close_object(w);
    write_signature(request, asked, w);
    json_close_object(w);
}

/* The response has to be an object. */
static void write_response(const struct llm_asked *asked, struct json_writer *w)
{
    enum json_type type;
    const char *name = asked->is_error ? "error" : "result";
    bool is_json = llm_is_json(asked->result, &type);
    if (is_json && type == JSON_OBJECT && !asked->is_error) {
        json_add_raw(w, "response", asked->result);
        return;
    }
    json_open_object(w, "response");
    if (is_json)
        json_add_raw(w, name, asked->result);
    else
        json_add_text(w, name, asked->result);
    json_close_object(w);
}

static void write_result(const struct llm_asked *asked, struct json_writer *w)
{
    json_open_object(w, NULL);
    json_open_object(w, "functionResponse");
    json_add_text(w, "name", asked->result_name);
    write_response(asked, w);
    json_close_object(w);
    json_close_object(w);
}

static void write_members(const struct llm_request *request, const struct json *extra,
                          struct json_writer *w)
{
    static const struct llm_turns names = {.array = "contents",
                                           .assistant = "model",
                                           .parts = "parts",
                                           .write_call = write_call,
                                           .write_result = write_result};
    json_open_object(w, "systemInstruction");
    llm_system_write(request, &names, "parts", w);
    json_close_object(w);
    write_tools(request, w);
    llm_turns_write(request, &names, w);
    if (request->tool_count > 0 && request->no_more_tools) {
        json_open_object(w, "toolConfig");
        json_open_object(w, "functionCallingConfig");
        json_add_text(w, "mode", "NONE");
        json_close_object(w);
        json_close_object(w);
    }
    write_config(request, extra, w);
}

/* ---- answer ---- */

static const struct llm_finish_word finishes[] = {
    {"STOP", LLM_STOP, FINISH_PLAIN}, /* also behind a tool call */
    {"MAX_TOKENS", LLM_LENGTH, FINISH_PLAIN},
    {"SAFETY", LLM_FILTERED, FINISH_PLAIN},
    {"RECITATION", LLM_FILTERED, FINISH_PLAIN},
    {"BLOCKLIST", LLM_FILTERED, FINISH_PLAIN},
    {"PROHIBITED_CONTENT", LLM_FILTERED, FINISH_PLAIN},
    {"SPII", LLM_FILTERED, FINISH_PLAIN},
    {"MALFORMED_FUNCTION_CALL", LLM_OTHER, FINISH_BROKEN},
};

/* Calls come whole, but for their signature without anything to know them by. */
static int take_call(struct llm_answer *answer, const struct json *part, struct err *err)
{
    const struct json *call = json_member(part, "functionCall");
    struct llm_piece piece = {.how = LLM_PIECE_BEGINS,
                              .index = LLM_INDEX_NONE,
                              .id = json_member_text(call, "id"),
                              .name = json_member_text(call, "name"),
                              .value = json_member(call, "args"),
                              .signature = json_member_text(part, "thoughtSignature")};
    return call != NULL ? llm_calls_take(answer, &piece, err) : 0;
}

/* Thoughts are a sign of life and never text. */
static int take_part(struct llm_answer *answer, const struct json *part, struct err *err)
{
    answer->alive = true;
    if (take_call(answer, part, err) != 0)
        return -1;
    if (json_member_bool(part, "thought", false))
        return 0;
    return llm_answer_add_text(answer, json_member_text(part, "text"), err);
}

static int take_candidate(struct llm_answer *answer, const struct json *candidate, struct err *err)
{
    const struct json *parts = json_member(json_member(candidate, "content"), "parts");
    if (parts != NULL && json_type(parts) == JSON_ARRAY)
        for (const struct json *part = json_first(parts); part != NULL; part = json_next(part))
            if (take_part(answer, part, err) != 0)
                return -1;
    return llm_answer_finish(answer, finishes, sizeof finishes / sizeof *finishes,
                             json_member_text(candidate, "finishReason"), err);
}

/* Counts grow from event to event. Thoughts are billed as output and not among the candidates'. */
static void take_usage(struct llm_answer *answer, const struct json *usage)
{
    int64_t written = -1, thought = 0;
    json_member_int(usage, "promptTokenCount", 0, INT64_MAX / 4, &answer->tokens_in);
    json_member_int(usage, "cachedContentTokenCount", 0, INT64_MAX / 4, &answer->tokens_cached);
    json_member_int(usage, "thoughtsTokenCount", 0, INT64_MAX / 4, &thought);
    if (json_member_int(usage, "candidatesTokenCount", 0, INT64_MAX / 4, &written))
        answer->tokens_out = written + thought;
}

static int take(struct llm_answer *answer, const struct json *document, struct err *err)
{
    const struct json *candidates = json_member(document, "candidates");
    const struct json *feedback = json_member(document, "promptFeedback");
    const struct json *usage = json_member(document, "usageMetadata");
    if (candidates == NULL && feedback == NULL && usage == NULL)
        return 0;
    answer->recognised = true;
    llm_answer_keep(answer->model, json_member_text(document, "modelVersion"));
    llm_answer_keep(answer->request_id, json_member_text(document, "responseId"));
    take_usage(answer, usage);
    if (json_member_text(feedback, "blockReason") != NULL)
        answer->refused = answer->finished = true;
    const struct json *candidate =
        candidates != NULL && json_type(candidates) == JSON_ARRAY ? json_first(candidates) : NULL;
    int64_t index = 0;
    json_member_int(candidate, "index", 0, INT32_MAX, &index);
    return candidate != NULL && index == 0 ? take_candidate(answer, candidate, err) : 0;
}

const struct llm_wire llm_wire_gemini = {.name = "gemini",
                                         .write_path = write_path,
                                         .write_members = write_members,
                                         .take = take,
                                         .signs = true,
                                         .own_extra = CONFIG};
