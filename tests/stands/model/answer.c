/*
 * The answer of the model stand-in: what it says (its reply, a tool call, nothing, a megabyte), cut
 * into content deltas, sent as server-sent events with pauses or as one object. Called by model.c.
 *
 * Wire format: OpenAI Chat Completions; the first delta carries the role, then come content deltas,
 * a delta with the finish_reason, the usage chunk when asked for, and `data: [DONE]`.
 */
#include "stands/model/answer.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <time.h>

#include "stands/lib/ids.h"
#include "stands/model/chat.h"

enum {
    EVENTS_MAX = 64 * 1024 * 1024,
    HUGE_BYTES = 1024 * 1024,
    HUGE_PIECES = 1024,
    ARGUMENT_PIECES = 4
};

/* One answer under way; call->user. call->out holds the start that all its events share. */
struct answer {
    struct stand_call *call;
    const struct model_options *options;
    char id[40];
    char tool_id[32];
    char headers[512];
    char *text; /* content, or the arguments of a tool call */
    size_t len, at, pieces, piece, sent_bytes;
    uint64_t pause_ms;
    const char *tool; /* name of the tool called, or NULL */
    const char *finish;
    bool stalled;
};

static const struct stand_action *main_action(const struct stand_call *call)
{
    static const struct stand_action none = {.type = STAND_ACTION_TYPES};
    return call->plan.main ? call->plan.main : &none;
}

static char *huge_text(int64_t bytes)
{
    static const char words[] = "This answer goes on and on. ";
    size_t len = bytes >= 0 && bytes <= EVENTS_MAX / 2 ? (size_t)bytes : HUGE_BYTES;
    char *text = stand_alloc(len + 1);
    for (size_t i = 0; i < len; i++)
        text[i] = words[i % (sizeof words - 1)];
    return text;
}

/* Decides what is said. */
static void choose_text(struct answer *answer, const struct chat *chat)
{
    const struct stand_action *action = main_action(answer->call);
    answer->finish = "stop";
    answer->pieces = (size_t)answer->options->chunks;
    if (action->type == STAND_EMPTY) {
        answer->text = stand_copy("", 0);
    } else if (action->type == STAND_HUGE) {
        answer->text = huge_text(action->bytes);
        answer->pieces = HUGE_PIECES;
        answer->pause_ms = 0;
    } else if (action->type == STAND_TOOL_CALL && !chat->has_tool_result) {
        const char *arguments = action->arguments ? action->arguments : "{}";
        answer->tool = action->name ? action->name : "stand_tool";
        answer->finish = "tool_calls";
        answer->text = stand_copy(arguments, strlen(arguments));
        answer->pieces = ARGUMENT_PIECES;
    } else {
        const char *text = action->type == STAND_REPLY && action->text ? action->text : chat->reply;
        answer->text = stand_copy(text, strlen(text));
    }
    if (action->finish_reason)
        answer->finish = action->finish_reason;
    answer->len = strlen(answer->text);
    size_t characters = 0;
    for (size_t at = 0; at < answer->len; characters++)
        at += stand_utf8_prefix(answer->text + at, answer->len - at, 1);
    if (answer->pieces > characters)
        answer->pieces = characters;
}

static void set_headers(struct answer *answer)
{
    char request[33];
    stand_hex(request, 32);
    snprintf(answer->headers, sizeof answer->headers,
             "x-request-id: req_%s\r\nopenai-organization: stand\r\n"
             "openai-processing-ms: 1\r\nopenai-version: 2020-10-01\r\n"
             "x-ratelimit-limit-requests: 100000\r\nx-ratelimit-limit-tokens: 10000000\r\n"
             "x-ratelimit-remaining-requests: 99999\r\n"
             "x-ratelimit-remaining-tokens: 9999000\r\n"
             "x-ratelimit-reset-requests: 1ms\r\nx-ratelimit-reset-tokens: 6ms\r\n",
             request);
}

static void add_usage(const struct answer *answer, struct stand_buf *out)
{
    const struct chat *chat = answer->call->parsed;
    unsigned long prompt = chat->prompt_chars / 4 + 7;
    unsigned long completion = answer->len / 4 + 1;
    stand_buf_printf(out,
                     "{\"prompt_tokens\":%lu,\"completion_tokens\":%lu,\"total_tokens\":%lu,"
                     "\"prompt_tokens_details\":{\"cached_tokens\":0,\"audio_tokens\":0},"
                     "\"completion_tokens_details\":{\"reasoning_tokens\":0,\"audio_tokens\":0,"
                     "\"accepted_prediction_tokens\":0,\"rejected_prediction_tokens\":0}}",
                     prompt, completion, prompt + completion);
}

static void add_start(const struct answer *answer, const char *object, struct stand_buf *out)
{
    const struct chat *chat = answer->call->parsed;
    stand_buf_printf(out,
                     "{\"id\":\"%s\",\"object\":\"%s\",\"created\":%lld,\"model\":", answer->id,
                     object, (long long)time(NULL));
    stand_buf_json_text(out, chat->model);
    stand_buf_puts(out, ",\"service_tier\":\"default\",\"system_fingerprint\":\"fp_stand\",");
}

