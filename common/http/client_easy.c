/* Easy handles of the HTTP client: what is set once, what per call, and the callbacks that curl
 * makes while a transfer runs. Handles are reused through a free list because making one costs more
 * than a request. A request body is given to curl once and cannot be rewound, so that curl's habit
 * of trying again on a fresh connection when a kept one dies can repeat headers but never a body.
 */
#include <curl/curl.h>
#include <stdlib.h>
#include <string.h>
#include <strings.h>
#include <sys/socket.h>

#include "base/clock.h"
#include "base/mem.h"
#include "http/client_inside.h"

#define CONNECT_DEFAULT_MS 5000

/* ---- curl's callbacks ---- */

static size_t on_read(char *buffer, size_t size, size_t count, void *arg)
{
    struct http_transfer *t = arg;
    size_t room = size * count, left = t->body.length - t->body.given;
    if (left == 0)
        return 0;
    if (t->cancelled || t->body.bytes == NULL)
        return CURL_READFUNC_ABORT;
    if (t->body.given == 0 && t->may_send != NULL && !t->may_send(t->arg)) {
        t->stop = HTTP_STOP_GATE;
        return CURL_READFUNC_ABORT;
    }
    t->body_sent = true;
    size_t part = left < room ? left : room;
    memcpy(buffer, t->body.bytes + t->body.given, part);
    t->body.given += part;
    if (t->body.given < t->body.length)
        return part;
    free(t->body.bytes);
    t->body.bytes = NULL;
    t->next_upload = t->client->uploads;
    t->client->uploads = t;
    t->upload_at = &t->client->uploads;
    if (t->next_upload != NULL)
        t->next_upload->upload_at = &t->next_upload;
    return part;
}

/* Called for each address that curl is about to connect to, also when it tries the next one of a
 * host. */
static curl_socket_t on_open_socket(void *arg, curlsocktype purpose, struct curl_sockaddr *address)
{
    (void)purpose;
    struct http_transfer *t = arg;
    if (t->public_only && !address_is_public(&address->addr, t->client->exceptions)) {
        t->address_refused = true;
        return CURL_SOCKET_BAD;
    }
    t->address_tried = true;
    return socket(address->family, address->socktype | SOCK_CLOEXEC, address->protocol);
}

/* A body can never be rewound: that is what keeps curl from sending it twice. */
static int on_seek(void *arg, curl_off_t offset, int origin)
{
    (void)arg, (void)offset, (void)origin;
    return CURL_SEEKFUNC_FAIL;
}

/* Called before each request, also when curl tries again because a kept connection died. That is
 * fine as long as nothing but headers may have left, or the method may be repeated. */
static int on_request(void *arg, char *ip, char *local_ip, int port, int local_port)
{
    (void)ip, (void)local_ip, (void)port, (void)local_port;
    struct http_transfer *t = arg;
    bool may_repeat = t->is_get || (t->body.length > 0 && !t->body_sent);
    if (t->cancelled)
        return CURL_PREREQFUNC_ABORT;
    if (t->sent_once && !may_repeat) {
        t->stop = HTTP_STOP_DIED;
        return CURL_PREREQFUNC_ABORT;
    }
    if (t->body.length == 0 && !t->is_get) {
        if (t->may_send != NULL && !t->may_send(t->arg)) {
            t->stop = HTTP_STOP_GATE;
            return CURL_PREREQFUNC_ABORT;
        }
        t->body_sent = true; /* the headers are all of it */
    }
    t->sent_once = true;
    return CURL_PREREQFUNC_OK;
}

static size_t on_header(char *line, size_t size, size_t count, void *arg)
{
    struct http_transfer *t = arg;
    http_answer_headers_add(&t->kept, line, size * count);
    return size * count;
}

static size_t on_write(char *bytes, size_t size, size_t count, void *arg)
{
    struct http_transfer *t = arg;
    size_t length = size * count;
    if (t->cancelled)
        return 0;
    bool first = t->limits.last_ms == 0;
    t->limits.last_ms = clock_mono_ms();
    if (first) {
        t->first_byte_us = clock_mono_us();
        http_transfer_arm(t); /* the idle limit may end before the timer's present one */
    }
    long status = 0;
    curl_easy_getinfo(t->easy, CURLINFO_RESPONSE_CODE, &status);
    if (t->on_data != NULL && status >= 200 && status <= 299) {
        if (!t->on_data(t->arg, bytes, length))
            t->stop = HTTP_STOP_ABORTED;
    } else {
        strbuf_add(&t->answer, bytes, length);
        if (t->answer.overflow)
            t->stop = HTTP_STOP_LARGE;
    }
    return t->stop == HTTP_STOP_NONE ? length : 0;
}

/* ---- easy handles ---- */

