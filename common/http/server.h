/* HTTP server on CivetWeb: plain HTTP behind a proxy, no files, no forms, every request through one
 * handler after a strict gate.
 *
 * The gate (before the handler, answered and closed here): 400 for anything ambiguous (missing or
 * doubled Host, doubled, signed or non-digit Content-Length, Content-Length with Transfer-Encoding,
 * any Transfer-Encoding but exactly "chunked", folded headers, more than 64 headers, NUL or %00 in
 * the target), 413 over body_max_bytes, 408 when the whole request takes longer than
 * request_deadline_ms, 503 + Retry-After when more than `concurrency` requests are inside. */
#ifndef DESK_HTTP_SERVER_H
#define DESK_HTTP_SERVER_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "base/arena.h"
#include "base/err.h"

struct http_server;

struct http_request {
    const char *method;       /* "POST" */
    const char *target;       /* raw request target as received: path and query, undecoded */
    const char *path;         /* target up to "?", undecoded */
    const char *query;        /* behind "?", undecoded; "" if none */
    const char *content_type; /* "" if absent */
    const char *remote;       /* peer address text */
    const char *body;         /* NUL behind it; "" if none */
    size_t body_length;
    struct arena *arena; /* the request's own; freed after the answer */
    void *connection;    /* private */
};

/* The header's value (case-insensitive name), or NULL; *count (may be NULL) gets how often it
 * occurs. */
const char *http_request_header(const struct http_request *request, const char *name, int *count);

struct http_response {
    int status;
    const char *content_type; /* NULL: no body */
    const char *body;
    size_t body_length;
    int retry_after_s; /* > 0: Retry-After header */
    const char *allow; /* not NULL: Allow header (405) */
    bool close;        /* close the connection afterwards */
};

struct http_server_options {
    const char *listen;          /* "127.0.0.1:8081"; port 0: kernel's choice (http_server_port) */
    int threads;                 /* handler threads, 1-512 */
    int concurrency;             /* requests inside at once before 503; <= threads */
    size_t body_max_bytes;       /* 413 above */
    int64_t request_deadline_ms; /* first byte to end of body */
    bool handles_drain;          /* what comes in a drain is handed over too: `handle` refuses it */
    /* Fills *response. Runs on a server thread, may block up to its own deadline. Everything it
     * puts into *response must live in request->arena or be static. */
    void (*handle)(void *arg, const struct http_request *request, struct http_response *response);
    void *arg;
};

/* Starts listening. PERMANENT "http.listen" if the address cannot be had. Returns owned. */
int http_server_start(const struct http_server_options *options, struct http_server **server,
                      struct err *err);

/* The port it listens on. */
int http_server_port(const struct http_server *server);

/* Drain: new requests get 503 with Connection: close (unless handles_drain), those inside are
 * finished; returns when none is inside or after deadline_ms. True if all were finished. From then
 * on what does not come whole gets 503 as well: the end of the server ends all reading. */
bool http_server_drain(struct http_server *server, int64_t deadline_ms);

/* Stops and frees (takes up to 2 s in CivetWeb); sets *server to NULL; accepts NULL. */
void http_server_free(struct http_server **server);

#endif
