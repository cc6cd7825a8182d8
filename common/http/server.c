/* The wrapper of CivetWeb: plain HTTP, no document root, no form parser, one callback for every
 * request. A thread holds one connection; the watchdog ends connections that take too long, the
 * gate ends requests that are ambiguous, a counter answers 503 before the threads run out. After an
 * error the connection is closed, so that nothing behind a refused request is read as a second one.
 * Called by ingress and by the admin listener. */
#include "http/server_inside.h"

#include "base/clock.h"

#include <assert.h>
#include <civetweb.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#define ANSWER_HEAD_BYTES   1024
#define BUFFER_BYTES        (2 * HTTP_HEAD_BYTES_MAX)
#define NUMBER_BYTES        24
#define BUSY_RETRY_AFTER_S  1
#define DRAIN_RETRY_AFTER_S 5

/* One request in work. */
struct exchange {
    struct http_server *server;
    struct http_worker *worker;
    struct mg_connection *connection;
    struct http_line lines[HTTP_HEADERS_MAX];
    size_t line_count;
    struct http_head head;
    struct http_framing framing;
    struct http_request request;
};

static bool is_late(const struct exchange *exchange)
{
    return http_worker_is_late(exchange->worker, clock_mono_ms());
}

/* ---- answering ---- */

static void write_answer(struct http_worker *worker, struct mg_connection *connection,
                         const struct http_response *response, bool head_only)
{
    http_worker_enter(worker, HTTP_PHASE_ANSWER);
    strbuf_init(&worker->out, response->body_length + ANSWER_HEAD_BYTES);
    http_answer_format(response, head_only, &worker->out);
    mg_write(connection, worker->out.data, worker->out.length);
    strbuf_fini(&worker->out);
}

/* Reads on a little, or the reset that follows a close with unread bytes would overtake the answer.
 */
static void linger(struct exchange *exchange)
{
    char bytes[4096];
    size_t left = HTTP_LINGER_BYTES;
    http_worker_enter(exchange->worker, HTTP_PHASE_LINGER);
    while (left > 0 && !is_late(exchange)) {
        int got = mg_read(exchange->connection, bytes, sizeof bytes);
        if (got <= 0)
            return;
        left -= (size_t)got < left ? (size_t)got : left;
    }
}

/* Answers and returns what CivetWeb wants to hear: the status to keep the connection, -1 to leave
 * unread bytes alone. */
static int answer(struct exchange *exchange, struct http_response *response)
{
    response->close = response->close || response->status >= 400 || !exchange->framing.keep_alive;
    bool head_only = strcmp(exchange->head.method, "HEAD") == 0;
    write_answer(exchange->worker, exchange->connection, response, head_only);
    if (response->close)
        mg_disable_keep_alive(exchange->connection);
    return response->close ? -1 : response->status;
}

static int refuse(struct exchange *exchange, int status, const char *reason)
{
    char text[160];
    int length = snprintf(text, sizeof text, "%s\n", reason);
    struct http_response response = {
        .status = status,
        .content_type = "text/plain",
        .body = text,
        .body_length = (size_t)length,
        .close = true,
    };
    return answer(exchange, &response);
}

static int refuse_busy(struct exchange *exchange, bool draining)
{
    struct http_response response = {
        .status = 503,
        .retry_after_s = draining ? DRAIN_RETRY_AFTER_S : BUSY_RETRY_AFTER_S,
        .close = true,
    };
    int result = answer(exchange, &response);
    linger(exchange);
    return result;
}

/* ---- reading ---- */

static void read_head(struct exchange *exchange)
{
    const struct mg_request_info *info = mg_get_request_info(exchange->connection);
    http_worker_know(exchange->worker, info->remote_addr, info->remote_port);
    exchange->line_count = (size_t)info->num_headers;
    for (size_t i = 0; i < exchange->line_count; i++)
        exchange->lines[i] = (struct http_line){.name = info->http_headers[i].name,
                                                .value = info->http_headers[i].value};
    exchange->head = (struct http_head){
        .method = info->request_method,
        .uri = info->request_uri,
        .query = info->query_string,
        .version = info->http_version,
        .lines = exchange->lines,
        .line_count = exchange->line_count,
    };
}

/* What mg_read gave: more bytes, the end, or why there are none. */
static int read_some(struct exchange *exchange, char *to, size_t room, size_t *got)
{
    int count = mg_read(exchange->connection, to, room);
    if (is_late(exchange) || (count == 0 && !exchange->framing.chunked))
        return 408;
    if (count < 0)
        return 400;
    *got = (size_t)count;
    return 0;
}

static int read_bytes(struct exchange *exchange, char *body, size_t wanted, size_t *length)
{
    while (*length < wanted) {
        size_t got = 0;
        int status = read_some(exchange, body + *length, wanted - *length, &got);
        if (status != 0)
            return status;
        if (got == 0)
            break;
        *length += got;
    }
    return 0;
}

/* Blank lines before the request line make CivetWeb take the head for the body: it then begins with
 * the method as CivetWeb left it. */