/* What is the same for all transfers; set once per handle. */
static CURL *easy_new(const struct http_client *client)
{
    CURL *easy = curl_easy_init();
    http_must(easy == NULL);
    http_must(curl_easy_setopt(easy, CURLOPT_NOSIGNAL, 1L));
    http_must(curl_easy_setopt(easy, CURLOPT_PROTOCOLS_STR, "http,https"));
    http_must(curl_easy_setopt(easy, CURLOPT_FOLLOWLOCATION, 0L));
    http_must(curl_easy_setopt(easy, CURLOPT_PROXY, "")); /* what leaves is what the settings say */
    http_must(curl_easy_setopt(easy, CURLOPT_NOPROXY, "*")); /* nor is the environment asked */
    http_must(curl_easy_setopt(easy, CURLOPT_HTTP_VERSION, (long)CURL_HTTP_VERSION_2TLS));
    http_must(curl_easy_setopt(easy, CURLOPT_TCP_NODELAY, 1L));
    http_must(curl_easy_setopt(easy, CURLOPT_TCP_KEEPALIVE, 1L));
    http_must(curl_easy_setopt(easy, CURLOPT_BUFFERSIZE, HTTP_RECEIVE_BUFFER_BYTES));
    http_must(curl_easy_setopt(easy, CURLOPT_UPLOAD_BUFFERSIZE, HTTP_UPLOAD_BUFFER_BYTES));
    /* With a CA path curl parses the whole store for each connection: 926 kB and 30 ms. */
    http_must(curl_easy_setopt(easy, CURLOPT_CAPATH, NULL));
    http_must(curl_easy_setopt(easy, CURLOPT_CAINFO, client->ca_file));
    http_must(curl_easy_setopt(easy, CURLOPT_OPENSOCKETFUNCTION, on_open_socket));
    http_must(curl_easy_setopt(easy, CURLOPT_READFUNCTION, on_read));
    http_must(curl_easy_setopt(easy, CURLOPT_SEEKFUNCTION, on_seek));
    http_must(curl_easy_setopt(easy, CURLOPT_PREREQFUNCTION, on_request));
    http_must(curl_easy_setopt(easy, CURLOPT_HEADERFUNCTION, on_header));
    http_must(curl_easy_setopt(easy, CURLOPT_WRITEFUNCTION, on_write));
    return easy;
}

static void easy_set_method(CURL *easy, const struct http_call *call)
{
    bool is_get = strcmp(call->method, "GET") == 0, is_post = strcmp(call->method, "POST") == 0;
    if (is_post || call->body_length > 0) {
        http_must(curl_easy_setopt(easy, CURLOPT_POST, 1L));
        http_must(
            curl_easy_setopt(easy, CURLOPT_POSTFIELDSIZE_LARGE, (curl_off_t)call->body_length));
    } else {
        http_must(curl_easy_setopt(easy, CURLOPT_HTTPGET, 1L));
    }
    http_must(
        curl_easy_setopt(easy, CURLOPT_CUSTOMREQUEST, is_get || is_post ? NULL : call->method));
}

static struct curl_slist *header_list(const struct http_call *call)
{
    struct curl_slist *list = curl_slist_append(NULL, "Expect:");
    for (size_t i = 0; call->headers != NULL && call->headers[i] != NULL; i++)
        list = curl_slist_append(list, call->headers[i]);
    struct strbuf line;
    strbuf_init(&line, 8192);
    if (http_authorization(call, &line)) {
        list = curl_slist_append(list, line.data);
        explicit_bzero(line.data, line.length);
    }
    strbuf_fini(&line);
    return list;
}

static void headers_free(void **list)
{
    for (struct curl_slist *at = *list; at != NULL; at = at->next)
        if (strncmp(at->data, "Authorization:", 14) == 0)
            explicit_bzero(at->data, strlen(at->data));
    curl_slist_free_all(*list);
    *list = NULL;
}

