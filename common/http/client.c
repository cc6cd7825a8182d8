/* The HTTP client: libcurl's multi interface on our loop. Transfers are spread over shards (a multi
 * handle each, made on demand), because one multi's cost per event grows with its connections.
 * curl's descriptors are loop watches, its time-out is one timer per shard; our own limits are one
 * timer per transfer. curl forbids most calls from inside its callbacks, so starts and cancels that
 * come from there wait until curl has returned. The llm client and the responder use it. */
#include "http/client.h"

#include <assert.h>
#include <curl/curl.h>
#include <pthread.h>
#include <stdlib.h>
#include <string.h>

#include "base/clock.h"
#include "base/mem.h"
#include "http/client_inside.h"

#define MAX_CONNECTIONS_DEFAULT 20000
#define ANSWER_DEFAULT_BYTES    ((size_t)1 << 20)
#define TOTAL_DEFAULT_MS        30000
#define CA_BUNDLE               "/etc/ssl/certs/ca-certificates.crt"

/* ---- the life of a transfer ---- */

static void unlist(struct http_transfer *t)
{
    struct http_client *client = t->client;
    if (t->prev != NULL)
        t->prev->next = t->next;
    else
        client->first = t->next;
    if (t->next != NULL)
        t->next->prev = t->prev;
}

static void destroy(struct http_transfer *t)
{
    http_easy_forget_upload(t);
    http_shard_remove(t);
    http_easy_release(t);
    timer_free(&t->timer);
    strbuf_fini(&t->answer);
    http_answer_headers_fini(&t->kept);
    free(t->body.bytes);
    free(t);
}

static int64_t connect_us(const struct http_transfer *t)
{
    curl_off_t connected = 0, secured = 0;
    curl_easy_getinfo(t->easy, CURLINFO_CONNECT_TIME_T, &connected);
    curl_easy_getinfo(t->easy, CURLINFO_APPCONNECT_TIME_T, &secured);
    if (!t->sent_once)
        return -1;
    return secured > connected ? secured : connected;
}

/* Tells the caller and ends; `err` NULL for a complete answer. */
static void finish(struct http_transfer *t, const struct err *err)
{
    char *content_type = NULL;
    long status = 0;
    curl_easy_getinfo(t->easy, CURLINFO_RESPONSE_CODE, &status);
    curl_easy_getinfo(t->easy, CURLINFO_CONTENT_TYPE, &content_type);
    struct http_result result = {
        .status = (int)status,
        .body_sent = t->body_sent,
        .retry_after = t->kept.retry_after,
        .retry_after_ms = t->kept.retry_after_ms,
        .request_id = t->kept.request_id,
        .content_type = content_type,
        .body = t->answer.data,
        .body_length = t->answer.length,
        .err = err,
        .connect_us = connect_us(t),
        .first_byte_us = t->first_byte_us > 0 ? t->first_byte_us - t->started_us : -1,
        .total_us = clock_mono_us() - t->started_us,
    };
    http_easy_forget_upload(t);
    http_shard_remove(t);
    unlist(t);
    t->on_done(t->arg, &result);
    destroy(t);
}

void http_transfer_arm(struct http_transfer *t)
{
    int64_t deadline = http_limits_deadline(&t->limits);
    if (deadline >= t->armed_ms) /* or there is no limit */
        return;
    int64_t left = deadline - clock_mono_ms();
    t->armed_ms = deadline;
    timer_start(t->timer, left > 0 ? left : 0, 0);
}

static void on_limit(void *arg)
{
    struct http_transfer *t = arg;
    int64_t now_ms = clock_mono_ms();
    t->armed_ms = INT64_MAX;
    if (now_ms < http_limits_deadline(&t->limits)) {
        http_transfer_arm(t); /* bytes came meanwhile */
        return;
    }
    struct err err;
    err_set(&err, ERR_RETRY_LATER, "http.timeout", "no answer within the %s limit",
            http_limits_name(&t->limits, now_ms));
    finish(t, &err);
}

static void complete(struct http_transfer *t, CURLcode curl)
{
    struct err err;
    if (curl != CURLE_OK && t->address_refused && !t->address_tried)
        t->stop = HTTP_STOP_ADDRESS;
    if (t->stop != HTTP_STOP_NONE)
        http_stop_error(t->stop, &err);
    else if (curl != CURLE_OK)
        http_easy_error((int)curl, &err);
    finish(t, t->stop == HTTP_STOP_NONE && curl == CURLE_OK ? NULL : &err);
}

