/* Streams on libcurl's CONNECT_ONLY: a multi of its own makes the connection, and its socket, with
 * curl_easy_send and curl_easy_recv, is then watched by us. The easy handle stays in the multi:
 * curl finds the connection through it. The IMAP client uses it. */
#include "http/stream.h"

#include <assert.h>
#include <curl/curl.h>
#include <stdlib.h>
#include <string.h>

#include "base/clock.h"
#include "base/mem.h"
#include "base/strbuf.h"
#include "http/client_inside.h"

#define CONNECT_DEFAULT_MS 15000
#define STALL_DEFAULT_MS   30000
#define URL_MAX            (STREAM_HOST_MAX + 32)

struct stream {
    struct stream_options options;
    struct http_multi multi;
    CURL *easy;
    struct watch *watch; /* of the connection, once it is there */
    struct timer *again; /* reads on, or tells the end, in the loop's next pass */
    struct timer *stall;
    struct strbuf out;
    size_t sent; /* of `out` */
    struct err end;
    bool inside, open, ended, told;
    bool address_refused, address_tried;
    int depth;   /* calls of its owner that are on the stack */
    bool closed; /* in one of them: freed when the last has returned */
};

/* ---- the end ---- */

static void on_again(void *arg);

/* Told by the timer: never from inside a call of the owner's. */
static void end(struct stream *stream, const struct err *err)
{
    if (stream->ended)
        return;
    stream->ended = true;
    stream->end = *err;
    watch_free(&stream->watch);
    timer_stop(stream->stall);
    timer_start(stream->again, 0, 0);
}

static void end_with(struct stream *stream, enum err_class class, const char *code,
                     const char *message)
{
    struct err err;
    err_set(&err, class, code, "%s", message);
    end(stream, &err);
}

/* curl's reason; its code begins with "stream." where the HTTP client says "http.". */
static void end_for(struct stream *stream, CURLcode curl)
{
    struct err reason, err;
    if (stream->address_refused && !stream->address_tried) {
        end_with(stream, ERR_PERMANENT, "stream.address",
                 "the host has no address that may be connected to");
        return;
    }
    if (curl == CURLE_USE_SSL_FAILED) {
        end_with(stream, ERR_FALL_BACK, "stream.starttls", "the server does not offer STARTTLS");
        return;
    }
    http_easy_error((int)curl, &reason);
    err_set(&err, reason.class, "", "%s", reason.message);
    snprintf(err.code, sizeof err.code, "stream%s", strchr(reason.code, '.'));
    end(stream, &err);
}

/* An owner's call is over. */
static void leave(struct stream *stream)
{
    if (--stream->depth == 0 && stream->closed)
        free(stream);
}

/* ---- bytes ---- */

static void wipe(struct stream *stream)
{
    if (stream->out.length > 0)
        explicit_bzero(stream->out.data, stream->out.length);
    strbuf_fini(&stream->out);
    stream->sent = 0;
}

static void flush(struct stream *stream)
{
    size_t before = stream->sent;
    CURLcode curl = CURLE_OK;
    while (stream->sent < stream->out.length && curl == CURLE_OK) {
        size_t taken = 0;
        curl = curl_easy_send(stream->easy, stream->out.data + stream->sent,
                              stream->out.length - stream->sent, &taken);
        stream->sent += taken;
    }
    if (curl != CURLE_OK && curl != CURLE_AGAIN) {
        end_for(stream, curl);
        return;
    }
    bool all = stream->sent == stream->out.length;
    if (all) {
        wipe(stream);
        timer_stop(stream->stall);
    } else if (stream->sent != before || !timer_is_active(stream->stall)) {
        timer_start(stream->stall, stream->options.stall_ms, 0);
    }
    watch_set(stream->watch, all ? WATCH_READ : WATCH_READ | WATCH_WRITE);
}

/* Reads once and hands it on; false if there is no more. */
static bool sip(struct stream *stream, size_t *total)
{
    char bytes[STREAM_STRIDE];
    size_t length = 0;
    CURLcode curl = curl_easy_recv(stream->easy, bytes, sizeof bytes, &length);
    if (curl == CURLE_OK && length > 0) {
        *total += length;
        stream->options.on_data(stream->options.arg, bytes, length);
        return !stream->closed && !stream->ended;
    }
    if (curl == CURLE_OK)
        end_with(stream, ERR_RETRY_LATER, "stream.closed", "the other side ended the stream");
    else if (curl != CURLE_AGAIN)
        end_for(stream, curl);
    return false;
}

