/* What the files of the HTTP client share. Private to common/http: nobody else includes it. */
#ifndef DESK_HTTP_CLIENT_INSIDE_H
#define DESK_HTTP_CLIENT_INSIDE_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>
#include <stdlib.h>

#include "base/strbuf.h"
#include "http/client.h"

/* Why our own callback ended a transfer; 0 means curl's own reason counts. */
enum http_stop {
    HTTP_STOP_NONE,
    HTTP_STOP_GATE,
    HTTP_STOP_LARGE,
    HTTP_STOP_ABORTED,
    HTTP_STOP_DIED,
    HTTP_STOP_ADDRESS
};

/* curl's set-up calls fail only for want of memory or by our own mistake. */
static inline void http_must(int result)
{
    if (result != 0)
        abort();
}

/* The request as it waits to be sent: freed as soon as curl has taken its last byte, because a
 * transfer lives long after that and is never sent twice. */
struct http_body {
    char *bytes; /* owned; NULL once all is given */
    size_t length, given;
};

/* The headers of an answer that callers want; all owned, NULL if absent. */
struct http_answer_headers {
    char *retry_after, *retry_after_ms, *request_id;
};

/* Keeps the line if it is one of the wanted headers; a status line forgets what came before (an
 * interim answer's headers are not the answer's). */
void http_answer_headers_add(struct http_answer_headers *headers, const char *line, size_t length);
void http_answer_headers_fini(struct http_answer_headers *headers);

/* Appends "Authorization: Basic ..." or "Authorization: Bearer ..." for the call; false if it wants
 * none. */
bool http_authorization(const struct http_call *call, struct strbuf *out);

/* Fills *err for our own stop reason. */
void http_stop_error(enum http_stop stop, struct err *err);

/* When the transfer must end: the earliest of its limits in monotonic milliseconds, INT64_MAX for
 * none. last_ms is the time of the last byte, 0 before the first. */
struct http_limits {
    int64_t started_ms, last_ms;
    int32_t first_byte_ms, idle_ms, total_ms;
};
int64_t http_limits_deadline(const struct http_limits *limits);

/* Which limit that was, for the message. */
const char *http_limits_name(const struct http_limits *limits, int64_t now_ms);

/* For each start and each end curl looks at all connections of the multi handle. An HTTP/2 server
 * takes about so many streams on one connection. */
#define HTTP_SHARD_TRANSFERS  100
#define HTTP_IDLE_HANDLES_MAX 1024
/* curl's least receive buffer: 12 kB less per transfer than its default. Its least upload buffer;
 * freed as soon as the body has left. */
#define HTTP_RECEIVE_BUFFER_BYTES 1024L
#define HTTP_UPLOAD_BUFFER_BYTES  16384L

/* A multi handle of curl, driven by the loop. */
struct http_multi {
    struct loop *loop;        /* borrowed, as the next three */
    bool *inside;             /* true while curl is on the stack */
    void (*acted)(void *arg); /* curl has worked and returned: its messages may be read. The multi
                                 may be closed in it. */
    void *arg;
    void *curl; /* CURLM */
    struct timer *timer;
};

struct http_shard {
    struct http_client *client;
    struct http_multi multi;
    size_t count; /* transfers in the multi */
};

struct http_client {
    struct loop *loop;
    size_t max_connections, shard_max, shard_count;
    const struct address_list *exceptions;
    struct http_shard **shards;
    void *idle[HTTP_IDLE_HANDLES_MAX]; /* CURL */
    size_t idle_count;
    const char *ca_file;
    struct http_transfer *first;     /* all but the cancelled */
    struct http_transfer *starting;  /* asked for from inside curl, newest first */
    struct http_transfer *cancelled; /* the same */
    struct http_transfer *uploads;   /* all body given to curl, not yet known to have left */
    bool inside;                     /* curl is on the stack */
};

struct http_transfer {
    struct http_client *client;
    struct http_shard *shard;          /* NULL until added */
    void *easy;                        /* CURL */
    struct http_transfer *prev, *next; /* in client->first */
    struct http_transfer *waiting;     /* in starting or cancelled */
    struct http_transfer *next_upload, **upload_at;
    struct http_body body;
    void *headers; /* struct curl_slist */
    struct strbuf answer;
    struct http_answer_headers kept;
    struct http_limits limits;
    struct timer *timer;
    int64_t armed_ms; /* when the timer runs; INT64_MAX: it does not */
    int64_t started_us, first_byte_us;
    bool (*may_send)(void *arg);
    bool (*on_data)(void *arg, const char *bytes, size_t length);
    void (*on_done)(void *arg, const struct http_result *result);
    void *arg;
    enum http_stop stop;
    bool is_get, body_sent, sent_once, cancelled;
    bool public_only, address_refused, address_tried; /* tried: at least one was allowed */
};

/* ---- client_multi.c ---- */

/* Makes the handle; loop, inside, acted and arg are set. The struct may not move from then on. */
void http_multi_open(struct http_multi *multi);

/* Ends it; no easy handle may be left in it, and curl may not be on the stack. */
void http_multi_close(struct http_multi *multi);

/* ---- client_shard.c: multi handles with room for some transfers each ---- */

/* Adds the prepared transfer to a shard with room. Not from inside curl. */
void http_shard_add(struct http_transfer *transfer);

/* Takes it out of its shard, if it is in one: an answer cut short closes the connection. */
void http_shard_remove(struct http_transfer *transfer);

/* Frees all shards; no transfer may be left. */
void http_shards_free(struct http_client *client);

/* ---- client_easy.c: easy handles and what curl calls while it works on one ---- */

/* Takes a handle from the free list or makes one, and sets it up for the call. */
void http_easy_prepare(struct http_transfer *transfer, const struct http_call *call);

/* Puts the handle back; accepts a transfer without one. */
void http_easy_release(struct http_transfer *transfer);

/* Gives curl's upload buffers back once the bodies have left: they would stay for the whole answer.
 */
void http_easy_release_uploads(struct http_client *client);
void http_easy_forget_upload(struct http_transfer *transfer);

/* Fills *err for curl's result code. */
void http_easy_error(int curl, struct err *err);

/* ---- client.c ---- */

/* Initialises curl once for the process. Any thread. */
void http_curl_init(void);

/* Sets the transfer's timer to its next limit, unless it runs earlier already: then it looks again.
 */
void http_transfer_arm(struct http_transfer *transfer);

/* What had to wait until curl returned: starts, cancels, ended transfers of the shard. */
void http_client_flush(struct http_shard *shard);

#endif