void http_client_flush(struct http_shard *shard)
{
    struct http_client *client = shard->client;
    http_easy_release_uploads(client);
    while (client->cancelled != NULL) {
        struct http_transfer *t = client->cancelled;
        client->cancelled = t->waiting;
        destroy(t);
    }
    while (client->starting != NULL) {
        struct http_transfer *t = client->starting;
        client->starting = t->waiting;
        if (t->cancelled)
            destroy(t);
        else
            http_shard_add(t);
    }
    int left;
    CURLMsg *message;
    while ((message = curl_multi_info_read(shard->multi.curl, &left)) != NULL) {
        char *private = NULL;
        CURLcode curl = message->data.result;
        curl_easy_getinfo(message->easy_handle, CURLINFO_PRIVATE, &private);
        complete((struct http_transfer *)(void *)private, curl);
    }
}

static int32_t limit(int64_t value_ms, int64_t fallback_ms)
{
    int64_t chosen = value_ms > 0 ? value_ms : fallback_ms;
    return chosen < INT32_MAX ? (int32_t)chosen : INT32_MAX;
}

struct http_transfer *http_start(struct http_client *client, const struct http_call *call)
{
    struct http_transfer *t = xcalloc(1, sizeof *t);
    t->client = client;
    t->armed_ms = INT64_MAX;
    t->started_us = clock_mono_us();
    t->limits = (struct http_limits){.started_ms = clock_mono_ms(),
                                     .first_byte_ms = limit(call->first_byte_ms, 0),
                                     .idle_ms = limit(call->idle_ms, 0),
                                     .total_ms = limit(call->total_ms, TOTAL_DEFAULT_MS)};
    t->may_send = call->may_send;
    t->on_data = call->on_data;
    t->on_done = call->on_done;
    t->arg = call->arg;
    t->is_get = strcmp(call->method, "GET") == 0;
    t->public_only = call->public_only;
    strbuf_init(&t->answer,
                call->answer_max_bytes > 0 ? call->answer_max_bytes : ANSWER_DEFAULT_BYTES);
    if (call->body_length > 0) {
        t->body = (struct http_body){.length = call->body_length};
        t->body.bytes = xstrndup(call->body, call->body_length);
    }
    t->timer = timer_new(client->loop, on_limit, t);
    http_easy_prepare(t, call);
    t->next = client->first;
    if (t->next != NULL)
        t->next->prev = t;
    client->first = t;
    http_transfer_arm(t);
    if (client->inside) {
        t->waiting = client->starting;
        client->starting = t;
    } else {
        http_shard_add(t);
    }
    return t;
}

bool http_body_sent(const struct http_transfer *transfer)
{
    return transfer->body_sent;
}

void http_cancel(struct http_client *client, struct http_transfer *transfer)
{
    unlist(transfer);
    transfer->cancelled = true;
    timer_stop(transfer->timer);
    if (!client->inside) {
        destroy(transfer);
    } else if (transfer->shard != NULL) {
        transfer->waiting = client->cancelled;
        client->cancelled = transfer;
    }
}

static pthread_once_t curl_once = PTHREAD_ONCE_INIT;

static void init_curl(void)
{
    http_must((int)curl_global_init(CURL_GLOBAL_DEFAULT));
}

void http_curl_init(void)
{
    pthread_once(&curl_once, init_curl);
}

const char *http_ca_file(void)
{
    const char *ca_file = getenv("SSL_CERT_FILE");
    return ca_file != NULL && ca_file[0] != '\0' ? ca_file : CA_BUNDLE;
}

struct http_client *http_client_new(const struct http_client_options *options)
{
    http_curl_init();
    struct http_client *client = xcalloc(1, sizeof *client);
    client->loop = options->loop;
    client->exceptions = options->exceptions;
    client->max_connections =
        options->max_connections > 0 ? (size_t)options->max_connections : MAX_CONNECTIONS_DEFAULT;
    client->shard_max = (client->max_connections + HTTP_SHARD_TRANSFERS - 1) / HTTP_SHARD_TRANSFERS;
    client->ca_file = http_ca_file();
    return client;
}

void http_client_free(struct http_client **client)
{
    struct http_client *c = *client;
    if (c == NULL)
        return;
    assert(!c->inside);
    for (struct http_transfer *t = c->first, *next; t != NULL; t = next) {
        next = t->next;
        destroy(t);
    }
    while (c->idle_count > 0)
        curl_easy_cleanup(c->idle[--c->idle_count]);
    http_shards_free(c);
    free(c);
    *client = NULL;
}