/* Hands on what came until there is no more, or others shall have their turn: what TLS has
 * decrypted already makes no descriptor readable, so the timer reads on. */
static void drink(struct stream *stream)
{
    size_t total = 0;
    bool more = true;
    stream->depth++;
    while (more && total < STREAM_BURST_MAX)
        more = sip(stream, &total);
    if (more)
        timer_start(stream->again, 0, 0);
    leave(stream);
}

static void on_ready(void *arg, int events)
{
    struct stream *stream = arg;
    if (stream->out.length > 0)
        flush(stream);
    if (!stream->ended && (events & WATCH_READ))
        drink(stream);
}

static void on_stall(void *arg)
{
    end_with(arg, ERR_RETRY_LATER, "stream.stalled", "the other side takes no more bytes");
}

static void on_again(void *arg)
{
    struct stream *stream = arg;
    if (!stream->ended) {
        drink(stream);
    } else if (!stream->told) {
        stream->told = true;
        stream->options.on_end(stream->options.arg, &stream->end);
    }
}

/* ---- the connection ---- */

static void connected(struct stream *stream)
{
    curl_socket_t fd = CURL_SOCKET_BAD;
    if (curl_easy_getinfo(stream->easy, CURLINFO_ACTIVESOCKET, &fd) != CURLE_OK ||
        fd == CURL_SOCKET_BAD) {
        end_with(stream, ERR_RETRY_LATER, "stream.reset", "the connection ended at once");
        return;
    }
    stream->open = true;
    stream->watch = watch_new(stream->options.loop, fd, on_ready, stream);
    watch_set(stream->watch, WATCH_READ);
    stream->depth++;
    stream->options.on_open(stream->options.arg);
    if (!stream->closed && !stream->ended && stream->out.length > 0)
        flush(stream);
    if (!stream->closed && !stream->ended) /* what came with the last of the handshake */
        timer_start(stream->again, 0, 0);
    leave(stream);
}

static void on_acted(void *arg)
{
    struct stream *stream = arg;
    int left;
    CURLMsg *message;
    if (stream->open || stream->ended ||
        (message = curl_multi_info_read(stream->multi.curl, &left)) == NULL)
        return;
    if (message->data.result == CURLE_OK)
        connected(stream);
    else
        end_for(stream, message->data.result);
}

static curl_socket_t on_open_socket(void *arg, curlsocktype purpose, struct curl_sockaddr *address)
{
    (void)purpose;
    struct stream *stream = arg;
    if (stream->options.public_only &&
        !address_is_public(&address->addr, stream->options.exceptions)) {
        stream->address_refused = true;
        return CURL_SOCKET_BAD;
    }
    stream->address_tried = true;
    return socket(address->family, address->socktype | SOCK_CLOEXEC, address->protocol);
}

/* "https" is only a way to say TLS here: CONNECT_ONLY speaks no HTTP. An empty URL: no such host.
 */
static void url_of(const struct stream_options *options, char out[URL_MAX])
{
    static const char *const schemes[] = {
        [STREAM_PLAIN] = "http", [STREAM_TLS] = "https", [STREAM_STARTTLS_IMAP] = "imap"};
    const char *host = options->host;
    size_t length = strlen(host);
    bool six = strchr(host, ':') != NULL;
    const char *allowed = six ? "0123456789abcdefABCDEF:."
                              : "abcdefghijklmnopqrstuvwxyzABCDEFGHIJKLMNOPQRSTUVWXYZ0123456789.-_";
    out[0] = '\0';
    if (length == 0 || length > STREAM_HOST_MAX || strspn(host, allowed) != length ||
        options->port < 1 || options->port > 65535)
        return;
    snprintf(out, URL_MAX, six ? "%s://[%s]:%d/" : "%s://%s:%d/", schemes[options->security], host,
             options->port);
}

static CURLcode on_context(CURL *easy, void *context, void *arg)
{
    (void)easy;
    const struct stream *stream = arg;
    crypto_trust_give(stream->options.trust, context);
    return CURLE_OK;
}

