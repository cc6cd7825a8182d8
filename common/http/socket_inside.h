/* What the files of the WebSocket server share. Private to common/http: nobody else includes it.
 * socket.c listens and answers the owner, socket_connection.c holds a connection and its states,
 * socket_upgrade.c judges handshakes, socket_frame.c reads and writes frames, socket_queue.c holds
 * what waits to leave. All on the loop's thread. */
#ifndef DESK_HTTP_SOCKET_INSIDE_H
#define DESK_HTTP_SOCKET_INSIDE_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "base/strbuf.h"
#include "http/server_inside.h"
#include "http/socket.h"
#include "loop/loop.h"

/* ---- socket_frame.c ---- */

#define FRAME_HEAD_MAX    14 /* two bytes, eight of length, four of mask */
#define FRAME_CONTROL_MAX 125
#define FRAME_REASON_MAX  (FRAME_CONTROL_MAX - 2)

enum frame_opcode {
    FRAME_CONTINUATION = 0x0,
    FRAME_TEXT = 0x1,
    FRAME_BINARY = 0x2,
    FRAME_CLOSE = 0x8,
    FRAME_PING = 0x9,
    FRAME_PONG = 0xA
};

enum close_code {
    CLOSE_NORMAL = 1000,
    CLOSE_PROTOCOL = 1002,
    CLOSE_UNSUPPORTED = 1003,
    CLOSE_NO_CODE = 1005,  /* never on the wire */
    CLOSE_ABNORMAL = 1006, /* never on the wire */
    CLOSE_NOT_UTF8 = 1007,
    CLOSE_POLICY = 1008,
    CLOSE_TOO_LARGE = 1009
};

/* Reads frames from bytes as they come. Memory: what of a message has arrived, nothing between
 * messages. */
struct frame_reader {
    struct strbuf message; /* of the open message */
    size_t message_max;
    uint8_t head[FRAME_HEAD_MAX], head_length;
    uint8_t opcode, mask[4];
    bool final, in_payload, in_message;
    uint32_t left, at; /* of the frame's payload: still to come, already there */
    uint8_t control[FRAME_CONTROL_MAX];
};

enum frame_event {
    FRAME_NEEDS_MORE, /* all bytes are taken */
    FRAME_IS_PART,    /* a fragment that does not end its message */
    FRAME_IS_TEXT,
    FRAME_IS_PING,
    FRAME_IS_PONG,
    FRAME_IS_CLOSE,
    FRAME_IS_BAD, /* nothing can be read behind it */
};

/* One whole frame or message; `bytes` is valid until the next call. */
struct frame {
    const char *bytes; /* text: NUL behind it */
    size_t length;
    int code; /* of a close frame: CLOSE_NO_CODE if it names none; of a bad one: ours */
    enum socket_cause cause; /* of a bad one */
    const char *reason;      /* of a bad one, static */
};

/* Prepares for messages of at most max_bytes. */
void frame_reader_init(struct frame_reader *reader, size_t max_bytes);
void frame_reader_fini(struct frame_reader *reader);

/* Takes bytes from *bytes (moves it, lowers *length) until something is whole. A message over the
 * maximum is bad as soon as a header says so. */
enum frame_event frame_reader_take(struct frame_reader *reader, const char **bytes, size_t *length,
                                   struct frame *frame);

/* Writes the header of an unfragmented, unmasked frame; returns its length. */
size_t frame_head_write(uint8_t out[FRAME_HEAD_MAX], enum frame_opcode opcode, size_t length);

/* Writes a close frame's payload, the reason cut to fit; returns its length. */
size_t frame_close_write(uint8_t out[FRAME_CONTROL_MAX], int code, const char *reason);

/* ---- socket_upgrade.c ---- */

/* A request's head, split in place. */
struct upgrade_head {
    struct http_line lines[HTTP_HEADERS_MAX + 1];
    struct http_head http;
    char *question; /* where the target's "?" was, or NULL */
};

