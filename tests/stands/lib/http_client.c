/*
 * The HTTP client that sends the stand-ins' callbacks. A request waits in one queue until a kept or
 * new connection to its address is free. Called by the Twilio stand-in.
 */
#include "stands/lib/http_client.h"

#include <http_parser.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <strings.h>

#include "stands/lib/args.h"

enum {
    REQUEST_MAX = 1024 * 1024,
    ANSWER_MAX = 64 * 1024,
    READ_BYTES = 64 * 1024,
    NAME_MAX_BYTES = 32,
    VALUE_MAX = 2048
};

/* The headers that a result tells of. */
enum { CONTENT_TYPE, LOCATION, WANTED };
static const char *const wanted[WANTED] = {"Content-Type", "Location"};

struct request {
    struct request *next;
    struct sockaddr_in address;
    struct stand_buf bytes;
    stand_result_fn *done;
    void *user;
};

struct connection {
    uv_tcp_t tcp;
    uv_timer_t timer;
    uv_connect_t connect;
    uv_write_t write;
    int handles;
    struct stand_client *client;
    struct connection *next;
    struct sockaddr_in address;
    struct request *request; /* in hand, or NULL when kept idle */
    http_parser parser;
    struct stand_buf answer;
    struct stand_buf name, values[WANTED]; /* the header being read; those that are kept */
    bool in_value;
    bool complete, closing;
};

struct stand_client {
    uv_loop_t *loop;
    size_t max, queue_max, waiting, open, in_flight;
    uint64_t timeout_ms;
    struct request *first, *last;
    struct connection *idle;
    http_parser_settings settings;
    char input[READ_BYTES];
};

static void pump(struct stand_client *client);

/* --- requests --- */

static void free_request(struct request *request)
{
    stand_buf_fini(&request->bytes);
    free(request);
}

static void push(struct stand_client *client, struct request *request)
{
    if (client->first)
        client->last->next = request;
    else
        client->first = request;
    client->last = request;
    client->waiting++;
}

static struct request *pop(struct stand_client *client)
{
    struct request *request = client->first;
    client->first = request->next;
    if (!client->first)
        client->last = NULL;
    request->next = NULL;
    client->waiting--;
    return request;
}

/* --- connections --- */

static void on_closed(uv_handle_t *handle)
{
    struct connection *c = handle->data;
    if (--c->handles > 0)
        return;
    stand_buf_fini(&c->answer);
    stand_buf_fini(&c->name);
    for (int i = 0; i < WANTED; i++)
        stand_buf_fini(&c->values[i]);
    free(c);
}

static void unlink_idle(struct connection *c)
{
    for (struct connection **at = &c->client->idle; *at; at = &(*at)->next) {
        if (*at == c) {
            *at = c->next;
            return;
        }
    }
}

static void close_connection(struct connection *c)
{
    if (c->closing)
        return;
    c->closing = true;
    unlink_idle(c);
    c->client->open--;
    uv_close((uv_handle_t *)&c->tcp, on_closed);
    uv_close((uv_handle_t *)&c->timer, on_closed);
}

/* Ends the request in hand with a result. */
static void settle(struct connection *c, int status, const char *error)
{
    struct request *request = c->request;
    struct stand_result result = {.status = status,
                                  .error = error,
                                  .body = c->answer.data ? c->answer.data : "",
                                  .len = c->answer.len,
                                  .truncated = c->answer.overflow,
                                  .content_type = c->values[CONTENT_TYPE].data,
                                  .location = c->values[LOCATION].data};
    c->request = NULL;
    c->client->in_flight--;
    uv_timer_stop(&c->timer);
    request->done(request->user, &result);
    free_request(request);
}

/* The connection is of no more use; what it was doing failed with `error`. */
static void fail(struct connection *c, const char *error)
{
    struct stand_client *client = c->client;
    if (c->closing)
        return;
    close_connection(c);
    if (c->request)
        settle(c, 0, error);
    pump(client);
}

static void on_timeout(uv_timer_t *timer)
{
    struct connection *c = timer->data;
    fail(c, "timeout");
}

static void keep(struct connection *c)
{
    c->next = c->client->idle;
    c->client->idle = c;
}

static int on_complete(http_parser *parser)
{
    struct connection *c = parser->data;
    c->complete = true;
    return 0;
}

static int on_field(http_parser *parser, const char *at, size_t len)
{
    struct connection *c = parser->data;
    if (c->in_value)
        stand_buf_clear(&c->name);
    c->in_value = false;
    stand_buf_add(&c->name, at, len);
    return 0;
}

