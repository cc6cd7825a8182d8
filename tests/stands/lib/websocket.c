/*
 * The WebSocket client: handshake, reading, writing, closing. Called by the Twilio stand-in, whose
 * ConversationRelay opens a socket to the server that it tests.
 */
#include "stands/lib/websocket.h"

#include <http_parser.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <strings.h>

#include "stands/lib/args.h"
#include "stands/lib/hmac.h"
#include "stands/lib/ids.h"
#include "stands/lib/sha1.h"

enum {
    HANDSHAKE_MAX = 32 * 1024,
    READ_BYTES = 64 * 1024,
    CLOSE_WAIT_MS = 2000,
    ACCEPT_BYTES = 32,
    UNSENT_MAX = 16 * 1024 * 1024
};

enum state { CONNECTING, SHAKING, OPEN, CLOSING, GONE };

struct stand_websocket {
    uv_tcp_t tcp;
    uv_timer_t timer;
    uv_connect_t connect;
    int handles;
    enum state state;
    struct stand_websocket_options options; /* its texts are not valid after the start */
    struct stand_buf handshake;             /* the request; then the answer's head */
    char accept[ACCEPT_BYTES];
    struct stand_frames frames;
    bool detached; /* the owner wants no more callbacks */
    char input[READ_BYTES];
};

struct write_job {
    uv_write_t req;
    char data[];
};

/* --- the end --- */

static void on_handle_closed(uv_handle_t *handle)
{
    struct stand_websocket *ws = handle->data;
    if (--ws->handles > 0)
        return;
    stand_frames_fini(&ws->frames);
    stand_buf_fini(&ws->handshake);
    free(ws);
}

static void shut(struct stand_websocket *ws, bool reset)
{
    if (ws->state == GONE)
        return;
    ws->state = GONE;
    if (!reset || uv_tcp_close_reset(&ws->tcp, on_handle_closed) != 0)
        uv_close((uv_handle_t *)&ws->tcp, on_handle_closed);
    uv_close((uv_handle_t *)&ws->timer, on_handle_closed);
}

/* The handshake failed. */
static void refuse(struct stand_websocket *ws, int status, const char *why)
{
    if (ws->state == GONE)
        return;
    shut(ws, false);
    if (!ws->detached)
        ws->options.opened(ws->options.user, status, why);
}

/* The connection ended, and not by the owner. */
static void end(struct stand_websocket *ws, int code, const char *why)
{
    if (ws->state == GONE)
        return;
    bool tell = ws->state == OPEN && !ws->detached;
    shut(ws, false);
    if (tell)
        ws->options.closed(ws->options.user, code, why);
}

static void on_timer(uv_timer_t *timer)
{
    struct stand_websocket *ws = timer->data;
    if (ws->state == CLOSING)
        shut(ws, false);
    else
        refuse(ws, 0, "no answer to the handshake in time");
}

/* --- writing --- */

static void on_written(uv_write_t *req, int status)
{
    struct stand_websocket *ws = req->handle->data;
    free(req->data);
    if (status < 0)
        end(ws, STAND_CLOSE_ABNORMAL, "closed while sending");
}

size_t stand_websocket_unsent(const struct stand_websocket *ws)
{
    return uv_stream_get_write_queue_size((const uv_stream_t *)&ws->tcp);
}

static void write_bytes(struct stand_websocket *ws, const void *data, size_t len)
{
    if (len == 0 || stand_websocket_unsent(ws) > UNSENT_MAX)
        return;
    struct write_job *job = stand_alloc(sizeof *job + len);
    memcpy(job->data, data, len);
    job->req.data = job;
    uv_buf_t out = uv_buf_init(job->data, (unsigned)len);
    if (uv_write(&job->req, (uv_stream_t *)&ws->tcp, &out, 1, on_written) != 0)
        free(job);
}

