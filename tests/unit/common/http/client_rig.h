/* What the test of the HTTP client stands on: the outcome of a call, and the scripted server. */
#ifndef DESK_TESTS_CLIENT_RIG_H
#define DESK_TESTS_CLIENT_RIG_H

#include <CUnit/Basic.h>
#include <poll.h>
#include <signal.h>

#include "base/clock.h"
#include "http/client.h"
#include "unit/common/http/fake_server.h"

struct outcome {
    bool done;
    int status;
    bool body_sent;
    char code[ERR_CODE_MAX];
    enum err_class class;
    char body[4096];
    size_t body_length;
    char retry_after[64], retry_after_ms[64], request_id[64], content_type[64];
    int64_t first_byte_us, total_us, connect_us;
    char streamed[4096];
    size_t streamed_length;
    int pieces; /* calls of on_data */
    bool gate, gate_asked, refuse_data;
    struct http_transfer *victim; /* cancelled from inside on_data */
};

static struct loop *loop;
static struct http_client *client;
static struct fake_server *server;
static int waiting;
static char url[200];

static const char *at(const char *path)
{
    snprintf(url, sizeof url, "http://127.0.0.1:%d%s", server->port, path);
    return url;
}

static inline void keep_text(char *out, size_t size, const char *text)
{
    snprintf(out, size, "%s", text != NULL ? text : "");
}

static inline void on_done(void *arg, const struct http_result *result)
{
    struct outcome *o = arg;
    CU_ASSERT_FALSE(o->done);
    o->done = true;
    o->status = result->status;
    o->body_sent = result->body_sent;
    if (result->err != NULL) {
        keep_text(o->code, sizeof o->code, result->err->code);
        o->class = result->err->class;
    }
    keep_text(o->body, sizeof o->body, result->body);
    o->body_length = result->body_length;
    keep_text(o->retry_after, sizeof o->retry_after, result->retry_after);
    keep_text(o->retry_after_ms, sizeof o->retry_after_ms, result->retry_after_ms);
    keep_text(o->request_id, sizeof o->request_id, result->request_id);
    keep_text(o->content_type, sizeof o->content_type, result->content_type);
    o->first_byte_us = result->first_byte_us;
    o->connect_us = result->connect_us;
    o->total_us = result->total_us;
    if (--waiting == 0)
        loop_stop(loop);
}

static inline bool on_data(void *arg, const char *bytes, size_t length)
{
    struct outcome *o = arg;
    o->pieces++;
    if (o->streamed_length + length < sizeof o->streamed) {
        memcpy(o->streamed + o->streamed_length, bytes, length);
        o->streamed_length += length;
    }
    if (o->victim != NULL) {
        http_cancel(client, o->victim);
        o->victim = NULL;
        waiting--;
    }
    return !o->refuse_data;
}

static inline bool gate(void *arg)
{
    struct outcome *o = arg;
    CU_ASSERT_FALSE(o->gate_asked);
    o->gate_asked = true;
    return o->gate;
}

static inline void give_up(void *arg)
{
    (void)arg;
    CU_FAIL("the loop did not end in time");
    loop_stop(loop);
}

static inline void run(void)
{
    struct timer *watchdog = timer_new(loop, give_up, NULL);
    timer_start(watchdog, 60000, 0);
    if (waiting > 0)
        loop_run(loop);
    timer_free(&watchdog);
}

static inline struct http_transfer *start(struct outcome *o, struct http_call call)
{
    call.on_done = on_done;
    call.arg = o;
    waiting++;
    struct http_transfer *t = http_start(client, &call);
    CU_ASSERT_FALSE(o->done);
    return t;
}

static inline struct http_call post(const char *path, const char *body)
{
    return (struct http_call){
        .method = "POST", .url = at(path), .body = body, .body_length = strlen(body)};
}

/* ---- the server's script ---- */

static inline bool serve_status(int fd, const struct fake_request *r)
{
    if (fake_path_is(r, "/limited"))
        return fake_answer(fd, "429 Too Many Requests",
                           "Retry-After: 7\r\nRetry-After-Ms: 6500\r\nX-Request-Id: req-1\r\n"
                           "Content-Type: text/plain\r\n",
                           "slow down");
    if (fake_path_is(r, "/moved"))
        return fake_answer(fd, "302 Found", "Location: /ok\r\n", "moved");
    if (fake_path_is(r, "/interim"))
        return fake_send(fd, "HTTP/1.1 103 Early Hints\r\nX-Request-Id: early\r\n\r\n") &&
               fake_answer(fd, "200 OK", "", "late");
    return fake_answer(fd, "404 Not Found", "", "nothing here");
}

static inline bool serve_cut(int fd, const struct fake_request *r)
{
    if (fake_path_is(r, "/close-second") || fake_path_is(r, "/headers-only"))
        return r->on_connection == 0 && fake_answer(fd, "200 OK", "", "first");
    if (fake_path_is(r, "/cut"))
        fake_send(fd, "HTTP/1.1 200 OK\r\nContent-Length: 100\r\n\r\npart");
    return false; /* "/close": nothing at all */
}

static inline void wait_for_client(int fd)
{
    char byte;
    while (recv(fd, &byte, 1, 0) > 0)
        ;
}

static inline bool serve_slow(int fd, const struct fake_request *r)
{
    if (fake_path_is(r, "/stall"))
        fake_send(fd, "HTTP/1.1 200 OK\r\nContent-Length: 100\r\n\r\npart");
    if (fake_path_is(r, "/drip")) {
        int pause_ms = strstr(r->head, "/drip?slowly") != NULL ? 250 : 40;
        fake_send(fd, "HTTP/1.1 200 OK\r\nContent-Length: 6\r\n\r\n");
        for (int i = 0; i < 6; i++) {
            poll(NULL, 0, pause_ms);
            fake_send(fd, "x");
        }
        return true;
    }
    wait_for_client(fd); /* "/hang": until the client gives up */
    return false;
}

static inline bool serve(struct fake_server *s, int fd, const struct fake_request *r)
{
    (void)s;
    if (fake_path_is(r, "/ok"))
        return fake_answer(fd, "200 OK", "Content-Type: text/plain\r\n", "hello");
    if (fake_path_is(r, "/big")) {
        char big[3001];
        memset(big, 'x', 3000);
        big[3000] = '\0';
        return fake_answer(fd, "200 OK", "", big);
    }
    if (fake_path_is(r, "/echo"))
        return fake_answer(fd, "200 OK", "", r->body);
    if (fake_path_is(r, "/stall") || fake_path_is(r, "/hang") || fake_path_is(r, "/drip"))
        return serve_slow(fd, r);
    if (fake_path_is(r, "/cut") || fake_path_is(r, "/close") || fake_path_is(r, "/close-second"))
        return serve_cut(fd, r);
    return serve_status(fd, r);
}

static inline int set_up(void)
{
    signal(SIGPIPE, SIG_IGN);
    loop = loop_new();
    server = fake_server_start(serve);
    struct http_client_options options = {.loop = loop};
    client = http_client_new(&options);
    return 0;
}

static inline int tear_down(void)
{
    http_client_free(&client);
    for (int i = 0; i < 5; i++)
        loop_pass(loop);
    loop_free(&loop);
    fake_server_stop(server);
    return 0;
}

#endif