static bool is_own_head(const struct exchange *exchange, const char *body, size_t length)
{
    size_t blanks = 0, method = strlen(exchange->head.method) + 1;
    while (blanks < length && strchr(" \t\r\n", body[blanks]) != NULL && body[blanks] != '\0')
        blanks++;
    return length - blanks >= method && memcmp(body + blanks, exchange->head.method, method) == 0;
}

/* Fills the request's body. Returns 0 or the status of the refusal. */
static int read_body(struct exchange *exchange)
{
    size_t max = exchange->server->options.body_max_bytes;
    const struct http_framing *framing = &exchange->framing;
    if (framing->content_length > (int64_t)max)
        return 413;
    size_t wanted = framing->chunked ? max + 1 : (size_t)framing->content_length, length = 0;
    if (wanted == 0)
        return 0;
    if (framing->expects_continue)
        mg_write(exchange->connection, "HTTP/1.1 100 Continue\r\n\r\n", 25);
    char *body = arena_alloc(exchange->worker->arena, wanted + 1);
    int status = read_bytes(exchange, body, wanted, &length);
    if (status == 0 && length > max)
        status = 413;
    if (status == 0 && is_own_head(exchange, body, length))
        status = 400;
    if (status != 0)
        return status;
    body[length] = '\0';
    exchange->request.body = body;
    exchange->request.body_length = length;
    return 0;
}

static void fill_request(struct exchange *exchange)
{
    const struct http_head *head = &exchange->head;
    const char *type = "";
    struct arena *arena = exchange->worker->arena;
    http_gate_find(head->lines, head->line_count, "Content-Type", &type);
    exchange->request = (struct http_request){
        .method = head->method,
        .target =
            head->query == NULL ? head->uri : arena_printf(arena, "%s?%s", head->uri, head->query),
        .path = head->uri,
        .query = head->query == NULL ? "" : head->query,
        .content_type = type,
        .remote = exchange->worker->remote,
        .body = "",
        .arena = arena,
        .connection = exchange,
    };
}

/* ---- one request ---- */

static const char *reason_of(int status)
{
    if (status == 413)
        return "the body is too large";
    return status == 408 ? "the request took too long" : "the body is malformed";
}

static int handle(struct exchange *exchange)
{
    struct http_server *server = exchange->server;
    fill_request(exchange);
    http_worker_enter(exchange->worker, HTTP_PHASE_BODY);
    int status = read_body(exchange);
    if (status != 0 && status != 413 && http_server_draining(server))
        return refuse_busy(exchange, true); /* it may be us who read no further */
    if (status != 0) {
        int result = refuse(exchange, status, reason_of(status));
        if (status == 413)
            linger(exchange);
        return result;
    }
    http_worker_enter(exchange->worker, HTTP_PHASE_HANDLE);
    struct http_response response = {.status = 500};
    server->options.handle(server->options.arg, &exchange->request, &response);
    return answer(exchange, &response);
}

static int judge_and_handle(struct exchange *exchange)
{
    const char *reason = "";
    bool draining = false;
    int status = http_gate_judge(&exchange->head, &exchange->framing, &reason);
    if (status != 0)
        return refuse(exchange, status, reason);
    if (!http_server_enter(exchange->server, &draining))
        return refuse_busy(exchange, draining);
    int result = handle(exchange);
    http_server_leave(exchange->server);
    return result;
}

static int on_request(struct mg_connection *connection)
{
    struct http_worker *worker = mg_get_thread_pointer(connection);
    struct exchange exchange = {
        .server = worker->server, .worker = worker, .connection = connection};
    read_head(&exchange);
    int result = judge_and_handle(&exchange);
    arena_reset(worker->arena);
    http_worker_enter(worker, HTTP_PHASE_IDLE);
    return result;
}

/* CivetWeb's own refusals: a head that it cannot parse, or that did not come in time. */
static int on_error(struct mg_connection *connection, int status, const char *message)
{
    (void)message;
    struct http_worker *worker = mg_get_thread_pointer(connection);
    bool late = http_worker_is_late(worker, clock_mono_ms());
    static const char text[] = "the request is malformed\n";
    struct http_response response = {
        .status = status == 505 ? 505 : 400,
        .content_type = "text/plain",
        .body = text,
        .body_length = sizeof text - 1,
        .close = true,
    };
    if (late)
        response = (struct http_response){.status = 408, .close = true};
    if (http_server_draining(worker->server)) /* a head that we read no further */
        response = (struct http_response){
            .status = 503, .retry_after_s = DRAIN_RETRY_AFTER_S, .close = true};
    write_answer(worker, connection, &response, false);
    return 0;
}

const char *http_request_header(const struct http_request *request, const char *name, int *count)
{
    const struct exchange *exchange = request->connection;
    const char *value = NULL;
    int found = http_gate_find(exchange->lines, exchange->line_count, name, &value);
    if (count != NULL)
        *count = found;
    return value;
}

/* ---- connections and threads ---- */

