/*
 * A WebSocket client (RFC 6455) on a libuv loop, plain TCP to an IPv4 address. It answers pings and
 * close frames by itself; beside that it sends what it is told, right or wrong, since a hostile
 * peer is one of the things it plays.
 */
#ifndef STANDS_LIB_WEBSOCKET_H
#define STANDS_LIB_WEBSOCKET_H

#include <uv.h>

#include "stands/lib/frames.h"

struct stand_websocket;

struct stand_websocket_options {
    const char *url;     /* ws:// or wss://, host as in stand_args_address */
    const char *connect; /* "IP:PORT" to connect to whatever the URL says, or NULL */
    const char *headers; /* further lines of the handshake, each ended with CR LF; NULL for none */
    uint64_t timeout_ms; /* for the whole handshake */
    size_t message_max;  /* bytes of a received message */
    /* The handshake is over: 101, another HTTP status, or 0 with the reason. After anything but 101
     * nothing else is called and the socket is gone. */
    void (*opened)(void *user, int status, const char *why);
    /* A whole message. */
    void (*message)(void *user, bool text, const char *data, size_t len);
    /* The connection is over, and not by this side: the peer's close code, 1006 when there was
     * none, or the code that this side gave a peer that broke the protocol. */
    void (*closed)(void *user, int code, const char *why);
    /* The answer to a ping; may be NULL. */
    void (*pong)(void *user);
    void *user;
};

/* Starts a connection; texts are copied. Returns it (it frees itself at its end), or NULL with
 * `*why` (static text) when the URL cannot be used; then no callback runs. */
struct stand_websocket *stand_websocket_open(uv_loop_t *loop,
                                             const struct stand_websocket_options *options,
                                             const char **why);

/* Sends one frame, masked. Nothing happens when it is not open. */
void stand_websocket_send(struct stand_websocket *ws, int opcode, bool fin, const void *data,
                          size_t len);

/* Bytes that the peer has not taken yet. */
size_t stand_websocket_unsent(const struct stand_websocket *ws);

/* Ends the connection from this side: a close frame with `code`, then the socket once the peer has
 * answered or two seconds are over. No callback runs any more and `ws` must not be used again. */
void stand_websocket_close(struct stand_websocket *ws, int code, const char *reason);

/* Ends the connection without a close frame, by RST when `reset`. As above. */
void stand_websocket_cut(struct stand_websocket *ws, bool reset);

#endif