struct upgrade_answer {
    int status; /* 101 to accept; 0: the owner decides */
    enum socket_refusal refusal;
    const char *reason; /* static */
};

/* Length of the head with its empty line, 0 if that is not there yet. */
size_t upgrade_head_length(const char *bytes, size_t length);

/* Splits and judges the head of `length` bytes, which it changes. False: *answer says why. */
bool upgrade_judge(char *bytes, size_t length, const char *path_prefix, struct upgrade_head *head,
                   struct upgrade_answer *answer);

/* Appends the answer to an accepted head, or to a refused one. */
void upgrade_accept(const struct upgrade_head *head, struct strbuf *out);
void upgrade_refuse(const struct upgrade_answer *answer, struct strbuf *out);

/* ---- socket_queue.c ---- */

struct queued_frame;

/* What waits to leave on one connection. */
struct send_queue {
    struct queued_frame *first, *last;
    size_t bytes; /* waiting */
};

/* Appends header and payload; `sent` bytes of them have left already. */
void send_queue_add(struct send_queue *queue, bool may_drop, const uint8_t *head,
                    size_t head_length, const void *payload, size_t length, size_t sent);

/* Drops frames that have not begun to leave: those that may be dropped, or all. Returns how many.
 */
size_t send_queue_drop(struct send_queue *queue, bool all);

/* Writes what the kernel takes. 0, or -1 if the connection is dead. */
int send_queue_flush(struct send_queue *queue, int fd);

/* Frees what is left. */
void send_queue_fini(struct send_queue *queue);

/* ---- socket_connection.c ---- */

#define SOCKET_READ_BYTES 16384 /* of one connection in one pass: the others' turn comes soon */

enum socket_state {
    STATE_HEAD,    /* the request's head is awaited */
    STATE_OPEN,    /* a WebSocket */
    STATE_CLOSING, /* our close frame is on its way, the peer's is awaited */
    STATE_LINGER,  /* what is queued leaves, then our side ends; what comes is thrown away */
    STATE_ENDED,   /* waits to be freed */
    STATES
};

/* A TCP connection, from its acceptance on. Its slot and generation make its name. */
struct connection {
    struct socket_server *server;
    struct watch *watch;
    int fd;
    enum socket_state state;
    bool is_socket; /* between `opened` and `closed` */
    bool is_decided, is_shut, is_unsettled;
    uint32_t slot;
    struct connection *next_unsettled;
    int64_t since_ms; /* in its state */
    int64_t heard_ms, pinged_ms;
    int unanswered; /* pings */
    int64_t tokens, refilled_ms;
    struct socket_end end;
    void *user;
    struct strbuf head;
    struct frame_reader reader;
    struct send_queue queue;
};

struct slot {
    struct connection *connection; /* NULL if free */
    uint32_t generation;
};

struct socket_server {
    struct socket_options options;
    char *path_prefix;
    int listener, port;
    struct watch *watch;
    struct timer *tick, *settle;
    struct slot *slots;
    uint32_t *free_slots;
    size_t slot_count, free_count;
    struct connection *unsettled;
    bool draining, inside; /* inside: a callback of the loop's is on the stack */
    void (*drained)(void *arg);
    void *drained_arg;
    struct socket_counts counts;
    char buffer[SOCKET_READ_BYTES];
};

/* Takes the accepted descriptor; a slot must be free. */
void connection_new(struct socket_server *server, int fd);

/* Frees it, whatever its state. */
void connection_release(struct connection *connection);

/* The socket's name; only while it is one. */
uint64_t connection_name(const struct connection *connection);

/* Notes why the socket ends, unless that is known already. */
void connection_decide(struct connection *connection, enum socket_cause cause, int code);

/* Ends what has taken too long in its state, pings what is silent. */
void connection_check(struct connection *connection, int64_t now_ms);

/* What socket_send, socket_drop_queued and socket_close do. */
bool connection_send(struct connection *connection, bool may_drop, const char *text, size_t length);
size_t connection_drop(struct connection *connection);
void connection_close(struct connection *connection, int code, const char *reason);

#endif