static void send_frame(struct stand_websocket *ws, int opcode, bool fin, const void *data,
                       size_t len)
{
    char digits[9];
    uint8_t mask[4];
    struct stand_buf out;
    stand_hex(digits, 8);
    memcpy(mask, digits, sizeof mask);
    stand_buf_init(&out, len + 64);
    stand_frame_add(&out, opcode, fin, mask, data, len);
    write_bytes(ws, out.data, out.len);
    stand_buf_fini(&out);
}

void stand_websocket_send(struct stand_websocket *ws, int opcode, bool fin, const void *data,
                          size_t len)
{
    if (ws->state == OPEN)
        send_frame(ws, opcode, fin, data, len);
}

/* Sends a close frame and waits for the peer to let go. */
static void start_closing(struct stand_websocket *ws, int code, const char *reason)
{
    char payload[125];
    size_t len = 0;
    if (code != STAND_CLOSE_NO_CODE) {
        payload[0] = (char)(code >> 8);
        payload[1] = (char)(code & 0xff);
        len = 2 + (size_t)snprintf(payload + 2, sizeof payload - 2, "%.100s", reason ? reason : "");
    }
    send_frame(ws, STAND_FRAME_CLOSE, true, payload, len);
    ws->state = CLOSING;
    uv_timer_start(&ws->timer, on_timer, CLOSE_WAIT_MS, 0);
}

void stand_websocket_close(struct stand_websocket *ws, int code, const char *reason)
{
    ws->detached = true;
    if (ws->state == OPEN)
        start_closing(ws, code, reason);
    else if (ws->state != CLOSING)
        shut(ws, false);
}

void stand_websocket_cut(struct stand_websocket *ws, bool reset)
{
    ws->detached = true;
    shut(ws, reset);
}

/* --- reading --- */

static bool on_frame(void *user, int opcode, const char *data, size_t len)
{
    struct stand_websocket *ws = user;
    if (ws->state == CLOSING) {
        if (opcode != STAND_FRAME_CLOSE)
            return true;
        shut(ws, false);
        return false;
    }
    if (opcode == STAND_FRAME_PING) {
        send_frame(ws, STAND_FRAME_PONG, true, data, len);
    } else if (opcode == STAND_FRAME_CLOSE) {
        int code = len >= 2 ? (uint8_t)data[0] << 8 | (uint8_t)data[1] : STAND_CLOSE_NO_CODE;
        char why[124];
        snprintf(why, sizeof why, "%.*s", len >= 2 ? (int)len - 2 : 0, len >= 2 ? data + 2 : "");
        start_closing(ws, code, NULL);
        if (!ws->detached)
            ws->options.closed(ws->options.user, code, why);
        ws->detached = true;
        return false;
    } else if (opcode == STAND_FRAME_PONG) {
        if (ws->options.pong)
            ws->options.pong(ws->options.user);
    } else {
        ws->options.message(ws->options.user, opcode == STAND_FRAME_TEXT, data, len);
    }
    return ws->state == OPEN || ws->state == CLOSING;
}

static void take_bytes(struct stand_websocket *ws, const char *data, size_t len)
{
    const char *why = NULL;
    int code = stand_frames_feed(&ws->frames, data, len, on_frame, ws, &why);
    if (code == 0 || ws->state != OPEN)
        return;
    start_closing(ws, code, why);
    if (!ws->detached)
        ws->options.closed(ws->options.user, code, why);
    ws->detached = true;
}

/* The value of a header in the answer's head, or NULL; `*len` is set. */
static const char *header_of(const char *head, const char *name, size_t *len)
{
    size_t name_len = strlen(name);
    for (const char *line = strstr(head, "\r\n"); line; line = strstr(line + 2, "\r\n")) {
        if (strncasecmp(line + 2, name, name_len) != 0 || line[2 + name_len] != ':')
            continue;
        const char *value = line + 2 + name_len + 1;
        value += strspn(value, " \t");
        *len = strcspn(value, "\r\n");
        return value;
    }
    return NULL;
}