static void set_tls(CURL *easy, struct stream *stream, const char *ca_file)
{
    http_must(curl_easy_setopt(easy, CURLOPT_SSL_ENABLE_ALPN, 0L));
    http_must(curl_easy_setopt(easy, CURLOPT_SSLVERSION, (long)CURL_SSLVERSION_TLSv1_2));
    http_must(curl_easy_setopt(easy, CURLOPT_SSL_SESSIONID_CACHE, 0L)); /* nobody resumes one */
    http_must(curl_easy_setopt(easy, CURLOPT_CAPATH, NULL));            /* see client_easy.c */
    http_must(
        curl_easy_setopt(easy, CURLOPT_CAINFO, stream->options.trust == NULL ? ca_file : NULL));
    if (stream->options.trust != NULL) {
        http_must(curl_easy_setopt(easy, CURLOPT_SSL_CTX_FUNCTION, on_context));
        http_must(curl_easy_setopt(easy, CURLOPT_SSL_CTX_DATA, stream));
    }
    if (stream->options.security == STREAM_STARTTLS_IMAP)
        http_must(curl_easy_setopt(easy, CURLOPT_USE_SSL, (long)CURLUSESSL_ALL));
}

static CURL *easy_new(struct stream *stream, const char *url, const char *ca_file)
{
    const struct stream_options *options = &stream->options;
    CURL *easy = curl_easy_init();
    http_must(easy == NULL);
    http_must(curl_easy_setopt(easy, CURLOPT_URL, url));
    http_must(curl_easy_setopt(easy, CURLOPT_CONNECT_ONLY, 1L));
    http_must(curl_easy_setopt(easy, CURLOPT_PROTOCOLS_STR, "http,https,imap"));
    http_must(curl_easy_setopt(easy, CURLOPT_NOSIGNAL, 1L));
    http_must(curl_easy_setopt(easy, CURLOPT_PROXY, ""));
    http_must(curl_easy_setopt(easy, CURLOPT_NOPROXY, "*"));
    set_tls(easy, stream, ca_file);
    /* Only STARTTLS reads into it, short lines; it stays for the stream's life. */
    http_must(curl_easy_setopt(easy, CURLOPT_BUFFERSIZE, HTTP_RECEIVE_BUFFER_BYTES));
    http_must(curl_easy_setopt(easy, CURLOPT_TCP_NODELAY, 1L));
    http_must(curl_easy_setopt(easy, CURLOPT_TCP_KEEPALIVE, 1L));
    http_must(curl_easy_setopt(easy, CURLOPT_CONNECTTIMEOUT_MS, (long)options->connect_ms));
    http_must(curl_easy_setopt(easy, CURLOPT_OPENSOCKETFUNCTION, on_open_socket));
    http_must(curl_easy_setopt(easy, CURLOPT_OPENSOCKETDATA, stream));
    return easy;
}

struct stream *stream_open(const struct stream_options *options)
{
    http_curl_init();
    struct stream *stream = xcalloc(1, sizeof *stream);
    char url[URL_MAX];
    stream->options = *options;
    if (options->connect_ms <= 0)
        stream->options.connect_ms = CONNECT_DEFAULT_MS;
    if (options->stall_ms <= 0)
        stream->options.stall_ms = STALL_DEFAULT_MS;
    strbuf_init(&stream->out, STREAM_SEND_MAX);
    stream->again = timer_new(options->loop, on_again, stream);
    stream->stall = timer_new(options->loop, on_stall, stream);
    stream->multi = (struct http_multi){
        .loop = options->loop, .inside = &stream->inside, .acted = on_acted, .arg = stream};
    http_multi_open(&stream->multi);
    url_of(options, url);
    if (url[0] == '\0') {
        end_with(stream, ERR_PERMANENT, "stream.host", "this is no host name and port");
        return stream;
    }
    stream->easy =
        easy_new(stream, url, options->ca_file != NULL ? options->ca_file : http_ca_file());
    http_must((int)curl_multi_add_handle(stream->multi.curl, stream->easy));
    return stream;
}

void stream_close(struct stream **stream)
{
    struct stream *s = *stream;
    if (s == NULL)
        return;
    assert(!s->inside);
    *stream = NULL;
    s->closed = true;
    watch_free(&s->watch);
    if (s->easy != NULL) {
        curl_multi_remove_handle(s->multi.curl, s->easy); /* closes the connection */
        curl_easy_cleanup(s->easy);
    }
    http_multi_close(&s->multi);
    timer_free(&s->again);
    timer_free(&s->stall);
    wipe(s);
    if (s->depth == 0)
        free(s);
}

void stream_send(struct stream *stream, const void *bytes, size_t length)
{
    if (stream->ended || length == 0)
        return;
    strbuf_add(&stream->out, bytes, length);
    if (stream->out.overflow)
        end_with(stream, ERR_RETRY_LATER, "stream.full", "too many bytes wait to be sent");
    else if (stream->open && stream->watch != NULL)
        watch_set(stream->watch, WATCH_READ | WATCH_WRITE);
}
