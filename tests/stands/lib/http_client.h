/*
 * A small HTTP/1.1 client for the callbacks of a stand-in: form POSTs and GETs over a bounded pool
 * of keep-alive connections, first in, first out. Nothing is ever sent twice: a test that counts
 * callbacks must be able to trust the count. Plain HTTP to IPv4 literals only.
 */
#ifndef STANDS_LIB_HTTP_CLIENT_H
#define STANDS_LIB_HTTP_CLIENT_H

#include <uv.h>

#include "stands/lib/buf.h"

struct stand_client;

struct stand_result {
    int status;        /* HTTP status, or 0 when there was no answer */
    const char *error; /* why there was none; NULL with an answer */
    const char *body;  /* borrowed, at most 64 kB kept */
    size_t len;
    bool truncated;           /* there was more than was kept */
    const char *content_type; /* borrowed; NULL when there was none */
    const char *location;     /* likewise */
};

typedef void stand_result_fn(void *user, const struct stand_result *result);

struct stand_post {
    const char *url;     /* http://HOST[:PORT]/path; host as in stand_args_address */
    const char *connect; /* "IP:PORT" to connect to whatever the URL says, or NULL */
    const char *headers; /* further lines, each ended with CR LF; NULL for none */
    const char *body;    /* of a POST */
    size_t len;
    bool get; /* a GET, without a body */
    stand_result_fn *done;
    void *user;
};

/* A client of at most `connections` connections and `queue` waiting requests on `loop`. Each
 * request is given up `timeout_ms` after it was written to a connection. Owned; lives for ever. */
struct stand_client *stand_client_new(uv_loop_t *loop, size_t connections, size_t queue,
                                      uint64_t timeout_ms);

/* Queues a form POST or a GET; everything is copied. Returns 0, and `done` runs later exactly once;
 * or -1 with `*why` when the URL cannot be used or the queue is full, and `done` never runs. */
int stand_client_post(struct stand_client *client, const struct stand_post *post, const char **why);

/* Whether an URL has the form that Twilio takes for a callback: http or https, a host, no blanks.
 */
bool stand_url_valid(const char *url);

/* Requests waiting for a connection, and in flight. */
size_t stand_client_waiting(const struct stand_client *client);
size_t stand_client_in_flight(const struct stand_client *client);

#endif
