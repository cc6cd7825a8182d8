/* A tool that a tenant defined as an HTTP endpoint: one call of it, from the signed request to a
 * judged answer. What an endpoint's author is told about it stands in docs/HTTP_TOOLS.md.
 *
 * All on the thread of the client's loop. A call is sent at most once: another try, with the same
 * id, is the caller's decision by the error's class. It goes to public addresses only, or to those
 * that the client's exceptions allow, and follows no redirect. */
#ifndef DESK_TOOL_HTTP_TOOL_H
#define DESK_TOOL_HTTP_TOOL_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "base/err.h"
#include "base/secret.h"
#include "base/strbuf.h"
#include "base/uuid.h"
#include "http/client.h"
#include "json/schema.h"

#define HTTP_TOOL_NAME_MAX            64
#define HTTP_TOOL_ARGUMENTS_MAX_BYTES 16384
#define HTTP_TOOL_ANSWER_MAX_BYTES    65536
#define HTTP_TOOL_RESULT_MAX_BYTES    16384
#define HTTP_TOOL_LIMIT_DEFAULT_MS    10000

struct http_tool_result {
    const struct err *err; /* NULL: the endpoint answered as it should. Borrowed, as `text` */
    const char *text;      /* the answer, one JSON object, written compactly; "" on failure */
    size_t length;
    bool sent;  /* on failure: the endpoint may have got the request and acted on it */
    int status; /* HTTP status, 0 if none */
    int64_t total_us;
};

struct http_tool_request {
    const char *url;          /* http:// or https:// */
    const struct secret *key; /* signs the request; NULL: it carries no signature */
    const char *name;         /* of the tool */
    struct uuid call;         /* the call's id: the same for each try of it */
    struct uuid conversation;
    const char *arguments;                   /* one JSON object that fits the tool's schema */
    const struct json_schema *answer_schema; /* borrowed until on_done; NULL: any object */
    int64_t limit_ms;                        /* for all of it; 0: HTTP_TOOL_LIMIT_DEFAULT_MS */
    /* Exactly once unless cancelled, never from inside http_tool_start. May start further calls.
     * Errors say what to do and hold no word of the endpoint:
     *   RETRY_LATER  "tool.unavailable" (408, 429, 5xx; with its Retry-After), "http.timeout",
     *                "http.connect", "http.resolve", "http.reset" ...: again, with the same id
     *   PERMANENT    "tool.refused" (another 4xx), "tool.redirect", "http.address", "http.url":
     *                this call never works
     *   FALL_BACK    "tool.too_large", "tool.answer" (no JSON object, or not declared as JSON),
     *                "tool.schema", "tool.status": the call was made, its answer is of no use;
     *                "http.tls": the endpoint is not who it should be */
    void (*on_done)(void *arg, const struct http_tool_result *result);
    void *arg;
};

struct http_tool_call;

/* Starts the call over the client (borrowed; it outlives the call). All of `request` is copied but
 * the schema. Returns 0 and a handle for http_tool_cancel, valid until on_done; or -1: PERMANENT
 * "tool.arguments" if name or arguments are too long. */
int http_tool_start(struct http_client *client, const struct http_tool_request *request,
                    struct http_tool_call **call, struct err *err);

/* Cancels: the connection is closed, no callback any more. Sets *call to NULL; accepts NULL. */
void http_tool_cancel(struct http_tool_call **call);

/* Appends the value of the header Frontdesk-Signature, "v1=" and the hexadecimal HMAC-SHA256 of
 * "<timestamp>.<body>". The timestamp is in seconds since 1970. Any thread. */
void http_tool_sign(const struct secret *key, int64_t timestamp, const char *body, size_t length,
                    struct strbuf *out);

#endif
