/* One connection of the WebSocket server: handshake, frames, closing. Its states are a table.
 * Nothing is told or freed from inside a call of the owner's: what ended is settled in the loop's
 * next pass, so that an owner may close anything from anywhere. Called by socket.c. */
#include "http/socket_inside.h"

#include "base/clock.h"
#include "base/mem.h"

#include <arpa/inet.h>
#include <assert.h>
#include <errno.h>
#include <netinet/in.h>
#include <netinet/tcp.h>
#include <stdlib.h>
#include <string.h>
#include <sys/socket.h>
#include <sys/uio.h>
#include <unistd.h>

#define SILENT_PINGS 2    /* unanswered; a third ping_ms later the socket ends */
#define TOKEN        1000 /* a frame's price; a millisecond refills frames_per_s */
#define ANSWER_BYTES 1024

enum socket_event {
    EVENT_ACCEPTED,
    EVENT_REFUSED,
    EVENT_CLOSE,       /* the owner wants it */
    EVENT_FAILED,      /* we end it without waiting for the peer's close frame */
    EVENT_PEER_CLOSED, /* its close frame */
    EVENT_LOST,        /* the connection is gone */
    EVENT_LATE,        /* the state's time is over */
    EVENTS
};

/* Where an event leads; the same state: it changes nothing there. */
static const enum socket_state next_state[STATES][EVENTS] = {
    [STATE_HEAD] = {STATE_OPEN, STATE_LINGER, STATE_HEAD, STATE_HEAD, STATE_HEAD, STATE_ENDED,
                    STATE_ENDED},
    [STATE_OPEN] = {STATE_OPEN, STATE_OPEN, STATE_CLOSING, STATE_LINGER, STATE_LINGER, STATE_ENDED,
                    STATE_OPEN},
    [STATE_CLOSING] = {STATE_CLOSING, STATE_CLOSING, STATE_CLOSING, STATE_LINGER, STATE_LINGER,
                       STATE_ENDED, STATE_ENDED},
    [STATE_LINGER] = {STATE_LINGER, STATE_LINGER, STATE_LINGER, STATE_LINGER, STATE_LINGER,
                      STATE_ENDED, STATE_ENDED},
    [STATE_ENDED] = {STATE_ENDED, STATE_ENDED, STATE_ENDED, STATE_ENDED, STATE_ENDED, STATE_ENDED,
                     STATE_ENDED},
};

/* ---- states ---- */

uint64_t connection_name(const struct connection *connection)
{
    return (uint64_t)connection->server->slots[connection->slot].generation << 32 |
           connection->slot;
}

void connection_decide(struct connection *connection, enum socket_cause cause, int code)
{
    if (connection->is_decided)
        return;
    connection->is_decided = true;
    connection->end = (struct socket_end){.cause = cause, .code = code};
}

static void settle_soon(struct connection *connection)
{
    struct socket_server *server = connection->server;
    if (connection->is_unsettled)
        return;
    connection->is_unsettled = true;
    connection->next_unsettled = server->unsettled;
    server->unsettled = connection;
    timer_start(server->settle, 0, 0);
}

/* The one place where a state changes. */
static void change(struct connection *connection, enum socket_event event)
{
    enum socket_state next = next_state[connection->state][event];
    if (next == connection->state)
        return;
    connection->state = next;
    connection->since_ms = clock_mono_ms();
    if (next == STATE_ENDED)
        watch_free(&connection->watch);
    if (next == STATE_LINGER || next == STATE_ENDED)
        settle_soon(connection);
}

static void lose(struct connection *connection)
{
    if (connection->state == STATE_HEAD)
        connection->server->counts.refused[SOCKET_REFUSED_LATE]++;
    connection_decide(connection, SOCKET_LOST, CLOSE_ABNORMAL);
    change(connection, EVENT_LOST);
}

/* Awaits what the state needs; ends our side once the last word has left. */
static void proceed(struct connection *connection)
{
    bool waits = connection->queue.first != NULL;
    if (connection->state == STATE_ENDED)
        return;
    if (connection->state == STATE_LINGER && !waits && !connection->is_shut) {
        shutdown(connection->fd, SHUT_WR);
        connection->is_shut = true;
    }
    watch_set(connection->watch, WATCH_READ | (waits ? WATCH_WRITE : 0));
}

/* ---- writing ---- */

