/*
 * A small HTTP/1.1 server on one libuv loop for the stand-ins: keep-alive, pipelining (one request
 * at a time per connection, the next ones wait in a bounded buffer), chunked answers, and the ways
 * of misbehaving that tests need: raw bytes, a cut connection, a closed listening socket.
 *
 * An exchange is one request and its answer. It is valid from the handler's call until it is
 * finished or cut; when the client goes away first, or at any other end, its `done` callback runs
 * exactly once and the exchange must not be used afterwards.
 */
#ifndef STANDS_LIB_HTTP_SERVER_H
#define STANDS_LIB_HTTP_SERVER_H

#include <uv.h>

#include "stands/lib/buf.h"

enum { STAND_HTTP_HEAD_MAX = 64 * 1024, STAND_HTTP_BODY_MAX = 16 * 1024 * 1024 };

struct stand_server;
struct stand_exchange;

/* Called with each complete request; must answer now or keep the exchange and answer later. */
typedef void stand_handler(void *ctx, struct stand_exchange *x);

/* Called once when an exchange ends; `gone` means the client left before the answer was written. */
typedef void stand_done(void *user, bool gone);

/* Called by the timer of an exchange, or when everything written so far has left. */
typedef void stand_step(void *user);

struct stand_answer {
    int status;
    const char *content_type; /* NULL: none */
    const char *headers;      /* further lines, each ended with CR LF; NULL: none */
    const char *body;
    size_t len;
};

struct stand_server_counts {
    uint64_t connections_open, connections_max, connections_total;
    uint64_t requests_open, requests_max, requests_total;
    uint64_t bad_requests; /* refused by the server itself: malformed or too large */
};

/* Listens on `host`:`port` (0 = any free one) and serves on `loop`. `handler` gets every request.
 * Returns owned (lives as long as the process), or NULL after a line on stderr. */
struct stand_server *stand_server_new(uv_loop_t *loop, const char *host, int port,
                                      stand_handler *handler, void *ctx);

/* The port that is listened on. */
int stand_server_port(const struct stand_server *server);

/* Closes the listening socket and all idle connections, and listens again after `ms`. */
void stand_server_refuse(struct stand_server *server, uint64_t ms);

/* The counters so far. */
const struct stand_server_counts *stand_server_counts(const struct stand_server *server);

/* Sets the high-water marks back to what is open now, and the totals to zero. */
void stand_server_counts_reset(struct stand_server *server);

/* The request in hand. Texts are borrowed until the exchange ends; `path` ends before '?', `query`
 * is what follows it, as sent, or NULL without '?'. */
const char *stand_exchange_method(const struct stand_exchange *x);
const char *stand_exchange_path(const struct stand_exchange *x);
const char *stand_exchange_query(const struct stand_exchange *x);

/* The body bytes; `*len` is set. Never NULL. Borrowed until the exchange ends or drops it. */
const char *stand_exchange_body(const struct stand_exchange *x, size_t *len);

/* Frees the body early, for exchanges that stay open long. */
void stand_exchange_drop_body(struct stand_exchange *x);

/* The value of a header (name compared without case), or NULL. Borrowed. */
const char *stand_exchange_header(const struct stand_exchange *x, const char *name);

/* Has `done(user, gone)` called at the end of this exchange. */
void stand_exchange_on_done(struct stand_exchange *x, stand_done *done, void *user);

/* Runs `step(user)` after `ms`; one timer per exchange, setting it again replaces it. */
void stand_exchange_after(struct stand_exchange *x, uint64_t ms, stand_step *step, void *user);

/* Runs `step(user)` from the loop once nothing written is left unsent. */
void stand_exchange_when_sent(struct stand_exchange *x, stand_step *step, void *user);

/* Renders a whole answer, with its head, into `out`, without sending it. */
void stand_exchange_render(const struct stand_exchange *x, const struct stand_answer *answer,
                           struct stand_buf *out);

/* Sends a whole answer and finishes the exchange. */
void stand_exchange_answer(struct stand_exchange *x, const struct stand_answer *answer);

/* Starts an answer of unknown length (its `body` is ignored). */
void stand_exchange_begin(struct stand_exchange *x, const struct stand_answer *answer);

/* Frames `len` > 0 bytes as a chunk of such an answer. */
void stand_exchange_chunk(struct stand_exchange *x, const char *data, size_t len);

/* Ends such an answer and finishes the exchange. */
void stand_exchange_end(struct stand_exchange *x);

/* Sends bytes as they are. */
void stand_exchange_raw(struct stand_exchange *x, const char *data, size_t len);

/* The answer is complete: the connection takes its next request, or closes if it must. */
void stand_exchange_finish(struct stand_exchange *x);

/* Closes the connection after what was written has left; with `reset`, at once and by RST. */
void stand_exchange_cut(struct stand_exchange *x, bool reset);

#endif
