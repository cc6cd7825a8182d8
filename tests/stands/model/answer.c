/*
 * The answer of the model stand-in: what it says (its reply, a tool call, nothing, a megabyte), cut
 * into pieces, sent as a stream with pauses or as one object, and the faults that strike in its
 * middle. How it looks on the wire is the format's work (wire.h). Called by model.c.
 */
#include "stands/model/answer.h"

#include <stdlib.h>
#include <string.h>

#include "stands/lib/ids.h"
#include "stands/model/wire.h"

enum {
    EVENTS_MAX = 64 * 1024 * 1024,
    HEADERS_MAX = 4096,
    HUGE_BYTES = 1024 * 1024,
    HUGE_PIECES = 1024,
    ARGUMENT_PIECES = 4
};

/* One answer under way; call->user. */
struct telling {
    struct answer answer;
    const struct wire *wire;
    struct stand_call *call;
    const struct model_options *options;
    struct stand_buf headers;
    size_t pieces, piece, sent_bytes;
    uint64_t pause_ms;
    bool stalled;
};

static const struct stand_action *main_action(const struct stand_call *call)
{
    static const struct stand_action none = {.type = STAND_ACTION_TYPES};
    return call->plan.main ? call->plan.main : &none;
}

/* --- what is said --- */

static char *huge_text(int64_t bytes)
{
    static const char words[] = "This answer goes on and on. ";
    size_t len = bytes >= 0 && bytes <= EVENTS_MAX / 2 ? (size_t)bytes : HUGE_BYTES;
    char *text = stand_alloc(len + 1);
    for (size_t i = 0; i < len; i++)
        text[i] = words[i % (sizeof words - 1)];
    return text;
}

/* Whether the text of an action is what the model says. */
static bool has_own_text(const struct stand_action *action)
{
    return action->type == STAND_REPLY || action->type == STAND_STALL ||
           action->type == STAND_CUT_OFF || action->type == STAND_TRUNCATE;
}

/* Decides what is said. */
static void choose_text(struct telling *telling)
{
    const struct stand_action *action = main_action(telling->call);
    struct answer *answer = &telling->answer;
    const char *said = answer->chat->reply;
    answer->finish = telling->wire->stop;
    telling->pieces = (size_t)telling->options->chunks;
    if (action->type == STAND_EMPTY) {
        said = "";
    } else if (action->type == STAND_HUGE) {
        answer->text = huge_text(action->bytes);
        telling->pieces = HUGE_PIECES;
        telling->pause_ms = 0;
    } else if (action->type == STAND_TOOL_CALL && !answer->chat->has_tool_result) {
        said = action->arguments ? action->arguments : "{}";
        answer->tool = action->name ? action->name : "stand_tool";
        answer->finish = telling->wire->tool_stop;
        telling->pieces = ARGUMENT_PIECES;
    } else if (action->text && has_own_text(action)) {
        said = action->text;
    } else if (action->type == STAND_OBEY && answer->chat->obeyed.text) {
        said = answer->chat->obeyed.text;
        answer->tool = answer->chat->obeyed.tool;
        answer->finish = answer->tool ? telling->wire->tool_stop : telling->wire->stop;
    }
    if (!answer->text)
        answer->text = stand_copy(said, strlen(said));
    if (action->finish_reason)
        answer->finish = action->finish_reason;
    answer->len = strlen(answer->text);
}

/* Whether the answer is a tool call that the format sends in one piece, even an empty one. */
static bool is_whole_call(const struct telling *telling)
{
    return telling->answer.tool && telling->wire->whole_calls;
}

/* No piece is empty, so there are at most as many as characters. */
static void bound_pieces(struct telling *telling)
{
    const struct answer *answer = &telling->answer;
    size_t characters = 0;
    for (size_t at = 0; at < answer->len; characters++)
        at += stand_utf8_prefix(answer->text + at, answer->len - at, 1);
    if (telling->pieces > characters)
        telling->pieces = characters;
    if (is_whole_call(telling))
        telling->pieces = 1;
}

static void set_id(char id[WIRE_ID_BYTES], const char *prefix, size_t digits)
{
    size_t len = strlen(prefix);
    memcpy(id, prefix, len);
    stand_hex(id + len, digits);
}

static void set_ids(struct telling *telling)
{
    const struct wire *wire = telling->wire;
    struct answer *answer = &telling->answer;
    char request[WIRE_ID_BYTES];
    set_id(request, "req_", 32);
    set_id(answer->id, wire->id, wire->id_digits);
    set_id(answer->tool_id, wire->tool_id, wire->tool_id_digits);
    stand_buf_puts(&telling->headers, "");
    wire->headers(request, false, &telling->headers);
}

/* --- one object --- */

static void send_object(struct telling *telling)
{
    struct stand_call *call = telling->call;
    struct stand_buf out;
    stand_buf_init(&out, EVENTS_MAX);
    telling->answer.at = telling->answer.len;
    telling->wire->whole(&telling->answer, &out);
    if (telling->pieces > 1)
        call->plan.delay_ms += telling->pause_ms * (telling->pieces - 1);
    struct stand_answer whole = {.status = 200,
                                 .content_type = "application/json",
                                 .headers = telling->headers.data,
                                 .body = out.data,
                                 .len = out.len};
    stand_call_reply(call, &whole);
    stand_buf_fini(&out);
}

/* --- a stream --- */

