/* HTTP client on libcurl's multi interface, driven by a loop. One client per loop; all calls and
 * callbacks on the loop's thread.
 *
 * Transfers are spread over many multi handles (100 each): one handle with 10,000 connections to
 * one host costs 2.7 times the CPU. A request body is never re-sent by curl itself: when a reused
 * connection dies, the caller learns whether a byte of the body had left. Redirects are not
 * followed. TLS is verified against the system's bundle. No proxy, no .netrc and no cookies,
 * whatever the environment says.
 *
 * A call to a host that a tenant chose sets `public_only`: each address that it would connect to is
 * judged after names are resolved (http/address.h). It has a connection of its own, opened for it
 * and closed after it, so that it can never run over one that a call without this guard opened. */
#ifndef DESK_HTTP_CLIENT_H
#define DESK_HTTP_CLIENT_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "base/err.h"
#include "base/secret.h"
#include "http/address.h"
#include "loop/loop.h"

struct http_client;

struct http_client_options {
    struct loop *loop;   /* borrowed */
    int max_connections; /* per host over all multis; 0: 20,000 */
    /* What public_only calls may reach besides public addresses; borrowed for the client's life;
     * NULL: nothing. */
    const struct address_list *exceptions;
};

/* Returns an owned client. */
struct http_client *http_client_new(const struct http_client_options *options);

/* Cancels all transfers without callbacks and frees; sets *client to NULL; accepts NULL. */
void http_client_free(struct http_client **client);

/* How a transfer ended. Borrowed by the callback for its duration. */
struct http_result {
    int status;                 /* HTTP status; 0 if none was read */
    bool body_sent;             /* a byte of the request body may have left: without a status the
                                   outcome at the other side is unknown */
    const char *retry_after;    /* raw Retry-After header or NULL */
    const char *retry_after_ms; /* raw retry-after-ms header, which OpenAI sends, or NULL */
    const char *request_id;     /* x-request-id, request-id or NULL */
    const char *content_type;   /* or NULL */
    const char *body;           /* collected body (only without on_data), NUL behind it */
    size_t body_length;
    const struct err *err; /* NULL when a complete answer was read (of any status); else why
                              not: "http.connect", "http.timeout", "http.tls", "http.reset",
                              "http.too_large", "http.gate" (may_send said no), PERMANENT
                              "http.address" (public_only, and no address of the host was
                              allowed) ... */
    int64_t connect_us, first_byte_us, total_us; /* from the start of the transfer */
};

struct http_transfer;

struct http_call {
    const char *method;         /* "GET", "POST" */
    const char *url;            /* http:// or https:// only */
    const char *const *headers; /* "Name: value" lines, NULL-terminated; may be NULL */
    const char *user;           /* Basic auth, or NULL */
    const struct secret *password;
    const struct secret *bearer; /* or NULL */
    const char *bearer_header;   /* holds it alone; NULL: Authorization: Bearer */
    const char *body;            /* copied; NULL: none */
    size_t body_length;
    size_t answer_max_bytes; /* collected body above this ends with "http.too_large" */
    bool public_only;        /* see the top */
    int64_t connect_ms;      /* time limits; 0: 5,000 / none / none / 30,000 */
    int64_t first_byte_ms;   /* until the first byte of the answer's body or its end */
    int64_t idle_ms;         /* between bytes of the answer */
    int64_t total_ms;
    /* Asked once, right before the first body byte is handed to the socket; false aborts with
     * nothing sent. NULL: always. */
    bool (*may_send)(void *arg);
    /* Streams the body of 2xx answers as it comes; false aborts ("http.aborted"). NULL: collect. */
    bool (*on_data)(void *arg, const char *bytes, size_t length);
    /* Called exactly once unless cancelled. May start further transfers. */
    void (*on_done)(void *arg, const struct http_result *result);
    void *arg;
};

/* Starts the transfer (all of `call` is copied, `arg` borrowed). Never fails: problems come through
 * on_done, never from inside this function. Returns a handle for cancel, valid until on_done. */
struct http_transfer *http_start(struct http_client *client, const struct http_call *call);

/* Whether a byte of the request body may have left so far (http_result.body_sent). */
bool http_body_sent(const struct http_transfer *transfer);

/* Cancels: closes the connection, no callback any more. Allowed inside on_data? No: return false
 * there. */
void http_cancel(struct http_client *client, struct http_transfer *transfer);

/* Retry-After (seconds or HTTP date) as milliseconds from now; 0 if NULL, unreadable or past. */
int64_t http_retry_after_ms(const char *value);

/* The bundle that certificates are checked against: what SSL_CERT_FILE (OpenSSL's own variable)
 * names, else the system's. Lives for ever. Any thread. */
const char *http_ca_file(void);

#endif