/* What is wrong with an answer of status 101, or NULL. */
static const char *check_answer(const struct stand_websocket *ws, const char *head)
{
    size_t len = 0;
    const char *value = header_of(head, "Upgrade", &len);
    if (!value || len != 9 || strncasecmp(value, "websocket", 9) != 0)
        return "101 without Upgrade: websocket";
    value = header_of(head, "Connection", &len);
    if (!value || len < 7 || !strcasestr(value, "upgrade"))
        return "101 without Connection: Upgrade";
    value = header_of(head, "Sec-WebSocket-Accept", &len);
    if (!value || len != strlen(ws->accept) || memcmp(value, ws->accept, len) != 0)
        return "101 with a wrong Sec-WebSocket-Accept";
    if (header_of(head, "Sec-WebSocket-Protocol", &len) ||
        header_of(head, "Sec-WebSocket-Extensions", &len))
        return "101 with a protocol or an extension that nobody asked for";
    return NULL;
}

static void take_handshake(struct stand_websocket *ws, const char *data, size_t len)
{
    stand_buf_add(&ws->handshake, data, len);
    if (ws->handshake.overflow) {
        refuse(ws, 0, "the handshake's answer is too long");
        return;
    }
    char *head_end = strstr(ws->handshake.data, "\r\n\r\n");
    if (!head_end)
        return;
    int major = 0, minor = 0, status = 0;
    if (sscanf(ws->handshake.data, "HTTP/%d.%d %3d", &major, &minor, &status) != 3) {
        refuse(ws, 0, "not an HTTP answer");
        return;
    }
    size_t head_len = (size_t)(head_end - ws->handshake.data) + 4;
    head_end[2] = '\0';
    const char *why =
        status == 101 ? check_answer(ws, ws->handshake.data) : "the handshake was refused";
    if (why) {
        refuse(ws, status == 101 ? 0 : status, why);
        return;
    }
    uv_timer_stop(&ws->timer);
    ws->state = OPEN;
    struct stand_buf rest = ws->handshake;
    stand_buf_init(&ws->handshake, HANDSHAKE_MAX);
    ws->options.opened(ws->options.user, status, NULL);
    if (rest.len > head_len && (ws->state == OPEN || ws->state == CLOSING))
        take_bytes(ws, rest.data + head_len, rest.len - head_len);
    stand_buf_fini(&rest);
}

static void on_alloc(uv_handle_t *handle, size_t hint, uv_buf_t *buf)
{
    (void)hint;
    struct stand_websocket *ws = handle->data;
    *buf = uv_buf_init(ws->input, READ_BYTES);
}

static void on_read(uv_stream_t *stream, ssize_t len, const uv_buf_t *buf)
{
    struct stand_websocket *ws = stream->data;
    if (len == 0 || ws->state == GONE)
        return;
    if (len < 0 && ws->state == SHAKING)
        refuse(ws, 0, "closed before an answer to the handshake");
    else if (len < 0)
        end(ws, STAND_CLOSE_ABNORMAL, "closed without a close frame");
    else if (ws->state == SHAKING)
        take_handshake(ws, buf->base, (size_t)len);
    else
        take_bytes(ws, buf->base, (size_t)len);
}

/* --- the start --- */

static void on_connected(uv_connect_t *connect, int status)
{
    struct stand_websocket *ws = connect->data;
    if (ws->state == GONE)
        return;
    if (status < 0) {
        refuse(ws, 0, uv_strerror(status));
        return;
    }
    uv_tcp_nodelay(&ws->tcp, 1);
    ws->state = SHAKING;
    struct stand_buf request = ws->handshake;
    stand_buf_init(&ws->handshake, HANDSHAKE_MAX);
    write_bytes(ws, request.data, request.len);
    stand_buf_fini(&request);
    uv_read_start((uv_stream_t *)&ws->tcp, on_alloc, on_read);
}