/* Writes now what can be written now. Returns the bytes, or -1 if the connection is dead. */
static ssize_t write_now(int fd, const uint8_t *head, size_t head_length, const void *payload,
                         size_t length)
{
    union {
        const void *given;
        void *wanted; /* by the system call, which only reads */
    } first = {.given = head}, second = {.given = payload};
    struct iovec parts[2] = {{first.wanted, head_length}, {second.wanted, length}};
    struct msghdr message = {.msg_iov = parts, .msg_iovlen = 2};
    ssize_t sent = sendmsg(fd, &message, MSG_NOSIGNAL);
    return sent < 0 && (errno == EAGAIN || errno == EINTR) ? 0 : sent;
}

static void put(struct connection *connection, bool may_drop, const uint8_t *head,
                size_t head_length, const void *payload, size_t length)
{
    struct socket_counts *counts = &connection->server->counts;
    ssize_t sent = 0;
    if (connection->state == STATE_ENDED)
        return;
    if (connection->queue.first == NULL)
        sent = write_now(connection->fd, head, head_length, payload, length);
    if (sent < 0) {
        lose(connection);
        return;
    }
    if ((size_t)sent == head_length + length)
        return;
    send_queue_add(&connection->queue, may_drop, head, head_length, payload, length, (size_t)sent);
    if (connection->queue.bytes > counts->queue_high_bytes)
        counts->queue_high_bytes = connection->queue.bytes;
    proceed(connection);
}

static void put_frame(struct connection *connection, enum frame_opcode opcode, bool may_drop,
                      const void *payload, size_t length)
{
    uint8_t head[FRAME_HEAD_MAX];
    size_t head_length = frame_head_write(head, opcode, length);
    connection->server->counts.frames_out++;
    put(connection, may_drop, head, head_length, payload, length);
}

static void put_close(struct connection *connection, int code, const char *reason)
{
    uint8_t payload[FRAME_CONTROL_MAX];
    put_frame(connection, FRAME_CLOSE, false, payload, frame_close_write(payload, code, reason));
}

/* Ends a socket whose peer broke a rule: nothing queued leaves any more, only the reason. */
static void fail(struct connection *connection, enum socket_cause cause, int code,
                 const char *reason)
{
    bool open = connection->state == STATE_OPEN;
    connection_decide(connection, cause, code);
    if (open) {
        send_queue_drop(&connection->queue, true);
        put_close(connection, code, reason);
    }
    change(connection, EVENT_FAILED);
    proceed(connection);
}

static bool has_room(const struct connection *connection, size_t length)
{
    size_t max = connection->server->options.queue_max_bytes;
    return length + FRAME_HEAD_MAX <= max - connection->queue.bytes;
}

/* Queues a frame; a peer that takes too slowly loses its socket. */
static void offer(struct connection *connection, enum frame_opcode opcode, bool may_drop,
                  const void *payload, size_t length)
{
    if (has_room(connection, length))
        put_frame(connection, opcode, may_drop, payload, length);
    else
        fail(connection, SOCKET_SLOW_READER, CLOSE_POLICY, "frames are taken too slowly");
}

/* ---- frames that come ---- */

static void on_part(struct connection *connection, const struct frame *frame)
{
    (void)connection, (void)frame;
}

static void on_text(struct connection *connection, const struct frame *frame)
{
    const struct socket_options *options = &connection->server->options;
    if (connection->state == STATE_OPEN)
        options->text(options->arg, connection_name(connection), connection->user, frame->bytes,
                      frame->length);
}

static void on_ping(struct connection *connection, const struct frame *frame)
{
    if (connection->state == STATE_OPEN)
        offer(connection, FRAME_PONG, false, frame->bytes, frame->length);
}

static void on_close(struct connection *connection, const struct frame *frame)
{
    connection_decide(connection, SOCKET_BY_PEER, frame->code);
    connection->end.clean = true;
    if (connection->state == STATE_OPEN) {
        send_queue_drop(&connection->queue, true);
        put_close(connection, frame->code, "");
    }
    change(connection, EVENT_PEER_CLOSED);
    proceed(connection);
}

static void on_bad(struct connection *connection, const struct frame *frame)
{
    fail(connection, frame->cause, frame->code, frame->reason);
}

static void (*const on_frame[])(struct connection *connection, const struct frame *frame) = {
    [FRAME_IS_PART] = on_part, [FRAME_IS_TEXT] = on_text,   [FRAME_IS_PING] = on_ping,
    [FRAME_IS_PONG] = on_part, [FRAME_IS_CLOSE] = on_close, [FRAME_IS_BAD] = on_bad,
};

/* Takes a frame's price from the bucket; false if it is empty. */
static bool pay(struct connection *connection)
{
    const struct socket_options *options = &connection->server->options;
    int64_t full = (int64_t)options->frame_burst * TOKEN;
    int64_t refill = (connection->heard_ms - connection->refilled_ms) * options->frames_per_s;
    connection->refilled_ms = connection->heard_ms;
    connection->tokens = refill >= full - connection->tokens ? full : connection->tokens + refill;
    if (connection->tokens < TOKEN)
        return false;
    connection->tokens -= TOKEN;
    return true;
}