static int on_value(http_parser *parser, const char *at, size_t len)
{
    struct connection *c = parser->data;
    c->in_value = true;
    for (int i = 0; c->name.data && i < WANTED; i++) {
        if (strcasecmp(c->name.data, wanted[i]) == 0)
            stand_buf_add(&c->values[i], at, len);
    }
    return 0;
}

static int on_body(http_parser *parser, const char *at, size_t len)
{
    struct connection *c = parser->data;
    stand_buf_add(&c->answer, at, len);
    return 0;
}

static void finish_answer(struct connection *c)
{
    struct stand_client *client = c->client;
    bool alive = http_should_keep_alive(&c->parser) != 0;
    settle(c, (int)c->parser.status_code, NULL);
    if (alive)
        keep(c);
    else
        close_connection(c);
    pump(client);
}

static void on_alloc(uv_handle_t *handle, size_t hint, uv_buf_t *buf)
{
    (void)hint;
    struct connection *c = handle->data;
    *buf = uv_buf_init(c->client->input, READ_BYTES);
}

static void on_read(uv_stream_t *stream, ssize_t len, const uv_buf_t *buf)
{
    struct connection *c = stream->data;
    if (c->closing || len == 0)
        return;
    if (len < 0 || !c->request) {
        if (c->request)
            http_parser_execute(&c->parser, &c->client->settings, NULL, 0);
        if (c->request && c->complete)
            finish_answer(c);
        fail(c, "closed before an answer");
        return;
    }
    http_parser_execute(&c->parser, &c->client->settings, buf->base, (size_t)len);
    if (HTTP_PARSER_ERRNO(&c->parser) != HPE_OK)
        fail(c, "not an HTTP answer");
    else if (c->complete)
        finish_answer(c);
}

static void on_written(uv_write_t *req, int status)
{
    struct connection *c = req->handle->data;
    if (status < 0)
        fail(c, "closed while sending");
}

static void send_request(struct connection *c)
{
    http_parser_init(&c->parser, HTTP_RESPONSE);
    c->parser.data = c;
    stand_buf_clear(&c->answer);
    stand_buf_clear(&c->name);
    for (int i = 0; i < WANTED; i++)
        stand_buf_fini(&c->values[i]);
    c->in_value = false;
    c->complete = false;
    uv_timer_start(&c->timer, on_timeout, c->client->timeout_ms, 0);
    uv_buf_t out = uv_buf_init(c->request->bytes.data, (unsigned)c->request->bytes.len);
    int sent = uv_try_write((uv_stream_t *)&c->tcp, &out, 1);
    if (sent >= 0 && (size_t)sent == out.len)
        return;
    if (sent > 0)
        out = uv_buf_init(out.base + sent, (unsigned)(out.len - (size_t)sent));
    if (uv_write(&c->write, (uv_stream_t *)&c->tcp, &out, 1, on_written) != 0)
        fail(c, "closed while sending");
}

static void on_connected(uv_connect_t *connect, int status)
{
    struct connection *c = connect->data;
    if (c->closing)
        return;
    if (status < 0) {
        fail(c, uv_strerror(status));
        return;
    }
    uv_tcp_nodelay(&c->tcp, 1);
    uv_read_start((uv_stream_t *)&c->tcp, on_alloc, on_read);
    send_request(c);
}

static void open_connection(struct stand_client *client, struct request *request)
{
    struct connection *c = stand_alloc(sizeof *c);
    c->client = client;
    c->request = request;
    c->address = request->address;
    c->handles = 2;
    c->tcp.data = c->timer.data = c->connect.data = c;
    stand_buf_init(&c->answer, ANSWER_MAX);
    stand_buf_init(&c->name, NAME_MAX_BYTES);
    for (int i = 0; i < WANTED; i++)
        stand_buf_init(&c->values[i], VALUE_MAX);
    uv_tcp_init(client->loop, &c->tcp);
    uv_timer_init(client->loop, &c->timer);
    client->open++;
    int problem =
        uv_tcp_connect(&c->connect, &c->tcp, (const struct sockaddr *)&c->address, on_connected);
    if (problem != 0)
        fail(c, uv_strerror(problem));
    else
        uv_timer_start(&c->timer, on_timeout, client->timeout_ms, 0);
}

/* --- the queue --- */

static struct connection *take_idle(struct stand_client *client, const struct sockaddr_in *address)
{
    for (struct connection *c = client->idle; c; c = c->next) {
        if (c->address.sin_port == address->sin_port &&
            c->address.sin_addr.s_addr == address->sin_addr.s_addr) {
            unlink_idle(c);
            return c;
        }
    }
    return NULL;
}

