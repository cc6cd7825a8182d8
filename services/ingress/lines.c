/* Sockets of calls. A handshake counts when our own path's mac and Twilio's signature under a key
 * of the path's tenant fit, once; what then comes is still hostile: the first frame must be the
 * setup of the path's call, a frame that cannot be read is counted and passed over, and a peer that
 * sends nothing else is closed. Called by ingress.c; the rest is callbacks of http/socket.h. */
#include "lines.h"

#include "base/clock.h"
#include "base/mem.h"
#include "contract/twilio.h"
#include "counters.h"
#include "http/socket.h"
#include "service/log.h"
#include "spent.h"

#include <stdlib.h>
#include <string.h>

#define FRAMES_PER_S  50
#define FRAME_BURST   100
#define PING_MS       20000
#define CLOSE_WAIT_MS 5000
#define SETUP_MS      3000 /* until the first frame: the caller may be hearing nothing */
#define BAD_MAX       10   /* unreadable frames one after the other */

#define CLOSE_PROTOCOL 1002 /* RFC 6455, 7.4.1 */
#define CLOSE_BAD_DATA 1007
#define CLOSE_POLICY   1008
#define CLOSE_NORMAL   1000

struct lines {
    struct ingress *ingress;
    struct calls *calls;
    struct loop *loop;
    struct socket_server *server;
    struct arena *arena; /* of the frame in hand */
    struct spent *spent; /* paths that were used */
    uint64_t serial;
    struct socket_counts told; /* numbers that the metrics have */
};

/* One socket. */
struct line {
    struct lines *lines;
    struct call_token token;
    uint64_t socket, serial;
    bool set_up;
    int bad;             /* unreadable frames since the last good one */
    struct timer *timer; /* for the setup */
};

/* ---- the handshake ---- */

static bool is_signed(struct lines *lines, const struct socket_handshake *handshake,
                      const struct call_token *token)
{
    int count = 0;
    const char *signature = socket_handshake_header(handshake, "X-Twilio-Signature", &count);
    struct channel *found[DIRECTORY_TENANT_LOOKUP_MAX];
    const struct secret *keys[DIRECTORY_ALL_KEYS_MAX];
    char tenant[UUID_TEXT_SIZE];
    if (count != 1 || signature[0] == '\0')
        return false;
    size_t channels = directory_find_tenant(lines->ingress->directory,
                                            uuid_format(&token->tenant, tenant), "", found);
    size_t key_count = channel_keys(found, channels, keys);
    const char *url =
        arena_printf(lines->arena, "%s%s", lines->ingress->relay_base, handshake->target);
    bool fits = twilio_handshake_fits(lines->arena, url, signature, keys, key_count);
    for (size_t i = 0; i < channels; i++)
        channel_release(&found[i]);
    return fits;
}

static int on_handshake(void *arg, const struct socket_handshake *handshake, void **user)
{
    struct lines *lines = arg;
    struct ingress *ingress = lines->ingress;
    const struct secret *keys[] = {ingress->relay_key};
    struct call_token token;
    struct err err;
    arena_reset(lines->arena);
    if (!atomic_load(&ingress->directory_read) || atomic_load(&ingress->stream_partition) < 0)
        return 503;
    if (call_token_check(handshake->target, keys, 1, clock_wall_ms(), &token, &err) != 0) {
        log_warn("relay.refused", LOG_TEXT("reason", err.code));
        return 403;
    }
    if (!is_signed(lines, handshake, &token)) {
        log_warn("relay.refused", LOG_TEXT("reason", "signature.wrong"),
                 LOG_TEXT("call", token.call_sid));
        return 403;
    }
    if (!spent_take(lines->spent, handshake->target, token.expires_s, clock_wall_ms() / 1000)) {
        log_warn("relay.refused", LOG_TEXT("reason", "call_token.used"),
                 LOG_TEXT("call", token.call_sid));
        return 403;
    }
    struct line *line = xcalloc(1, sizeof *line);
    line->lines = lines;
    line->token = token;
    line->serial = ++lines->serial;
    *user = line;
    return 0;
}

