/*
 * The HTTP server of the stand-ins. One connection object carries its parser, the request being
 * read or served and one timer, so that ten thousand open streams cost a few kilobytes each and a
 * request costs no allocation once a connection is warm. Called by app.c, which feeds both
 * programs.
 */
#include "stands/lib/exchange.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <strings.h>

enum { BACKLOG = 4096, PENDING_MAX = 256 * 1024 };

static void feed(struct stand_exchange *x, const char *data, size_t len);

/* --- end of a connection --- */

static void on_handle_closed(uv_handle_t *handle)
{
    struct stand_exchange *x = handle->data;
    if (--x->handles > 0)
        return;
    stand_buf_fini(&x->head);
    stand_buf_fini(&x->body);
    stand_buf_fini(&x->pending);
    free(x);
}

/* Tells the owner of the request in hand that it is over. */
static void end_request(struct stand_exchange *x, bool gone)
{
    stand_done *done = x->done;
    x->done = NULL;
    x->timer_step = NULL;
    x->sent_step = NULL;
    uv_timer_stop(&x->timer);
    x->server->counts.requests_open--;
    if (done)
        done(x->done_user, gone);
}

void stand_exchange_close(struct stand_exchange *x, bool reset)
{
    if (x->state == EXCHANGE_CLOSING)
        return;
    bool serving = x->state == EXCHANGE_SERVING;
    x->state = EXCHANGE_CLOSING;
    if (x->prev)
        x->prev->next = x->next;
    else
        x->server->first = x->next;
    if (x->next)
        x->next->prev = x->prev;
    x->server->counts.connections_open--;
    if (!reset || uv_tcp_close_reset(&x->tcp, on_handle_closed) != 0)
        uv_close((uv_handle_t *)&x->tcp, on_handle_closed);
    if (serving)
        end_request(x, true);
    uv_close((uv_handle_t *)&x->timer, on_handle_closed);
}

/* --- the next request --- */

static void start_reading(struct stand_exchange *x)
{
    stand_buf_clear(&x->head);
    stand_buf_clear(&x->body);
    x->header_count = 0;
    x->target_len = 0;
    x->query = NULL;
    x->chunked = false;
    x->in_value = false;
    x->state = EXCHANGE_READING;
}

static void on_read(uv_stream_t *stream, ssize_t len, const uv_buf_t *buf);
static void on_alloc(uv_handle_t *handle, size_t hint, uv_buf_t *buf);

void stand_exchange_finish(struct stand_exchange *x)
{
    if (x->state != EXCHANGE_SERVING)
        return;
    end_request(x, false);
    start_reading(x);
    if (!x->keep_alive || x->closing_after_send) {
        x->closing_after_send = true;
        if (stand_exchange_all_sent(x))
            stand_exchange_close(x, false);
        return;
    }
    if (x->feeding || x->pending.len == 0)
        return; /* feed() goes on by itself, or there is nothing */
    uv_read_start((uv_stream_t *)&x->tcp, on_alloc, on_read);
    struct stand_buf waiting = x->pending;
    stand_buf_init(&x->pending, PENDING_MAX + READ_BYTES);
    feed(x, waiting.data, waiting.len);
    stand_buf_fini(&waiting);
}

/* --- parsing --- */

static int on_begin(http_parser *parser)
{
    start_reading(parser->data);
    return 0;
}

static int on_url(http_parser *parser, const char *at, size_t len)
{
    struct stand_exchange *x = parser->data;
    stand_buf_add(&x->head, at, len);
    x->target_len += len;
    return x->head.overflow ? 1 : 0;
}

static int on_field(http_parser *parser, const char *at, size_t len)
{
    struct stand_exchange *x = parser->data;
    if (x->header_count == 0 || x->in_value) {
        if (x->header_count == HEADERS_MAX)
            return 1;
        stand_buf_add(&x->head, "", 1); /* ends the text before it */
        x->headers[x->header_count++].name = (uint32_t)x->head.len;
        x->in_value = false;
    }
    stand_buf_add(&x->head, at, len);
    return x->head.overflow ? 1 : 0;
}

