/* WebSocket server (RFC 6455) on one event loop: plain TCP behind a proxy, text messages only, no
 * extensions, no subprotocols. Written for Twilio's ConversationRelay: many sockets that are open
 * for minutes and mostly silent.
 *
 * It does not run on CivetWeb, which allocates what a frame's header claims, up to 2 GiB, before
 * anybody is asked (docs/adr/0006). There is no thread here: everything is called on the loop's
 * thread, nothing blocks, and an idle socket costs some hundred bytes.
 *
 * Before the upgrade every request is judged, in this order, answered and closed here:
 * 400 malformed head or key, a body, or bytes behind the head; 505 another version than HTTP/1.1;
 * 405 not GET; 404 outside path_prefix; 426 no upgrade to WebSocket version 13; 503 with
 * Retry-After when max_sockets are open or the server drains; then what the handshake callback
 * says. 408 when the head is not there within SOCKET_HEAD_MS, 431 when it is over 16 kB.
 *
 * After it, what a peer may not do ends its socket with a close frame:
 *   1002  not masked, reserved bits or opcodes, a fragment out of order, a bad control frame, a
 *         length or close code that RFC 6455 forbids
 *   1003  binary
 *   1007  text that is not UTF-8, or holds a NUL
 *   1008  more frames (of any kind, fragments count) than frames_per_s and the burst allow; takes
 *         its frames too slowly; no sign of life for three ping_ms
 *   1009  a message over message_max_bytes: judged by what headers claim, before a byte is kept
 *
 * Behind nginx the location needs
 *   proxy_http_version 1.1;
 *   proxy_set_header Upgrade $http_upgrade;
 *   proxy_set_header Connection "upgrade";
 *   proxy_set_header Host $http_host;
 *   proxy_read_timeout 90s;  # longer than ping_ms: pings keep it from running out
 * and `merge_slashes off` in its server, as for webhooks: the target is signed byte for byte. Each
 * socket takes one descriptor, and up to 256 more are used by connections that are not sockets yet
 * or no longer. */
#ifndef DESK_HTTP_SOCKET_H
#define DESK_HTTP_SOCKET_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "base/err.h"
#include "loop/loop.h"

struct socket_server;

#define SOCKET_HEAD_MS           5000 /* until the request's head is there */
#define SOCKET_MESSAGE_MAX_BYTES (64 * 1024)
#define SOCKET_QUEUE_MAX_BYTES   (256 * 1024)

/* ---- the handshake ---- */

struct socket_handshake {
    const char *target; /* raw request target, undecoded: path and query, as it is signed */
    const char *remote; /* the peer's address: the proxy's, if there is one */
    const void *head;   /* private */
};

/* The header's value (case-insensitive name), or NULL; *count (may be NULL) gets how often it
 * occurs. Valid inside the handshake callback. */
const char *socket_handshake_header(const struct socket_handshake *handshake, const char *name,
                                    int *count);

/* ---- what the owner is told ---- */

/* Why a socket ended. */
enum socket_cause {
    SOCKET_BY_PEER,     /* its close frame */
    SOCKET_BY_US,       /* socket_close */
    SOCKET_LOST,        /* the connection ended without a close frame */
    SOCKET_SILENT,      /* no answer to pings */
    SOCKET_PROTOCOL,    /* 1002 */
    SOCKET_BINARY,      /* 1003 */
    SOCKET_NOT_UTF8,    /* 1007 */
    SOCKET_TOO_LARGE,   /* 1009 */
    SOCKET_TOO_MANY,    /* frames, 1008 */
    SOCKET_SLOW_READER, /* its queue was full, 1008 */
    SOCKET_STOPPED,     /* socket_server_free */
    SOCKET_CAUSES
};

/* The cause as a word for logs and metrics: "peer", "slow_reader". */
const char *socket_cause_name(enum socket_cause cause);

struct socket_end {
    enum socket_cause cause;
    int code;   /* of the close frame that decided: the peer's or ours; 1005 if it named none,
                   1006 if there was none */
    bool clean; /* both sides said close */
};

struct socket_options {
    struct loop *loop;        /* borrowed */
    const char *listen;       /* "127.0.0.1:8083"; port 0: kernel's choice (socket_server_port) */
    const char *path_prefix;  /* "/relay/"; copied */
    int max_sockets;          /* open at once, 1-60000 */
    size_t message_max_bytes; /* one whole message, 126-1 MiB; SOCKET_MESSAGE_MAX_BYTES */
    size_t queue_max_bytes;   /* waiting to be sent on one socket; SOCKET_QUEUE_MAX_BYTES */
    int frames_per_s, frame_burst; /* token bucket of each socket, 1-100000 */
    int64_t ping_ms;               /* silence before we ping */
    int64_t close_wait_ms; /* for the peer to take our last words and to end: then it is cut */

