/* Anthropic's Messages dialect: the system's text apart, content of blocks, and a stream of named
 * events, whose names are also the objects' `type`. answer.c calls it; source of the wire facts:
 * docs/MODELS.md, "Anthropic". */
#include <string.h>

#include "llm/llm_inside.h"

#define MAX_TOKENS_DEFAULT 1024 /* the member is required */

/* ---- request ---- */

static void write_path(const struct llm_request *request, struct strbuf *url)
{
    (void)request;
    strbuf_add_text(url, "/messages");
}

static void write_tools(const struct llm_request *request, struct json_writer *w)
{
    if (request->tool_count == 0)
        return;
    json_open_array(w, "tools");
    for (size_t i = 0; i < request->tool_count; i++) {
        json_open_object(w, NULL);
        json_add_text(w, "name", request->tools[i].name);
        llm_tool_describe(&request->tools[i], w);
        json_add_raw(w, "input_schema", llm_tool_parameters(&request->tools[i]));
        json_close_object(w);
    }
    json_close_array(w);
}

static void write_call(const struct llm_request *request, const struct llm_asked *asked,
                       struct json_writer *w)
{
    (void)request;
    json_open_object(w, NULL);
    json_add_text(w, "type", "tool_use");
    json_add_text(w, "id", asked->id);
    json_add_text(w, "name", asked->name);
    json_add_raw(w, "input", asked->object);
    json_close_object(w);
}

static void write_result(const struct llm_asked *asked, struct json_writer *w)
{
    json_open_object(w, NULL);
    json_add_text(w, "type", "tool_result");
    json_add_text(w, "tool_use_id", asked->id);
    json_add_text(w, "content", asked->result);
    if (asked->is_error)
        json_add_bool(w, "is_error", true);
    json_close_object(w);
}

static void write_members(const struct llm_request *request, const struct json *extra,
                          struct json_writer *w)
{
    (void)extra;
    static const struct llm_turns names = {.array = "messages",
                                           .assistant = "assistant",
                                           .parts = "content",
                                           .type = "text",
                                           .tells_kept = true,
                                           .write_call = write_call,
                                           .write_result = write_result};
    json_add_text(w, "model", request->model);
    json_add_int(w, "max_tokens",
                 request->max_tokens > 0 ? request->max_tokens : MAX_TOKENS_DEFAULT);
    write_tools(request, w);
    llm_system_write(request, &names, "system", w);
    llm_turns_write(request, &names, w);
    if (request->tool_count > 0 && request->no_more_tools) {
        json_open_object(w, "tool_choice");
        json_add_text(w, "type", "none");
        json_close_object(w);
    }
    if (request->temperature >= 0)
        json_add_double(w, "temperature", request->temperature);
    json_add_bool(w, "stream", true);
}

/* ---- answer ---- */

static const struct llm_finish_word finishes[] = {
    {"end_turn", LLM_STOP, FINISH_PLAIN},
    {"stop_sequence", LLM_STOP, FINISH_PLAIN},
    {"max_tokens", LLM_LENGTH, FINISH_PLAIN},
    {"tool_use", LLM_TOOL_CALLS, FINISH_PLAIN},
    {"refusal", LLM_FILTERED, FINISH_PLAIN},
    {"model_context_window_exceeded", LLM_OTHER, FINISH_TOO_LONG},
};

static int finish(struct llm_answer *answer, const struct json *from, struct err *err)
{
    return llm_answer_finish(answer, finishes, sizeof finishes / sizeof *finishes,
                             json_member_text(from, "stop_reason"), err);
}

/* All of the input is what was read from the cache, what was written to it, and the rest. Later
 * events repeat the counts, some of them only. */
static void take_usage(struct llm_answer *answer, const struct json *usage)
{
    int64_t fresh = 0, made = 0, cached = 0;
    if (json_member_int(usage, "input_tokens", 0, INT64_MAX / 4, &fresh)) {
        json_member_int(usage, "cache_creation_input_tokens", 0, INT64_MAX / 4, &made);
        json_member_int(usage, "cache_read_input_tokens", 0, INT64_MAX / 4, &cached);
        answer->tokens_in = fresh + made + cached;
        answer->tokens_cached = cached;
        answer->tokens_written = made;
    }
    json_member_int(usage, "output_tokens", 0, INT64_MAX / 2, &answer->tokens_out);
}

static bool is_type(const struct json *object, const char *type)
{
    const char *given = json_member_text(object, "type");
    return given != NULL && strcmp(given, type) == 0;
}