/* --- one object --- */

static void add_message(const struct answer *answer, struct stand_buf *out)
{
    stand_buf_puts(out,
                   "\"choices\":[{\"index\":0,\"message\":{\"role\":\"assistant\",\"content\":");
    if (answer->tool) {
        stand_buf_printf(out, "null,\"tool_calls\":[{\"id\":\"%s\",\"type\":\"function\",",
                         answer->tool_id);
        stand_buf_puts(out, "\"function\":{\"name\":");
        stand_buf_json_text(out, answer->tool);
        stand_buf_puts(out, ",\"arguments\":");
        stand_buf_json(out, answer->text, answer->len);
        stand_buf_puts(out, "}}]");
    } else {
        stand_buf_json(out, answer->text, answer->len);
    }
    stand_buf_puts(out,
                   ",\"refusal\":null,\"annotations\":[]},\"logprobs\":null,\"finish_reason\":");
    stand_buf_json_text(out, answer->finish);
    stand_buf_puts(out, "}],\"usage\":");
}

static void send_object(struct answer *answer)
{
    struct stand_call *call = answer->call;
    struct stand_buf out;
    stand_buf_init(&out, EVENTS_MAX);
    add_start(answer, "chat.completion", &out);
    add_message(answer, &out);
    add_usage(answer, &out);
    stand_buf_puts(&out, "}");
    if (answer->pieces > 1)
        call->plan.delay_ms += answer->pause_ms * (answer->pieces - 1);
    struct stand_answer whole = {.status = 200,
                                 .content_type = "application/json",
                                 .headers = answer->headers,
                                 .body = out.data,
                                 .len = out.len};
    stand_call_reply(call, &whole);
    stand_buf_fini(&out);
}

/* --- a stream --- */

static void event_start(const struct answer *answer, struct stand_buf *out)
{
    stand_buf_add(out, answer->call->out.data, answer->call->out.len);
}

/* Ends an event begun with event_start and a delta's content. */
static void event_end(const struct answer *answer, const char *finish, struct stand_buf *out)
{
    const struct chat *chat = answer->call->parsed;
    stand_buf_puts(out, "},\"logprobs\":null,\"finish_reason\":");
    stand_buf_json_text(out, finish);
    stand_buf_puts(out, chat->usage ? "}],\"usage\":null}\n\n" : "}]}\n\n");
}

static void add_role(const struct answer *answer, struct stand_buf *out)
{
    event_start(answer, out);
    if (answer->tool) {
        stand_buf_printf(out,
                         "\"role\":\"assistant\",\"content\":null,\"tool_calls\":[{\"index\":0,"
                         "\"id\":\"%s\",\"type\":\"function\",\"function\":{\"name\":",
                         answer->tool_id);
        stand_buf_json_text(out, answer->tool);
        stand_buf_puts(out, ",\"arguments\":\"\"}}],\"refusal\":null");
    } else {
        stand_buf_puts(out, "\"role\":\"assistant\",\"content\":\"\",\"refusal\":null");
    }
    event_end(answer, NULL, out);
}

static void add_piece(struct answer *answer, struct stand_buf *out)
{
    const char *from = answer->text + answer->at;
    size_t left = answer->len - answer->at;
    size_t want = answer->len * (answer->piece + 1) / answer->pieces - answer->at;
    size_t len = want < left ? want : left;
    while (len < left && ((unsigned char)from[len] & 0xc0) == 0x80)
        len++; /* never inside a character */
    answer->at += len;
    answer->piece++;
    if (len == 0)
        return;
    event_start(answer, out);
    stand_buf_puts(out, answer->tool ? "\"tool_calls\":[{\"index\":0,\"function\":{\"arguments\":"
                                     : "\"content\":");
    stand_buf_json(out, from, len);
    if (answer->tool)
        stand_buf_puts(out, "}}]");
    event_end(answer, NULL, out);
}

static void add_end(const struct answer *answer, struct stand_buf *out)
{
    const struct chat *chat = answer->call->parsed;
    event_start(answer, out);
    event_end(answer, answer->finish, out);
    if (chat->usage) {
        stand_buf_puts(out, "data: ");
        add_start(answer, "chat.completion.chunk", out);
        stand_buf_puts(out, "\"choices\":[],\"usage\":");
        add_usage(answer, out);
        stand_buf_puts(out, "}\n\n");
    }
    stand_buf_puts(out, "data: [DONE]\n\n");
}