static void add_piece(struct telling *telling, struct stand_buf *out)
{
    struct answer *answer = &telling->answer;
    const char *from = answer->text + answer->at;
    size_t left = answer->len - answer->at;
    size_t want = answer->len * (telling->piece + 1) / telling->pieces - answer->at;
    size_t len = want < left ? want : left;
    while (len < left && ((unsigned char)from[len] & 0xc0) == 0x80)
        len++; /* never inside a character */
    answer->at += len;
    telling->piece++;
    if (len > 0 || is_whole_call(telling))
        telling->wire->piece(answer, from, len, out);
}

/* Sends the events made so far; false when a cut by bytes ended the stream. */
static bool flush(struct telling *telling, struct stand_buf *out)
{
    struct stand_call *call = telling->call;
    const struct stand_action *action = main_action(call);
    size_t len = out->len;
    bool cut = action->type == STAND_CUT_OFF && action->bytes >= 0 &&
               telling->sent_bytes + len > (uint64_t)action->bytes;
    if (cut)
        len = (size_t)action->bytes - telling->sent_bytes;
    telling->sent_bytes += len;
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
static bool stop_is_due(const struct telling *telling)
{
    const struct stand_action *action = main_action(telling->call);
    size_t due = action->chunks >= 0 ? (size_t)action->chunks : telling->pieces / 2;
    bool by_bytes = action->type == STAND_CUT_OFF && action->chunks < 0 && action->bytes >= 0;
    bool stops = action->type == STAND_STALL || action->type == STAND_CUT_OFF ||
                 action->type == STAND_ERROR_IN_STREAM || action->type == STAND_TRUNCATE ||
                 action->type == STAND_WRONG_JSON;
    return stops && !by_bytes && !telling->stalled &&
           (telling->piece >= due || telling->piece == telling->pieces);
}

/* Adds what takes the place of the rest. */
static void add_stop(struct telling *telling, struct stand_buf *out)
{
    const struct stand_action *action = main_action(telling->call);
    const struct wire *wire = telling->wire;
    if (action->type == STAND_ERROR_IN_STREAM) {
        struct wire_error error = wire_stream_error(wire, action);
        if (wire->bare_errors)
            flush(telling, out);
        wire->fail(&telling->answer, &error, out);
    } else if (action->type == STAND_WRONG_JSON) {
        wire->spoil(&telling->answer, out);
    } else if (action->type == STAND_TRUNCATE && wire->close) {
        wire->close(&telling->answer, out);
    }
}

static void next_events(void *user);

static void stop_stream(struct telling *telling, struct stand_buf *out)
{
    struct stand_call *call = telling->call;
    const struct stand_action *action = main_action(call);
    add_stop(telling, out);
    if (!flush(telling, out))
        return;
    if (action->type == STAND_CUT_OFF) {
        stand_call_outcome(call, STAND_CUT);
        stand_exchange_cut(call->x, action->reset > 0);
    } else if (action->type != STAND_STALL) {
        stand_exchange_end(call->x);
    } else {
        telling->stalled = true;
        if (action->every_ms >= 0)
            telling->pause_ms = (uint64_t)action->every_ms;
        if (action->ms >= 0)
            stand_exchange_after(call->x, (uint64_t)action->ms, next_events, telling);
        else
            stand_call_outcome(call, STAND_STALLED);
    }
}

/* Sends events up to the next pause, fault or the end. */
static void next_events(void *user)
{
    struct telling *telling = user;
    struct stand_buf out;
    stand_buf_init(&out, EVENTS_MAX);
    if (telling->sent_bytes == 0 && telling->piece == 0 && !telling->stalled)
        telling->wire->start(&telling->answer, &out);
    for (;;) {
        if (stop_is_due(telling)) {
            stop_stream(telling, &out);
            return;
        }
        if (telling->piece == telling->pieces)
            break;
        add_piece(telling, &out);
        if (telling->pause_ms && telling->piece < telling->pieces) {
            if (flush(telling, &out))
                stand_exchange_after(telling->call->x, telling->pause_ms, next_events, telling);
            return;
        }
    }
    telling->wire->end(&telling->answer, &out);
    if (flush(telling, &out))
        stand_exchange_end(telling->call->x);
}

static void start_stream(void *user)
{
    struct stand_call *call = user;
    struct telling *telling = call->user;
    bool array = telling->answer.chat->array;
    struct stand_answer head = {.status = 200,
                                .content_type =
                                    array ? "application/json" : "text/event-stream; charset=utf-8",
                                .headers = telling->headers.data};
    call->status = 200;
    stand_exchange_begin(call->x, &head);
    next_events(telling);
}

void answer_free(void *user)
{
    struct telling *telling = user;
    if (!telling)
        return;
    free(telling->answer.text);
    stand_buf_fini(&telling->answer.head);
    stand_buf_fini(&telling->headers);
    free(telling);
}

void answer_start(const struct model_options *options, struct stand_call *call)
{
    const struct chat *chat = call->parsed;
    struct telling *telling = stand_alloc(sizeof *telling);
    enum stand_action_type type = main_action(call)->type;
    call->user = telling;
    telling->call = call;
    telling->options = options;
    telling->wire = chat->wire;
    telling->pause_ms = (uint64_t)options->delay_ms;
    telling->answer.chat = chat;
    stand_buf_init(&telling->answer.head, EVENTS_MAX);
    stand_buf_init(&telling->headers, HEADERS_MAX);
    set_ids(telling);
    choose_text(telling);
    bound_pieces(telling);
    stand_ledger_sid(call->app->ledger, call->entry, telling->answer.id);
    call->plan.delay_ms += (uint64_t)options->first_token_ms;
    stand_exchange_drop_body(call->x);
    if (chat->stream && type != STAND_NONSENSE && type != STAND_ANSWER_LOST)
        stand_call_delayed(call, start_stream);
    else
        send_object(telling);
}