/* The input is whole in an unstreamed answer, and {} before the pieces of a streamed one. */
static int take_tool_use(struct llm_answer *answer, const struct json *block, int64_t index,
                         struct err *err)
{
    const struct json *input = json_member(block, "input");
    bool is_empty = input != NULL && json_type(input) == JSON_OBJECT && json_first(input) == NULL;
    struct llm_piece piece = {.how = LLM_PIECE_BEGINS,
                              .index = index,
                              .id = json_member_text(block, "id"),
                              .name = json_member_text(block, "name"),
                              .value = is_empty ? NULL : input};
    answer->other_block = INT64_MIN;
    return llm_calls_take(answer, &piece, err);
}

static int take_block(struct llm_answer *answer, const struct json *block, int64_t index,
                      struct err *err)
{
    if (is_type(block, "tool_use"))
        return take_tool_use(answer, block, index, err);
    answer->other_block = index;
    answer->alive |= block != NULL && !is_type(block, "text");
    return is_type(block, "text")
               ? llm_answer_add_text(answer, json_member_text(block, "text"), err)
               : 0;
}

/* Blocks that are the provider's own business can have an input, too. */
static int take_input(struct llm_answer *answer, const struct json *delta, int64_t index,
                      struct err *err)
{
    struct llm_piece piece = {.how = LLM_PIECE_FOLLOWS,
                              .index = index,
                              .arguments = json_member_text(delta, "partial_json")};
    return index == answer->other_block ? 0 : llm_calls_take(answer, &piece, err);
}

static int take_delta(struct llm_answer *answer, const struct json *delta, int64_t index,
                      struct err *err)
{
    answer->alive = true;
    if (is_type(delta, "input_json_delta"))
        return take_input(answer, delta, index, err);
    return is_type(delta, "text_delta")
               ? llm_answer_add_text(answer, json_member_text(delta, "text"), err)
               : 0;
}

static int take_message(struct llm_answer *answer, const struct json *message, struct err *err)
{
    llm_answer_keep(answer->model, json_member_text(message, "model"));
    llm_answer_keep(answer->request_id, json_member_text(message, "id"));
    take_usage(answer, json_member(message, "usage"));
    const struct json *content = json_member(message, "content");
    if (content != NULL && json_type(content) == JSON_ARRAY)
        for (const struct json *block = json_first(content); block != NULL;
             block = json_next(block))
            if (take_block(answer, block, LLM_INDEX_NONE, err) != 0)
                return -1;
    return finish(answer, message, err);
}

static int take_start(struct llm_answer *answer, const struct json *event, struct err *err)
{
    return take_message(answer, json_member(event, "message"), err);
}

static int take_block_start(struct llm_answer *answer, const struct json *event, struct err *err)
{
    return take_block(answer, json_member(event, "content_block"), llm_piece_index(event), err);
}

static int take_block_delta(struct llm_answer *answer, const struct json *event, struct err *err)
{
    return take_delta(answer, json_member(event, "delta"), llm_piece_index(event), err);
}

static int take_message_delta(struct llm_answer *answer, const struct json *event, struct err *err)
{
    take_usage(answer, json_member(event, "usage"));
    return finish(answer, json_member(event, "delta"), err);
}

static int take_stop(struct llm_answer *answer, const struct json *event, struct err *err)
{
    (void)event, (void)err;
    answer->done = true;
    return 0;
}

/* Others ("ping", "content_block_stop", and those to come) tell nothing. */
static const struct {
    const char *type;
    int (*take)(struct llm_answer *answer, const struct json *event, struct err *err);
} events[] = {
    {"message_start", take_start},
    {"content_block_start", take_block_start},
    {"content_block_delta", take_block_delta},
    {"message_delta", take_message_delta},
    {"message_stop", take_stop},
    {"message", take_message}, /* a whole answer */
};

static int take(struct llm_answer *answer, const struct json *document, struct err *err)
{
    const char *type = json_member_text(document, "type");
    for (size_t i = 0; type != NULL && i < sizeof events / sizeof *events; i++)
        if (strcmp(events[i].type, type) == 0) {
            answer->recognised = true;
            return events[i].take(answer, document, err);
        }
    return 0;
}

const struct llm_wire llm_wire_anthropic = {.name = "anthropic",
                                            .write_path = write_path,
                                            .write_members = write_members,
                                            .take = take,
                                            .usual_header = "anthropic-version: 2023-06-01"};