/* ---- the life of a socket ---- */

static void shut(struct line *line, int code, const char *why)
{
    log_warn("relay.closed", LOG_TEXT("call", line->token.call_sid), LOG_INT("code", code),
             LOG_TEXT("reason", why));
    socket_close(line->lines->server, line->socket, code, why);
}

static void on_setup_late(void *arg)
{
    shut(arg, CLOSE_POLICY, "no setup came");
}

static void on_opened(void *arg, uint64_t socket, void *user)
{
    struct lines *lines = arg;
    struct line *line = user;
    line->socket = socket;
    line->timer = timer_new(lines->loop, on_setup_late, line);
    timer_start(line->timer, SETUP_MS, 0);
}

static void on_closed(void *arg, uint64_t socket, void *user, const struct socket_end *end)
{
    struct lines *lines = arg;
    struct line *line = user;
    (void)socket;
    log_info("relay.ended", LOG_TEXT("call", line->token.call_sid),
             LOG_TEXT("cause", socket_cause_name(end->cause)), LOG_INT("code", end->code));
    struct call_relay event = {.kind = CALL_RELAY_CLOSED, .socket = line->serial};
    if (line->set_up)
        calls_relay(lines->calls, line->token.call_sid, &event);
    timer_free(&line->timer);
    free(line);
}

/* ---- frames ---- */

static bool take_setup(struct line *line, const struct relay_setup *setup)
{
    struct calls_socket socket = {
        .socket = line->socket, .serial = line->serial, .token = &line->token};
    if (line->set_up)
        return false;
    const char *why = calls_setup(line->lines->calls, &socket, setup);
    if (why != NULL) {
        shut(line, CLOSE_POLICY, why);
        return true;
    }
    line->set_up = true;
    timer_free(&line->timer);
    return true;
}

/* False: it means nothing to the call. */
static bool take_frame(struct line *line, const struct relay_frame *frame)
{
    struct call_relay event = {.socket = line->serial};
    switch (frame->kind) {
    case RELAY_PROMPT:
        event.kind = CALL_RELAY_PROMPT;
        event.text = frame->prompt.text;
        event.lang = frame->prompt.lang;
        event.partial = !frame->prompt.last;
        break;
    case RELAY_DTMF:
        event.kind = CALL_RELAY_DIGIT;
        event.digit = frame->digit;
        break;
    case RELAY_INTERRUPT:
        event.kind = CALL_RELAY_INTERRUPT;
        event.text = frame->interrupt.heard;
        break;
    case RELAY_ERROR:
        log_warn("relay.error", LOG_TEXT("call", line->token.call_sid),
                 LOG_TEXT("problem", frame->problem));
        return true;
    case RELAY_SPEAKING:
        event.kind = CALL_RELAY_SPEAKING;
        event.on = frame->speaking.on;
        if (!frame->speaking.caller)
            return false;
        break;
    case RELAY_SETUP:
    case RELAY_IGNORED:
        return false;
    }
    return calls_relay(line->lines->calls, line->token.call_sid, &event);
}

static void pass_over(struct line *line, const struct err *err)
{
    metric_add(counters.relay_bad, 1);
    if (line->bad == 0)
        log_warn("relay.bad_frame", LOG_TEXT("call", line->token.call_sid), LOG_ERR(err));
    if (++line->bad >= BAD_MAX)
        shut(line, CLOSE_BAD_DATA, "too many frames that cannot be read");
}