static int on_value(http_parser *parser, const char *at, size_t len)
{
    struct stand_exchange *x = parser->data;
    if (!x->in_value) {
        stand_buf_add(&x->head, "", 1);
        x->headers[x->header_count - 1].value = (uint32_t)x->head.len;
        x->in_value = true;
    }
    stand_buf_add(&x->head, at, len);
    return x->head.overflow ? 1 : 0;
}

static int on_headers_done(http_parser *parser)
{
    struct stand_exchange *x = parser->data;
    stand_buf_add(&x->head, "", 1);
    const char *expect = stand_exchange_header(x, "Expect");
    if (expect && strcasecmp(expect, "100-continue") == 0) {
        x->state = EXCHANGE_SERVING;
        stand_exchange_raw(x, "HTTP/1.1 100 Continue\r\n\r\n", 25);
        x->state = EXCHANGE_READING;
    }
    return 0;
}

static int on_body(http_parser *parser, const char *at, size_t len)
{
    struct stand_exchange *x = parser->data;
    stand_buf_add(&x->body, at, len);
    return x->body.overflow ? 1 : 0;
}

static int on_complete(http_parser *parser)
{
    http_parser_pause(parser, 1);
    return 0;
}

static void begin_serving(struct stand_exchange *x)
{
    struct stand_server_counts *counts = &x->server->counts;
    x->state = EXCHANGE_SERVING;
    x->keep_alive = http_should_keep_alive(&x->parser) != 0;
    x->old_client = x->parser.http_major == 1 && x->parser.http_minor == 0;
    x->method = http_method_str((enum http_method)x->parser.method);
    char *mark = memchr(x->head.data, '?', x->target_len);
    x->query = mark ? mark + 1 : NULL;
    if (mark)
        *mark = '\0';
    counts->requests_total++;
    if (++counts->requests_open > counts->requests_max)
        counts->requests_max = counts->requests_open;
    x->server->handler(x->server->ctx, x);
}

static void refuse_malformed(struct stand_exchange *x)
{
    int status = x->body.overflow ? 413 : x->head.overflow ? 431 : 400;
    struct stand_server_counts *counts = &x->server->counts;
    counts->bad_requests++;
    counts->requests_open++; /* the request that finish() ends */
    x->state = EXCHANGE_SERVING;
    x->keep_alive = false;
    x->method = "GET";
    struct stand_answer answer = {.status = status, .content_type = "text/plain", .body = ""};
    stand_exchange_answer(x, &answer);
}

static void feed(struct stand_exchange *x, const char *data, size_t len)
{
    x->feeding = true;
    while (len > 0 && x->state == EXCHANGE_READING && !x->closing_after_send) {
        size_t used = http_parser_execute(&x->parser, &x->server->settings, data, len);
        enum http_errno problem = HTTP_PARSER_ERRNO(&x->parser);
        if (problem == HPE_PAUSED) {
            http_parser_pause(&x->parser, 0);
            data += used;
            len -= used;
            begin_serving(x);
        } else if (problem != HPE_OK || x->parser.upgrade) {
            refuse_malformed(x);
        } else {
            len = 0;
        }
    }
    x->feeding = false;
    if (len > 0 && x->state == EXCHANGE_SERVING) {
        stand_buf_add(&x->pending, data, len);
        if (x->pending.len > PENDING_MAX)
            uv_read_stop((uv_stream_t *)&x->tcp);
    }
}

static void on_alloc(uv_handle_t *handle, size_t hint, uv_buf_t *buf)
{
    (void)hint;
    struct stand_exchange *x = handle->data;
    *buf = uv_buf_init(x->server->input, READ_BYTES); /* parsed before the next read */
}

static void on_read(uv_stream_t *stream, ssize_t len, const uv_buf_t *buf)
{
    struct stand_exchange *x = stream->data;
    if (len < 0)
        stand_exchange_close(x, false);
    else if (len > 0)
        feed(x, buf->base, (size_t)len);
}

/* --- listening --- */

