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

static void write_members(const struct llm_request *request, const struct json *extra,
                          struct json_writer *w)
{
    static const struct llm_turns names = {"contents", "model", "parts", NULL};
    json_open_object(w, "systemInstruction");
    llm_system_write(request, "parts", NULL, w);
    json_close_object(w);
    llm_turns_write(request, &names, w);
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

/* Thoughts are a sign of life and never text. */
static int take_part(struct llm_answer *answer, const struct json *part, struct err *err)
{
    answer->tools |= json_member(part, "functionCall") != NULL;
    answer->alive = true;
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
                                         .own_extra = CONFIG};