static int address_of(const struct stand_websocket_options *options,
                      const struct http_parser_url *url, struct sockaddr_in *address)
{
    char where[80], host[64];
    int port = 0, len = url->field_data[UF_HOST].len;
    bool tls = strncmp(options->url, "wss://", 6) == 0;
    if (options->connect)
        snprintf(where, sizeof where, "%s", options->connect);
    else if (len <= 60)
        snprintf(where, sizeof where, "%.*s:%d", len, options->url + url->field_data[UF_HOST].off,
                 url->port ? url->port
                 : tls     ? 443
                           : 80);
    else
        return -1;
    return stand_args_address(where, host, &port) == 0 && uv_ip4_addr(host, port, address) == 0
               ? 0
               : -1;
}

static void write_handshake(struct stand_websocket *ws,
                            const struct stand_websocket_options *options,
                            const struct http_parser_url *url)
{
    static const char guid[] = "258EAFA5-E914-47DA-95CA-C5AB0DC85B11";
    char nonce[17];
    uint8_t digest[STAND_SHA1_BYTES];
    struct stand_buf key, accept;
    stand_hex(nonce, 16);
    stand_buf_init(&key, 256);
    stand_buf_init(&accept, 256);
    stand_base64(nonce, 16, &key);
    const char *rest = options->url + url->field_data[UF_HOST].off;
    const char *target = strpbrk(rest, "/?#");
    int authority = target ? (int)(target - rest) : (int)strlen(rest);
    int target_len = target ? (int)strcspn(target, "#") : 0;
    struct stand_buf *out = &ws->handshake;
    stand_buf_printf(out, "GET %s%.*s HTTP/1.1\r\nHost: %.*s\r\n",
                     target && *target == '/' ? "" : "/", target_len, target ? target : "",
                     authority, rest);
    stand_buf_printf(out,
                     "Upgrade: websocket\r\nConnection: Upgrade\r\nSec-WebSocket-Key: %s\r\n"
                     "Sec-WebSocket-Version: 13\r\n",
                     key.data);
    stand_buf_puts(out, options->headers ? options->headers : "");
    stand_buf_puts(out, "\r\n");
    stand_buf_puts(&key, guid);
    stand_sha1(key.data, key.len, digest);
    stand_base64(digest, sizeof digest, &accept);
    snprintf(ws->accept, sizeof ws->accept, "%s", accept.data);
    stand_buf_fini(&key);
    stand_buf_fini(&accept);
}

struct stand_websocket *stand_websocket_open(uv_loop_t *loop,
                                             const struct stand_websocket_options *options,
                                             const char **why)
{
    struct http_parser_url url;
    struct sockaddr_in address;
    http_parser_url_init(&url);
    bool scheme = strncmp(options->url, "ws://", 5) == 0 || strncmp(options->url, "wss://", 6) == 0;
    *why = "not a WebSocket URL";
    if (!scheme || strpbrk(options->url, " \t\r\n") ||
        http_parser_parse_url(options->url, strlen(options->url), 0, &url) != 0)
        return NULL;
    *why = "only to an address of this machine";
    if (address_of(options, &url, &address) != 0)
        return NULL;
    struct stand_websocket *ws = stand_alloc(sizeof *ws);
    ws->options = *options;
    ws->handles = 2;
    ws->tcp.data = ws->timer.data = ws->connect.data = ws;
    stand_buf_init(&ws->handshake, HANDSHAKE_MAX);
    stand_frames_init(&ws->frames, options->message_max);
    write_handshake(ws, options, &url);
    uv_tcp_init(loop, &ws->tcp);
    uv_timer_init(loop, &ws->timer);
    uv_timer_start(&ws->timer, on_timer, options->timeout_ms, 0);
    if (uv_tcp_connect(&ws->connect, &ws->tcp, (const struct sockaddr *)&address, on_connected) ==
        0)
        return ws;
    *why = "cannot connect";
    ws->detached = true;
    shut(ws, false);
    return NULL;
}