/* Sends the events made so far; false when a cut by bytes ended the stream. */
static bool flush(struct answer *answer, struct stand_buf *out)
{
    struct stand_call *call = answer->call;
    const struct stand_action *action = main_action(call);
    size_t len = out->len;
    bool cut = action->type == STAND_CUT_OFF && action->bytes >= 0 &&
               answer->sent_bytes + len > (uint64_t)action->bytes;
    if (cut)
        len = (size_t)action->bytes - answer->sent_bytes;
    answer->sent_bytes += len;
    if (len)
        stand_exchange_chunk(call->x, out->data, len);
    stand_buf_fini(out);
    if (cut) {
        stand_call_outcome(call, STAND_CUT);
        stand_exchange_cut(call->x, action->reset > 0);
    }
    return !cut;
}

/* Whether the fault that stops this stream is due before the next piece. */
static bool stop_is_due(const struct answer *answer)
{
    const struct stand_action *action = main_action(answer->call);
    size_t due = action->chunks >= 0 ? (size_t)action->chunks : answer->pieces / 2;
    bool by_bytes = action->type == STAND_CUT_OFF && action->chunks < 0 && action->bytes >= 0;
    bool stops = action->type == STAND_STALL || action->type == STAND_CUT_OFF ||
                 action->type == STAND_ERROR_IN_STREAM || action->type == STAND_TRUNCATE ||
                 action->type == STAND_WRONG_JSON;
    return stops && !by_bytes && !answer->stalled &&
           (answer->piece >= due || answer->piece == answer->pieces);
}

static void next_events(void *user);

static void stop_stream(struct answer *answer, struct stand_buf *out)
{
    struct stand_call *call = answer->call;
    const struct stand_action *action = main_action(call);
    if (action->type == STAND_ERROR_IN_STREAM) {
        stand_buf_puts(out, "data: ");
        model_error_body(action->message ? action->message : "The server had an error",
                         action->error_type ? action->error_type : "server_error", NULL,
                         action->code, out);
        stand_buf_puts(out, "\n\n");
    } else if (action->type == STAND_WRONG_JSON) {
        event_start(answer, out);
        stand_buf_puts(out, "\"content\":\"half a te\n\ndata: [DONE]\n\n");
    }
    if (!flush(answer, out))
        return;
    if (action->type == STAND_CUT_OFF) {
        stand_call_outcome(call, STAND_CUT);
        stand_exchange_cut(call->x, action->reset > 0);
    } else if (action->type != STAND_STALL) {
        stand_exchange_end(call->x);
    } else {
        answer->stalled = true;
        if (action->ms >= 0)
            stand_exchange_after(call->x, (uint64_t)action->ms, next_events, answer);
        else
            stand_call_outcome(call, STAND_STALLED);
    }
}

/* Sends events up to the next pause, fault or the end. */
static void next_events(void *user)
{
    struct answer *answer = user;
    struct stand_buf out;
    stand_buf_init(&out, EVENTS_MAX);
    if (answer->sent_bytes == 0 && answer->piece == 0 && !answer->stalled)
        add_role(answer, &out);
    for (;;) {
        if (stop_is_due(answer)) {
            stop_stream(answer, &out);
            return;
        }
        if (answer->piece == answer->pieces)
            break;
        add_piece(answer, &out);
        if (answer->pause_ms && answer->piece < answer->pieces) {
            if (flush(answer, &out))
                stand_exchange_after(answer->call->x, answer->pause_ms, next_events, answer);
            return;
        }
    }
    add_end(answer, &out);
    if (flush(answer, &out))
        stand_exchange_end(answer->call->x);
}

static void start_stream(void *user)
{
    struct stand_call *call = user;
    struct answer *answer = call->user;
    struct stand_answer head = {.status = 200,
                                .content_type = "text/event-stream; charset=utf-8",
                                .headers = answer->headers};
    stand_buf_init(&call->out, STAND_HTTP_HEAD_MAX);
    stand_buf_puts(&call->out, "data: ");
    add_start(answer, "chat.completion.chunk", &call->out);
    stand_buf_puts(&call->out, "\"choices\":[{\"index\":0,\"delta\":{");
    call->status = 200;
    stand_exchange_begin(call->x, &head);
    next_events(answer);
}

void answer_free(void *user)
{
    struct answer *answer = user;
    if (answer)
        free(answer->text);
    free(answer);
}

void answer_start(const struct model_options *options, struct stand_call *call)
{
    const struct chat *chat = call->parsed;
    struct answer *answer = stand_alloc(sizeof *answer);
    enum stand_action_type type = main_action(call)->type;
    call->user = answer;
    answer->call = call;
    answer->options = options;
    answer->pause_ms = (uint64_t)options->delay_ms;
    memcpy(answer->id, "chatcmpl-", 9);
    stand_hex(answer->id + 9, 29);
    memcpy(answer->tool_id, "call_", 5);
    stand_hex(answer->tool_id + 5, 24);
    set_headers(answer);
    choose_text(answer, chat);
    stand_ledger_sid(call->app->ledger, call->entry, answer->id);
    call->plan.delay_ms += (uint64_t)options->first_token_ms;
    stand_exchange_drop_body(call->x);
    if (chat->stream && type != STAND_NONSENSE && type != STAND_ANSWER_LOST)
        stand_call_delayed(call, start_stream);
    else
        send_object(answer);
}