static void on_text(void *arg, uint64_t socket, void *user, const char *text, size_t length)
{
    struct lines *lines = arg;
    struct line *line = user;
    struct relay_frame frame;
    struct err err;
    (void)socket;
    arena_reset(lines->arena);
    if (relay_read(lines->arena, text, length, &frame, &err) != 0) {
        pass_over(line, &err);
        return;
    }
    line->bad = 0;
    bool taken = false;
    if (frame.kind == RELAY_SETUP)
        taken = take_setup(line, &frame.setup);
    else if (line->set_up)
        taken = take_frame(line, &frame);
    else if (frame.kind != RELAY_IGNORED)
        shut(line, CLOSE_PROTOCOL, "the first frame must be setup");
    metric_add(taken ? counters.relay_taken : counters.relay_ignored, 1);
}

/* ---- the calls' wire ---- */

static bool wire_say(void *arg, uint64_t socket, bool may_drop, const char *frame, size_t length)
{
    struct lines *lines = arg;
    return socket_send(lines->server, socket, may_drop ? SOCKET_MAY_DROP : SOCKET_KEEP, frame,
                       length);
}

static void wire_drop(void *arg, uint64_t socket)
{
    struct lines *lines = arg;
    socket_drop_queued(lines->server, socket);
}

static void wire_close(void *arg, uint64_t socket)
{
    struct lines *lines = arg;
    socket_close(lines->server, socket, CLOSE_NORMAL, "");
}

/* ---- the whole ---- */

int lines_open(struct ingress *ingress, struct calls *calls, struct loop *loop,
               struct lines **lines, struct err *err)
{
    struct lines *made = xcalloc(1, sizeof *made);
    made->ingress = ingress;
    made->calls = calls;
    made->loop = loop;
    made->arena = arena_new();
    made->spent = spent_new(SPENT_MAX);
    struct socket_options options = {.loop = loop,
                                     .listen = ingress->settings.relay_listen,
                                     .path_prefix = "/relay/",
                                     .max_sockets = (int)ingress->settings.max_calls,
                                     .message_max_bytes = RELAY_FRAME_MAX,
                                     .queue_max_bytes = SOCKET_QUEUE_MAX_BYTES,
                                     .frames_per_s = FRAMES_PER_S,
                                     .frame_burst = FRAME_BURST,
                                     .ping_ms = PING_MS,
                                     .close_wait_ms = CLOSE_WAIT_MS,
                                     .handshake = on_handshake,
                                     .opened = on_opened,
                                     .text = on_text,
                                     .closed = on_closed,
                                     .arg = made};
    if (socket_server_start(&options, &made->server, err) != 0) {
        lines_close(&made);
        return -1;
    }
    calls_set_wire(calls, &(struct calls_wire){wire_say, wire_drop, wire_close, made});
    log_info("relay.listening", LOG_TEXT("listen", ingress->settings.relay_listen),
             LOG_INT("port", socket_server_port(made->server)));
    *lines = made;
    return 0;
}

void lines_close(struct lines **lines)
{
    struct lines *closed = *lines;
    if (closed == NULL)
        return;
    *lines = NULL;
    socket_server_free(&closed->server);
    spent_free(&closed->spent);
    arena_free(&closed->arena);
    free(closed);
}

void lines_drain(struct lines *lines, void (*gone)(void *arg), void *arg)
{
    socket_server_drain(lines->server, gone, arg);
}

void lines_count(struct lines *lines)
{
    const struct socket_counts *now = socket_server_counts(lines->server);
    struct socket_counts *told = &lines->told;
    atomic_store(&lines->ingress->sockets, (int64_t)now->open);
    metric_set(counters.sockets, (int64_t)now->open);
    metric_add(counters.relay_sent, (int64_t)(now->frames_out - told->frames_out));
    metric_add(counters.relay_dropped, (int64_t)(now->dropped - told->dropped));
    for (int cause = 0; cause < SOCKET_CAUSES; cause++)
        counters_closed(cause, (int64_t)(now->closed[cause] - told->closed[cause]));
    for (int refusal = 0; refusal < SOCKET_REFUSALS; refusal++)
        counters_refused(refusal, (int64_t)(now->refused[refusal] - told->refused[refusal]));
    *told = *now;
}