static void take_frames(struct connection *connection, const char *bytes, size_t length)
{
    struct frame frame;
    while (connection->state == STATE_OPEN || connection->state == STATE_CLOSING) {
        enum frame_event event = frame_reader_take(&connection->reader, &bytes, &length, &frame);
        if (event == FRAME_NEEDS_MORE)
            return;
        connection->server->counts.frames_in++;
        if (pay(connection))
            on_frame[event](connection, &frame);
        else
            fail(connection, SOCKET_TOO_MANY, CLOSE_POLICY, "too many frames");
    }
}

/* ---- the handshake ---- */

static void refuse(struct connection *connection, const struct upgrade_answer *answer)
{
    struct strbuf out;
    strbuf_init(&out, ANSWER_BYTES);
    upgrade_refuse(answer, &out);
    connection->server->counts.refused[answer->refusal]++;
    change(connection, EVENT_REFUSED);
    put(connection, false, (const uint8_t *)out.data, out.length, NULL, 0);
    strbuf_fini(&out);
    proceed(connection);
}

static void accept_socket(struct connection *connection, const struct upgrade_head *head)
{
    struct socket_server *server = connection->server;
    struct strbuf out;
    strbuf_init(&out, ANSWER_BYTES);
    upgrade_accept(head, &out);
    strbuf_fini(&connection->head);
    connection->is_socket = true;
    connection->tokens = (int64_t)server->options.frame_burst * TOKEN;
    connection->refilled_ms = connection->pinged_ms = connection->heard_ms;
    server->counts.open++;
    server->counts.opened++;
    change(connection, EVENT_ACCEPTED);
    put(connection, false, (const uint8_t *)out.data, out.length, NULL, 0);
    strbuf_fini(&out);
    server->options.opened(server->options.arg, connection_name(connection), connection->user);
}

/* Asks the owner; fills *answer unless the handshake is accepted. */
static bool ask_owner(struct connection *connection, const struct upgrade_head *head,
                      struct upgrade_answer *answer)
{
    struct socket_server *server = connection->server;
    struct sockaddr_in peer = {.sin_family = AF_INET};
    socklen_t size = sizeof peer;
    char remote[INET_ADDRSTRLEN] = "";
    if (getpeername(connection->fd, (struct sockaddr *)&peer, &size) == 0)
        inet_ntop(AF_INET, &peer.sin_addr, remote, sizeof remote);
    struct socket_handshake handshake = {.target = head->http.uri, .remote = remote, .head = head};
    int status = server->options.handshake(server->options.arg, &handshake, &connection->user);
    assert(status == 0 || status >= 400);
    *answer = (struct upgrade_answer){status, SOCKET_REFUSED_BY_OWNER, "refused"};
    return status == 0;
}

static bool admit(struct connection *connection, struct upgrade_head *head,
                  struct upgrade_answer *answer)
{
    struct socket_server *server = connection->server;
    if (!upgrade_judge(connection->head.data, connection->head.length, server->path_prefix, head,
                       answer))
        return false;
    if (server->draining)
        *answer = (struct upgrade_answer){503, SOCKET_REFUSED_DRAINING, "going away"};
    else if (server->counts.open >= (size_t)server->options.max_sockets)
        *answer = (struct upgrade_answer){503, SOCKET_REFUSED_FULL, "all sockets are taken"};
    return answer->status == 0 && ask_owner(connection, head, answer);
}

static void take_head(struct connection *connection, const char *bytes, size_t length)
{
    struct upgrade_head head;
    struct upgrade_answer answer = {.refusal = SOCKET_REFUSED_MALFORMED};
    struct strbuf *read = &connection->head;
    strbuf_add(read, bytes, length);
    size_t head_length = upgrade_head_length(read->data, read->length);
    if (read->overflow)
        answer = (struct upgrade_answer){431, SOCKET_REFUSED_MALFORMED, "head too large"};
    else if (head_length == 0)
        return;
    else if (head_length < read->length)
        answer = (struct upgrade_answer){400, SOCKET_REFUSED_MALFORMED, "bytes behind the head"};
    if (answer.status == 0 && admit(connection, &head, &answer))
        accept_socket(connection, &head);
    else
        refuse(connection, &answer);
}

/* ---- the descriptor ---- */