    /* All run on the loop's thread and may call every socket_* function but socket_server_free.
     *
     * Judges a handshake. Returns 0 to accept, or the HTTP status of the refusal (403, 404, 503;
     * 503 carries Retry-After). *user is the owner's, and not looked at after a refusal; each
     * accepted handshake gets `opened` and, later, `closed`, once each. */
    int (*handshake)(void *arg, const struct socket_handshake *handshake, void **user);
    /* The socket can be written to from now on. */
    void (*opened)(void *arg, uint64_t socket, void *user);
    /* One whole message: UTF-8 without NUL and with one behind it, valid during the call. In the
     * order of their arrival, never after socket_close. */
    void (*text)(void *arg, uint64_t socket, void *user, const char *text, size_t length);
    /* The last call for this socket: its handle is void, *user is the owner's again. Never called
     * from inside another socket_* function, except socket_server_free. */
    void (*closed)(void *arg, uint64_t socket, void *user, const struct socket_end *end);
    void *arg; /* borrowed */
};

/* ---- one socket ----
 * A socket is named by a number that is never used again and never 0. The server owns what is
 * behind it; a number whose socket is closing, closed or never was is safe everywhere and does
 * nothing. Loop thread only. */

enum socket_keep {
    SOCKET_MAY_DROP, /* speech: socket_drop_queued throws it away */
    SOCKET_KEEP,     /* leaves in any case, in its place */
};

/* Sends one text message (UTF-8, the caller's duty; copied). Never blocks: what the peer does not
 * take at once waits in the socket's queue. False if the socket is not open, or was not able to
 * hold it: then it closes with SOCKET_SLOW_READER, and only it. */
bool socket_send(struct socket_server *server, uint64_t socket, enum socket_keep keep,
                 const char *text, size_t length);

/* Throws away queued messages that may be dropped and of which no byte has left; returns how many.
 * What has left sits in the kernel (at most some 64 kB, nothing if the peer keeps up) or is heard
 * already. */
size_t socket_drop_queued(struct socket_server *server, uint64_t socket);

/* Closes in order: what is queued leaves, then a close frame with the code (1000-4999) and reason
 * (at most 123 bytes, cut); the peer has close_wait_ms for all that. Messages that arrive meanwhile
 * are not delivered. `closed` follows. */
void socket_close(struct socket_server *server, uint64_t socket, int code, const char *reason);

/* ---- the server ---- */

/* Starts listening (options are copied). PERMANENT "socket.listen" if the address cannot be had.
 * Returns owned. Loop thread, or before the loop runs. */
int socket_server_start(const struct socket_options *options, struct socket_server **server,
                        struct err *err);

/* The port it listens on. Any thread. */
int socket_server_port(const struct socket_server *server);

/* Handshakes get 503 from now on; open sockets live on. `drained` (may be NULL) is called once,
 * from the loop, as soon as no socket is open. Calling again is allowed and changes `drained`. */
void socket_server_drain(struct socket_server *server, void (*drained)(void *arg), void *arg);

/* Cuts every connection and frees; still open sockets get `closed` with SOCKET_STOPPED from inside.
 * Sets *server to NULL; accepts NULL. Not from inside a callback. The loop must pass once more
 * before loop_free. */
void socket_server_free(struct socket_server **server);

/* ---- numbers ---- */

/* Why a connection did not become a socket. */
enum socket_refusal {
    SOCKET_REFUSED_MALFORMED, /* 400, 405, 426, 431, 505 */
    SOCKET_REFUSED_PATH,      /* 404 of ours */
    SOCKET_REFUSED_FULL,
    SOCKET_REFUSED_DRAINING,
    SOCKET_REFUSED_BY_OWNER, /* the handshake callback's */
    SOCKET_REFUSED_LATE,     /* 408, silent, or gone before its head was there */
    SOCKET_REFUSALS
};

/* The reason as a word for metrics: "malformed", "path", "full", "draining", "owner", "late". */
const char *socket_refusal_name(enum socket_refusal refusal);

/* Since start, except `open`. */
struct socket_counts {
    size_t open;             /* now; closing ones included */
    size_t queue_high_bytes; /* the most that one socket's queue held */
    uint64_t opened, refused[SOCKET_REFUSALS], closed[SOCKET_CAUSES];
    uint64_t frames_in, frames_out; /* of any kind; those given to be sent */
    uint64_t dropped;               /* of frames_out, by socket_drop_queued */
};

/* Present numbers; borrowed, lives as long as the server. Loop thread. */
const struct socket_counts *socket_server_counts(const struct socket_server *server);

#endif
