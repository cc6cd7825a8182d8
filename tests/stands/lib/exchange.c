/*
 * Answering a request: writing without copies where the socket takes it at once, framing, timers,
 * and what a handler may ask about its request. Called by app.c and the programs.
 */
#include "stands/lib/exchange.h"

#include <stdlib.h>
#include <string.h>
#include <strings.h>

enum { UNSENT_MAX = 64 * 1024 * 1024 };

struct write_job {
    uv_write_t req;
    char data[];
};

bool stand_exchange_all_sent(const struct stand_exchange *x)
{
    return uv_stream_get_write_queue_size((const uv_stream_t *)&x->tcp) == 0;
}

static void on_written(uv_write_t *req, int status)
{
    struct stand_exchange *x = req->handle->data;
    free(req->data);
    if (x->state == EXCHANGE_CLOSING)
        return;
    if (status < 0) {
        stand_exchange_close(x, false);
        return;
    }
    if (!stand_exchange_all_sent(x))
        return;
    if (x->closing_after_send) {
        stand_exchange_close(x, false);
    } else if (x->sent_step) {
        stand_step *step = x->sent_step;
        x->sent_step = NULL;
        step(x->sent_user);
    }
}

void stand_exchange_raw(struct stand_exchange *x, const char *data, size_t len)
{
    if (x->state != EXCHANGE_SERVING || x->closing_after_send)
        return;
    uv_stream_t *stream = (uv_stream_t *)&x->tcp;
    if (stand_exchange_all_sent(x)) {
        union { /* libuv reads only, but takes no const */
            const char *in;
            char *out;
        } text = {.in = data};
        uv_buf_t now = {.base = text.out, .len = len};
        int sent = uv_try_write(stream, &now, 1);
        if (sent > 0) {
            data += sent;
            len -= (size_t)sent;
        }
        if (len == 0)
            return;
    }
    if (uv_stream_get_write_queue_size(stream) > UNSENT_MAX) {
        uv_read_stop(stream);
        x->closing_after_send = true;
        return;
    }
    struct write_job *job = stand_alloc(sizeof *job + len);
    memcpy(job->data, data, len);
    job->req.data = job;
    uv_buf_t later = {.base = job->data, .len = len};
    if (uv_write(&job->req, stream, &later, 1, on_written) != 0)
        free(job);
}

static void render_head(const struct stand_exchange *x, const struct stand_answer *answer,
                        bool chunked, struct stand_buf *out)
{
    stand_buf_printf(out, "HTTP/1.1 %d %s\r\n", answer->status,
                     http_status_str((enum http_status)answer->status));
    if (answer->content_type)
        stand_buf_printf(out, "Content-Type: %s\r\n", answer->content_type);
    if (answer->headers)
        stand_buf_puts(out, answer->headers);
    if (chunked)
        stand_buf_puts(out, "Transfer-Encoding: chunked\r\n");
    stand_buf_printf(out, "Connection: %s\r\n", x->keep_alive ? "keep-alive" : "close");
}

void stand_exchange_render(const struct stand_exchange *x, const struct stand_answer *answer,
                           struct stand_buf *out)
{
    render_head(x, answer, false, out);
    stand_buf_printf(out, "Content-Length: %zu\r\n\r\n", answer->len);
    if (strcmp(x->method, "HEAD") != 0)
        stand_buf_add(out, answer->body, answer->len);
}

void stand_exchange_answer(struct stand_exchange *x, const struct stand_answer *answer)
{
    struct stand_buf out;
    stand_buf_init(&out, answer->len + STAND_HTTP_HEAD_MAX);
    stand_exchange_render(x, answer, &out);
    stand_exchange_raw(x, out.data, out.len);
    stand_buf_fini(&out);
    stand_exchange_finish(x);
}

void stand_exchange_begin(struct stand_exchange *x, const struct stand_answer *answer)
{
    struct stand_buf out;
    stand_buf_init(&out, STAND_HTTP_HEAD_MAX);
    x->chunked = !x->old_client;
    if (x->old_client)
        x->keep_alive = false;
    render_head(x, answer, x->chunked, &out);
    stand_buf_puts(&out, "\r\n");
    stand_exchange_raw(x, out.data, out.len);
    stand_buf_fini(&out);
}

void stand_exchange_chunk(struct stand_exchange *x, const char *data, size_t len)
{
    if (!x->chunked) {
        stand_exchange_raw(x, data, len);
        return;
    }
    struct stand_buf out;
    stand_buf_init(&out, len + 64);
    stand_buf_printf(&out, "%zx\r\n", len);
    stand_buf_add(&out, data, len);
    stand_buf_add(&out, "\r\n", 2);
    stand_exchange_raw(x, out.data, out.len);
    stand_buf_fini(&out);
}

void stand_exchange_end(struct stand_exchange *x)
{
    if (x->chunked)
        stand_exchange_raw(x, "0\r\n\r\n", 5);
    stand_exchange_finish(x);
}

void stand_exchange_cut(struct stand_exchange *x, bool reset)
{
    if (reset || stand_exchange_all_sent(x))
        stand_exchange_close(x, reset);
    else
        x->closing_after_send = true;
}

const char *stand_exchange_method(const struct stand_exchange *x)
{
    return x->method;
}

const char *stand_exchange_path(const struct stand_exchange *x)
{
    return x->head.data;
}

const char *stand_exchange_body(const struct stand_exchange *x, size_t *len)
{
    *len = x->body.len;
    return x->body.data ? x->body.data : "";
}

void stand_exchange_drop_body(struct stand_exchange *x)
{
    stand_buf_fini(&x->body);
}

const char *stand_exchange_query(const struct stand_exchange *x)
{
    return x->query;
}

const char *stand_exchange_header(const struct stand_exchange *x, const char *name)
{
    for (size_t i = 0; i < x->header_count; i++) {
        if (strcasecmp(x->head.data + x->headers[i].name, name) == 0)
            return x->head.data + x->headers[i].value;
    }
    return NULL;
}

void stand_exchange_on_done(struct stand_exchange *x, stand_done *done, void *user)
{
    x->done = done;
    x->done_user = user;
}

static void on_timer(uv_timer_t *timer)
{
    struct stand_exchange *x = timer->data;
    stand_step *step = x->timer_step;
    x->timer_step = NULL;
    if (step)
        step(x->timer_user);
}

void stand_exchange_after(struct stand_exchange *x, uint64_t ms, stand_step *step, void *user)
{
    if (x->state != EXCHANGE_SERVING)
        return;
    x->timer_step = step;
    x->timer_user = user;
    uv_timer_start(&x->timer, on_timer, ms, 0);
}

void stand_exchange_when_sent(struct stand_exchange *x, stand_step *step, void *user)
{
    if (x->state != EXCHANGE_SERVING)
        return;
    if (stand_exchange_all_sent(x)) {
        stand_exchange_after(x, 0, step, user);
        return;
    }
    x->sent_step = step;
    x->sent_user = user;
}