static void on_connection(uv_stream_t *listener, int status)
{
    struct stand_server *server = listener->data;
    if (status < 0)
        return;
    struct stand_exchange *x = stand_alloc(sizeof *x);
    x->server = server;
    x->handles = 2;
    x->tcp.data = x;
    x->timer.data = x;
    stand_buf_init(&x->head, STAND_HTTP_HEAD_MAX);
    stand_buf_init(&x->body, STAND_HTTP_BODY_MAX);
    stand_buf_init(&x->pending, PENDING_MAX + READ_BYTES);
    http_parser_init(&x->parser, HTTP_REQUEST);
    x->parser.data = x;
    uv_tcp_init(server->loop, &x->tcp);
    uv_timer_init(server->loop, &x->timer);
    x->next = server->first;
    if (x->next)
        x->next->prev = x;
    server->first = x;
    server->counts.connections_total++;
    if (++server->counts.connections_open > server->counts.connections_max)
        server->counts.connections_max = server->counts.connections_open;
    if (uv_accept(listener, (uv_stream_t *)&x->tcp) != 0) {
        stand_exchange_close(x, false);
        return;
    }
    uv_tcp_nodelay(&x->tcp, 1);
    uv_read_start((uv_stream_t *)&x->tcp, on_alloc, on_read);
}

static int listen_now(struct stand_server *server)
{
    server->listener = stand_alloc(sizeof *server->listener);
    uv_tcp_init(server->loop, server->listener);
    server->listener->data = server;
    int problem = uv_tcp_bind(server->listener, (const struct sockaddr *)&server->address, 0);
    if (problem == 0)
        problem = uv_listen((uv_stream_t *)server->listener, BACKLOG, on_connection);
    int size = sizeof server->address;
    if (problem == 0)
        problem = uv_tcp_getsockname(server->listener, (struct sockaddr *)&server->address, &size);
    if (problem != 0)
        fprintf(stderr, "cannot listen: %s\n", uv_strerror(problem));
    return problem ? -1 : 0;
}

struct stand_server *stand_server_new(uv_loop_t *loop, const char *host, int port,
                                      stand_handler *handler, void *ctx)
{
    struct stand_server *server = stand_alloc(sizeof *server);
    server->loop = loop;
    server->handler = handler;
    server->ctx = ctx;
    server->settings = (http_parser_settings){.on_message_begin = on_begin,
                                              .on_url = on_url,
                                              .on_header_field = on_field,
                                              .on_header_value = on_value,
                                              .on_headers_complete = on_headers_done,
                                              .on_body = on_body,
                                              .on_message_complete = on_complete};
    uv_timer_init(loop, &server->refusal);
    server->refusal.data = server;
    if (uv_ip4_addr(host, port, &server->address) != 0) {
        fprintf(stderr, "not an IPv4 address: %s\n", host);
        free(server);
        return NULL;
    }
    if (listen_now(server) != 0)
        return NULL; /* the process ends; what is left goes with it */
    return server;
}

int stand_server_port(const struct stand_server *server)
{
    return ntohs(server->address.sin_port);
}

static void free_listener(uv_handle_t *handle)
{
    free(handle);
}

static void on_refusal_over(uv_timer_t *timer)
{
    struct stand_server *server = timer->data;
    if (listen_now(server) != 0) {
        uv_close((uv_handle_t *)server->listener, free_listener);
        server->listener = NULL;
        uv_timer_start(timer, on_refusal_over, 50, 0); /* someone else took the port: try again */
    }
}

void stand_server_refuse(struct stand_server *server, uint64_t ms)
{
    if (server->listener)
        uv_close((uv_handle_t *)server->listener, free_listener);
    server->listener = NULL;
    for (struct stand_exchange *x = server->first, *next; x; x = next) {
        next = x->next;
        if (x->state == EXCHANGE_READING)
            stand_exchange_close(x, false);
    }
    uv_timer_start(&server->refusal, on_refusal_over, ms, 0);
}

const struct stand_server_counts *stand_server_counts(const struct stand_server *server)
{
    return &server->counts;
}

void stand_server_counts_reset(struct stand_server *server)
{
    struct stand_server_counts *counts = &server->counts;
    *counts = (struct stand_server_counts){.connections_open = counts->connections_open,
                                           .connections_max = counts->connections_open,
                                           .requests_open = counts->requests_open,
                                           .requests_max = counts->requests_open};
}