static void read_some(struct connection *connection)
{
    struct socket_server *server = connection->server;
    ssize_t got = recv(connection->fd, server->buffer, sizeof server->buffer, 0);
    if (got < 0 && (errno == EAGAIN || errno == EINTR))
        return;
    if (got <= 0) {
        lose(connection);
        return;
    }
    connection->heard_ms = clock_mono_ms();
    connection->unanswered = 0;
    if (connection->state == STATE_HEAD)
        take_head(connection, server->buffer, (size_t)got);
    else if (connection->state != STATE_LINGER)
        take_frames(connection, server->buffer, (size_t)got);
}

static void on_ready(void *arg, int events)
{
    struct connection *connection = arg;
    struct socket_server *server = connection->server;
    server->inside = true;
    if (events & WATCH_WRITE) {
        if (send_queue_flush(&connection->queue, connection->fd) != 0)
            lose(connection);
        else
            proceed(connection);
    }
    if ((events & WATCH_READ) && connection->state != STATE_ENDED)
        read_some(connection);
    server->inside = false;
}

void connection_new(struct socket_server *server, int fd)
{
    int one = 1;
    struct connection *connection = xcalloc(1, sizeof *connection);
    connection->server = server;
    connection->fd = fd;
    connection->since_ms = connection->heard_ms = clock_mono_ms();
    connection->slot = server->free_slots[--server->free_count];
    strbuf_init(&connection->head, HTTP_HEAD_BYTES_MAX);
    frame_reader_init(&connection->reader, server->options.message_max_bytes);
    server->slots[connection->slot].connection = connection;
    server->slots[connection->slot].generation++;
    setsockopt(fd, IPPROTO_TCP, TCP_NODELAY, &one, sizeof one);
    connection->watch = watch_new(server->options.loop, fd, on_ready, connection);
    watch_set(connection->watch, WATCH_READ);
}

void connection_release(struct connection *connection)
{
    struct socket_server *server = connection->server;
    watch_free(&connection->watch);
    close(connection->fd);
    strbuf_fini(&connection->head);
    frame_reader_fini(&connection->reader);
    send_queue_fini(&connection->queue);
    server->slots[connection->slot].connection = NULL;
    server->free_slots[server->free_count++] = connection->slot;
    free(connection);
}

/* ---- time ---- */

static void check_head(struct connection *connection, int64_t now_ms)
{
    static const struct upgrade_answer late = {408, SOCKET_REFUSED_LATE, "the head took too long"};
    if (now_ms - connection->since_ms < SOCKET_HEAD_MS)
        return;
    if (connection->head.length > 0)
        refuse(connection, &late);
    else
        lose(connection);
}

/* Counts pings, not time alone: after a pause of ours the peer still gets its chance to answer. */
static void check_open(struct connection *connection, int64_t now_ms)
{
    int64_t ping_ms = connection->server->options.ping_ms;
    if (now_ms - connection->heard_ms < ping_ms || now_ms - connection->pinged_ms < ping_ms)
        return;
    if (connection->unanswered == SILENT_PINGS) {
        fail(connection, SOCKET_SILENT, CLOSE_POLICY, "no answer to pings");
        return;
    }
    connection->unanswered++;
    connection->pinged_ms = now_ms;
    offer(connection, FRAME_PING, false, NULL, 0);
}

/* Closing or lingering. */
static void check_end(struct connection *connection, int64_t now_ms)
{
    if (now_ms - connection->since_ms >= connection->server->options.close_wait_ms)
        change(connection, EVENT_LATE);
}

static void check_nothing(struct connection *connection, int64_t now_ms)
{
    (void)connection, (void)now_ms;
}

void connection_check(struct connection *connection, int64_t now_ms)
{
    static void (*const checks[STATES])(struct connection * connection, int64_t now_ms) = {
        [STATE_HEAD] = check_head,  [STATE_OPEN] = check_open,     [STATE_CLOSING] = check_end,
        [STATE_LINGER] = check_end, [STATE_ENDED] = check_nothing,
    };
    checks[connection->state](connection, now_ms);
}

/* ---- what the owner wants ---- */

bool connection_send(struct connection *connection, bool may_drop, const char *text, size_t length)
{
    if (connection->state != STATE_OPEN)
        return false;
    offer(connection, FRAME_TEXT, may_drop, text, length);
    return connection->state == STATE_OPEN;
}

size_t connection_drop(struct connection *connection)
{
    size_t dropped = send_queue_drop(&connection->queue, false);
    connection->server->counts.dropped += dropped;
    proceed(connection);
    return dropped;
}

void connection_close(struct connection *connection, int code, const char *reason)
{
    if (connection->state != STATE_OPEN)
        return;
    connection_decide(connection, SOCKET_BY_US, code);
    put_close(connection, code, reason);
    change(connection, EVENT_CLOSE);
    proceed(connection);
}