static void pump(struct stand_client *client)
{
    while (client->first) {
        struct connection *c = take_idle(client, &client->first->address);
        if (!c && client->open == client->max) {
            if (!client->idle)
                return;
            close_connection(client->idle); /* kept for another address */
        }
        client->in_flight++;
        if (c) {
            c->request = pop(client);
            send_request(c);
        } else {
            open_connection(client, pop(client));
        }
    }
}

static int parse_url(const struct stand_post *post, struct sockaddr_in *address,
                     struct http_parser_url *url, const char **why)
{
    char where[80], host[64];
    int port = 0;
    http_parser_url_init(url);
    *why = "not an URL";
    if (http_parser_parse_url(post->url, strlen(post->url), 0, url) != 0)
        return -1;
    const char *name = post->url + url->field_data[UF_HOST].off;
    int len = url->field_data[UF_HOST].len;
    if (post->connect) {
        snprintf(where, sizeof where, "%s", post->connect);
    } else {
        *why = "only http to an address of this machine";
        if (strncmp(post->url, "http://", 7) != 0 || len > 60)
            return -1;
        snprintf(where, sizeof where, "%.*s:%d", len, name, url->port ? url->port : 80);
    }
    if (stand_args_address(where, host, &port) != 0 || uv_ip4_addr(host, port, address) != 0)
        return -1;
    return 0;
}

/* The request's bytes. The fragment of an URL is never sent. */
static void write_request(struct request *request, const struct stand_post *post,
                          const struct http_parser_url *url)
{
    const char *rest = post->url + url->field_data[UF_HOST].off;
    const char *target = strpbrk(rest, "/?");
    int authority = target ? (int)(target - rest) : (int)strcspn(rest, "#");
    int target_len = target ? (int)strcspn(target, "#") : 0;
    struct stand_buf *out = &request->bytes;
    stand_buf_init(out, REQUEST_MAX);
    stand_buf_printf(out, "%s %s%.*s HTTP/1.1\r\nHost: %.*s\r\n", post->get ? "GET" : "POST",
                     target && *target == '/' ? "" : "/", target_len, target ? target : "",
                     authority, rest);
    stand_buf_puts(out, "User-Agent: TwilioProxy/1.1\r\nAccept: */*\r\n");
    if (post->headers)
        stand_buf_puts(out, post->headers);
    if (post->get) {
        stand_buf_puts(out, "\r\n");
        return;
    }
    stand_buf_puts(out, "Content-Type: application/x-www-form-urlencoded; charset=utf-8\r\n");
    stand_buf_printf(out, "Content-Length: %zu\r\n\r\n", post->len);
    stand_buf_add(out, post->body, post->len);
}

int stand_client_post(struct stand_client *client, const struct stand_post *post, const char **why)
{
    struct sockaddr_in address;
    struct http_parser_url url;
    if (parse_url(post, &address, &url, why) != 0)
        return -1;
    if (client->waiting >= client->queue_max) {
        *why = "queue full";
        return -1;
    }
    struct request *request = stand_alloc(sizeof *request);
    request->address = address;
    request->done = post->done;
    request->user = post->user;
    write_request(request, post, &url);
    push(client, request);
    pump(client);
    return 0;
}

bool stand_url_valid(const char *url)
{
    struct http_parser_url parts;
    http_parser_url_init(&parts);
    size_t len = strlen(url);
    bool scheme = strncmp(url, "http://", 7) == 0 || strncmp(url, "https://", 8) == 0;
    return scheme && strcspn(url, " \t\r\n") == len &&
           http_parser_parse_url(url, len, 0, &parts) == 0 && parts.field_data[UF_HOST].len > 0;
}

struct stand_client *stand_client_new(uv_loop_t *loop, size_t connections, size_t queue,
                                      uint64_t timeout_ms)
{
    struct stand_client *client = stand_alloc(sizeof *client);
    client->loop = loop;
    client->max = connections;
    client->queue_max = queue;
    client->timeout_ms = timeout_ms;
    client->settings = (http_parser_settings){.on_header_field = on_field,
                                              .on_header_value = on_value,
                                              .on_body = on_body,
                                              .on_message_complete = on_complete};
    return client;
}

size_t stand_client_waiting(const struct stand_client *client)
{
    return client->waiting;
}

size_t stand_client_in_flight(const struct stand_client *client)
{
    return client->in_flight;
}