void http_easy_prepare(struct http_transfer *t, const struct http_call *call)
{
    struct http_client *client = t->client;
    t->easy = client->idle_count > 0 ? client->idle[--client->idle_count] : easy_new(client);
    t->headers = header_list(call);
    easy_set_method(t->easy, call);
    http_must(curl_easy_setopt(t->easy, CURLOPT_URL, call->url));
    /* Wait for the first connection to learn whether it takes many streams: over TLS the handshake
     * tells, without it curl would let all others wait for the first one's whole answer. */
    http_must(curl_easy_setopt(t->easy, CURLOPT_PIPEWAIT,
                               strncasecmp(call->url, "https:", 6) == 0 ? 1L : 0L));
    http_must(curl_easy_setopt(t->easy, CURLOPT_HTTPHEADER, t->headers));
    http_must(
        curl_easy_setopt(t->easy, CURLOPT_CONNECTTIMEOUT_MS,
                         (long)(call->connect_ms > 0 ? call->connect_ms : CONNECT_DEFAULT_MS)));
    /* curl keeps connections by the host's name, not by who was allowed to open them. */
    http_must(curl_easy_setopt(t->easy, CURLOPT_FRESH_CONNECT, call->public_only ? 1L : 0L));
    http_must(curl_easy_setopt(t->easy, CURLOPT_FORBID_REUSE, call->public_only ? 1L : 0L));
    http_must(curl_easy_setopt(t->easy, CURLOPT_PRIVATE, t));
    http_must(curl_easy_setopt(t->easy, CURLOPT_OPENSOCKETDATA, t));
    http_must(curl_easy_setopt(t->easy, CURLOPT_READDATA, t));
    http_must(curl_easy_setopt(t->easy, CURLOPT_PREREQDATA, t));
    http_must(curl_easy_setopt(t->easy, CURLOPT_HEADERDATA, t));
    http_must(curl_easy_setopt(t->easy, CURLOPT_WRITEDATA, t));
}

void http_easy_release(struct http_transfer *t)
{
    struct http_client *client = t->client;
    if (t->easy == NULL)
        return;
    http_must(curl_easy_setopt(t->easy, CURLOPT_HTTPHEADER, NULL));
    headers_free(&t->headers);
    if (client->idle_count < HTTP_IDLE_HANDLES_MAX)
        client->idle[client->idle_count++] = t->easy;
    else
        curl_easy_cleanup(t->easy);
    t->easy = NULL;
}

static const struct {
    CURLcode curl;
    enum err_class class;
    const char *code;
} reasons[] = {
    {CURLE_COULDNT_RESOLVE_HOST, ERR_RETRY_LATER, "http.resolve"},
    {CURLE_COULDNT_CONNECT, ERR_RETRY_LATER, "http.connect"},
    {CURLE_OPERATION_TIMEDOUT, ERR_RETRY_LATER, "http.connect"}, /* only its connect limit is set */
    {CURLE_SSL_CONNECT_ERROR, ERR_RETRY_LATER, "http.tls"},
    {CURLE_PEER_FAILED_VERIFICATION, ERR_FALL_BACK, "http.tls"},
    {CURLE_SSL_CACERT_BADFILE, ERR_FALL_BACK, "http.tls"},
    {CURLE_GOT_NOTHING, ERR_RETRY_LATER, "http.reset"},
    {CURLE_SEND_ERROR, ERR_RETRY_LATER, "http.reset"},
    {CURLE_RECV_ERROR, ERR_RETRY_LATER, "http.reset"},
    {CURLE_SEND_FAIL_REWIND, ERR_RETRY_LATER, "http.reset"},
    {CURLE_PARTIAL_FILE, ERR_RETRY_LATER, "http.reset"},
    {CURLE_HTTP2, ERR_RETRY_LATER, "http.reset"},
    {CURLE_HTTP2_STREAM, ERR_RETRY_LATER, "http.reset"},
    {CURLE_URL_MALFORMAT, ERR_PERMANENT, "http.url"},
    {CURLE_UNSUPPORTED_PROTOCOL, ERR_PERMANENT, "http.url"},
    {CURLE_WEIRD_SERVER_REPLY, ERR_RETRY_LATER, "http.protocol"},
};

void http_easy_error(int curl, struct err *err)
{
    for (size_t i = 0; i < sizeof reasons / sizeof *reasons; i++)
        if ((int)reasons[i].curl == curl) {
            err_set(err, reasons[i].class, reasons[i].code, "%s",
                    curl_easy_strerror((CURLcode)curl));
            return;
        }
    err_set(err, ERR_RETRY_LATER, "http.failed", "%s", curl_easy_strerror((CURLcode)curl));
}

void http_easy_forget_upload(struct http_transfer *t)
{
    if (t->upload_at == NULL)
        return;
    *t->upload_at = t->next_upload;
    if (t->next_upload != NULL)
        t->next_upload->upload_at = t->upload_at;
    t->upload_at = NULL;
    t->next_upload = NULL;
}

/* Gives curl's upload buffer back once the body has left: it would stay for the whole answer. */
void http_easy_release_uploads(struct http_client *client)
{
    struct http_transfer *next;
    for (struct http_transfer *t = client->uploads; t != NULL; t = next) {
        curl_off_t sent = 0;
        next = t->next_upload;
        curl_easy_getinfo(t->easy, CURLINFO_SIZE_UPLOAD_T, &sent);
        if ((size_t)sent < t->body.length)
            continue;
        curl_easy_setopt(t->easy, CURLOPT_UPLOAD_BUFFERSIZE, HTTP_UPLOAD_BUFFER_BYTES);
        http_easy_forget_upload(t);
    }
}
