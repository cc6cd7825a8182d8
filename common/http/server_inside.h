/* What the files of the HTTP server share. Private to common/http: nobody else includes it.
 * server.c is the wrapper of CivetWeb, server_gate.c judges a request's head, server_watch.c ends
 * what takes too long, server_answer.c writes answers. */
#ifndef DESK_HTTP_SERVER_INSIDE_H
#define DESK_HTTP_SERVER_INSIDE_H

#include <pthread.h>
#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "base/arena.h"
#include "base/strbuf.h"
#include "http/server.h"
#include "loop/loop.h"

struct mg_context;

#define HTTP_HEADERS_MAX    64
#define HTTP_HEAD_BYTES_MAX 16384 /* request line and headers */

/* Limits of what no request needs long for. */
#define HTTP_HEADER_MS       2000 /* a head, and any pause: CivetWeb's own limit, reached by 4 s */
#define HTTP_SILENT_FULL_MS  250  /* without a head while every thread is held by a connection */
#define HTTP_KEEP_ALIVE_MS   500
#define HTTP_ANSWER_MS       5000 /* until the peer has taken the answer */
#define HTTP_LINGER_MS       500  /* reading on after an error, so that the peer gets to see it */
#define HTTP_WATCH_MS        100
#define HTTP_LINGER_BYTES    (1024 * 1024)
#define HTTP_QUEUE_TEXT      "200" /* accepted connections that wait for a thread */
#define HTTP_BACKLOG_TEXT    "512"
#define HTTP_REMOTE_TEXT_MAX 48

/* ---- server_gate.c ---- */

struct http_line {
    const char *name, *value;
};

/* A request's head as CivetWeb leaves it: pointers into one buffer in which NULs replaced the
 * separators. */
struct http_head {
    const char *method, *uri, *query; /* query NULL if there was no "?" */
    const char *version;              /* "1.1" */
    const struct http_line *lines;
    size_t line_count;
};

/* What the gate found out. */
struct http_framing {
    bool chunked, keep_alive, expects_continue;
    int64_t content_length; /* 0 if absent or chunked */
};

/* Judges the head. Returns 0 and fills *framing, or the status of the answer and *reason (static).
 * Reads the bytes between and behind the fields: CivetWeb 1.15 lets bare LF, folded lines, a space
 * before the colon and more headers than it can hold pass, and only those bytes still show it. */
int http_gate_judge(const struct http_head *head, struct http_framing *framing,
                    const char **reason);

/* How often the header occurs; *value (may be NULL) gets the first. */
int http_gate_find(const struct http_line *lines, size_t count, const char *name,
                   const char **value);

/* ---- server_answer.c ---- */

/* Appends the status line and Date. */
void http_answer_begin(int status, struct strbuf *out);

/* Appends the whole answer, ready for one write. */
void http_answer_format(const struct http_response *response, bool head_only, struct strbuf *out);

/* ---- server_state.c ---- */

enum http_phase {
    HTTP_PHASE_NONE,   /* no connection */
    HTTP_PHASE_HEADER, /* the first head of a connection is awaited */
    HTTP_PHASE_BODY,
    HTTP_PHASE_HANDLE,
    HTTP_PHASE_ANSWER,
    HTTP_PHASE_LINGER,
    HTTP_PHASE_IDLE, /* between two requests: CivetWeb's keep-alive limit ends it */
};

/* A CivetWeb thread and the connection that it serves. */
struct http_worker {
    struct http_server *server;
    struct arena *arena; /* the thread's own, like `out` */
    struct strbuf out;
    pthread_mutex_t mutex; /* guards what follows */
    enum http_phase phase;
    int64_t since_ms;
    char remote[HTTP_REMOTE_TEXT_MAX]; /* "" until the connection's first request: CivetWeb does
                                          not tell before */
    int remote_port;
};

struct http_server {
    struct http_server_options options;
    struct mg_context *context;
    int port;
    struct http_worker *workers;
    int taken; /* workers given to threads so far */

    pthread_mutex_t mutex; /* guards what follows and `taken` */
    pthread_cond_t changed;
    int inside;      /* requests between the gate and the end of their answer */
    int connections; /* that hold a thread */
    bool draining, stopping;
    struct thread *watch;
};

/* Enters a phase; a body's time counts from the connection's first awaited head. Any thread. */
void http_worker_enter(struct http_worker *worker, enum http_phase phase);

/* Notes the peer of the worker's connection; "" for none. Any thread. */
void http_worker_know(struct http_worker *worker, const char *remote, int port);

/* True if the present phase is over its limit. Any thread. */
bool http_worker_is_late(struct http_worker *worker, int64_t now_ms);

/* True for "a.b.c.d:port". */
bool http_listen_is_plain(const char *listen);

/* Makes and frees all but CivetWeb's context and the watchdog. */
struct http_server *http_server_make(const struct http_server_options *options);
void http_server_destroy(struct http_server *server);

/* Counts a request in; false when too many are inside or the server drains. And out again. */
bool http_server_enter(struct http_server *server, bool *draining);
void http_server_leave(struct http_server *server);

/* True from http_server_drain on. */
bool http_server_draining(struct http_server *server);

/* Counts connections that hold a thread, +1 or -1; the first wakes the watchdog. */
void http_server_count(struct http_server *server, int change);

/* ---- server_watch.c ---- */

/* The watchdog's thread; `arg` is the server. Ends when server->stopping is set and `changed`
 * signalled. */
void http_watch_run(void *arg);

/* Ends reading on all sockets of the server, the listening one too: a thread of CivetWeb waits 2 s
 * for a connection or a request (SOCKET_TIMEOUT_QUANTUM) before it looks whether the server stops.
 * For right before mg_stop. */
void http_watch_end_waiting(struct http_server *server);

#endif