static void *on_thread(const struct mg_context *context, int type)
{
    struct http_server *server = mg_get_user_data(context);
    if (type != 1)
        return NULL;
    pthread_mutex_lock(&server->mutex);
    assert(server->taken < server->options.threads);
    struct http_worker *worker = &server->workers[server->taken++];
    pthread_mutex_unlock(&server->mutex);
    return worker;
}

static int on_connected(const struct mg_connection *connection, void **data)
{
    (void)data;
    struct http_worker *worker = mg_get_thread_pointer(connection);
    http_worker_enter(worker, HTTP_PHASE_HEADER);
    http_server_count(worker->server, 1);
    return 0;
}

static void on_closed(const struct mg_connection *connection)
{
    struct http_worker *worker = mg_get_thread_pointer(connection);
    http_worker_know(worker, "", 0);
    http_worker_enter(worker, HTTP_PHASE_NONE);
    http_server_count(worker->server, -1);
}

static int on_message(const struct mg_connection *connection, const char *message)
{
    (void)connection, (void)message;
    return 1; /* its lines tell of clients' mistakes; nothing of them belongs on stderr */
}

/* ---- start and stop ---- */

static struct mg_context *start_civetweb(struct http_server *server, struct mg_error_data *error)
{
    char threads[NUMBER_BYTES], timeout[NUMBER_BYTES], keep[NUMBER_BYTES], buffer[NUMBER_BYTES];
    snprintf(threads, sizeof threads, "%d", server->options.threads);
    snprintf(timeout, sizeof timeout, "%d", HTTP_HEADER_MS);
    snprintf(keep, sizeof keep, "%d", HTTP_KEEP_ALIVE_MS);
    snprintf(buffer, sizeof buffer, "%d", BUFFER_BYTES);
    const char *settings[] = {
        "listening_ports", server->options.listen, "num_threads", threads, "request_timeout_ms",
        timeout, "enable_keep_alive", "yes", "keep_alive_timeout_ms", keep, "tcp_nodelay", "1",
        "max_request_size", buffer, "connection_queue", HTTP_QUEUE_TEXT, "listen_backlog",
        HTTP_BACKLOG_TEXT, "decode_url", "no", "decode_query_string", "no",
        /* without a check of Host against a domain; the gate looks at it */
        "enable_auth_domain_check", "no", "enable_directory_listing", "no", NULL};
    struct mg_callbacks callbacks = {.begin_request = on_request,
                                     .http_error = on_error,
                                     .log_message = on_message,
                                     .log_access = on_message,
                                     .init_thread = on_thread,
                                     .init_connection = on_connected,
                                     .connection_closed = on_closed};
    struct mg_init_data init = {
        .callbacks = &callbacks, .user_data = server, .configuration_options = settings};
    return mg_start2(&init, error);
}

static void init_library(void)
{
    mg_init_library(MG_FEATURES_DEFAULT);
}

/* CivetWeb's threads inherit the mask: signals are the main loop's. */
static struct mg_context *start_unsignalled(struct http_server *server, struct mg_error_data *error)
{
    static pthread_once_t once = PTHREAD_ONCE_INIT;
    sigset_t all, before;
    pthread_once(&once, init_library);
    sigfillset(&all);
    pthread_sigmask(SIG_SETMASK, &all, &before);
    struct mg_context *context = start_civetweb(server, error);
    pthread_sigmask(SIG_SETMASK, &before, NULL);
    return context;
}

int http_server_start(const struct http_server_options *options, struct http_server **server,
                      struct err *err)
{
    char text[160] = "";
    if (!http_listen_is_plain(options->listen))
        return err_set(err, ERR_PERMANENT, "http.listen",
                       "\"%s\" is not an IPv4 address and port like 127.0.0.1:8081",
                       options->listen);
    assert(options->threads >= 1 && options->threads <= 512 && options->concurrency >= 1);
    struct http_server *made = http_server_make(options);
    struct mg_error_data error = {.text = text, .text_buffer_size = sizeof text};
    made->context = start_unsignalled(made, &error);
    struct mg_server_port port = {0};
    if (made->context == NULL) {
        http_server_destroy(made);
        return err_set(err, ERR_PERMANENT, "http.listen", "cannot listen on %s: %s",
                       options->listen, text[0] != '\0' ? text : "CivetWeb gave no reason");
    }
    if (mg_get_server_ports(made->context, 1, &port) > 0)
        made->port = port.port;
    made->watch = thread_start(http_watch_run, made);
    *server = made;
    return 0;
}

void http_server_free(struct http_server **server)
{
    struct http_server *freed = *server;
    if (freed == NULL)
        return;
    *server = NULL;
    http_watch_end_waiting(freed);
    mg_stop(freed->context);
    pthread_mutex_lock(&freed->mutex);
    freed->stopping = true;
    pthread_cond_broadcast(&freed->changed);
    pthread_mutex_unlock(&freed->mutex);
    thread_join(&freed->watch);
    http_server_destroy(freed);
}
