/* GETs may be repeated freely, so this one does; a POST is sent once. reconcile.c and call.c call
 * it. */
#include "fetch.h"

#include <stdbool.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "base/mem.h"
#include "http/client.h"
#include "loop/loop.h"

#define TRIES       4
#define FIRST_WAIT  250
#define WAIT_MAX_MS 30000
#define FETCH_MS    30000

struct fetch {
    struct loop *loop;
    struct http_client *client;
    struct timer *timer;
    struct arena *arena; /* of the call in hand */
    const char *body;
    size_t length;
    int status;
    int64_t retry_after_ms;
    bool failed; /* no answer */
    struct err why;
};

static void on_pause_over(void *arg)
{
    struct fetch *fetch = arg;
    loop_stop(fetch->loop);
}

struct fetch *fetch_new(void)
{
    struct fetch *fetch = xcalloc(1, sizeof *fetch);
    fetch->loop = loop_new();
    fetch->client =
        http_client_new(&(struct http_client_options){.loop = fetch->loop, .max_connections = 4});
    fetch->timer = timer_new(fetch->loop, on_pause_over, fetch);
    return fetch;
}

void fetch_free(struct fetch **fetch)
{
    struct fetch *closing = *fetch;
    if (closing == NULL)
        return;
    *fetch = NULL;
    http_client_free(&closing->client);
    timer_free(&closing->timer);
    loop_pass(closing->loop);
    loop_free(&closing->loop);
    free(closing);
}

static void on_done(void *arg, const struct http_result *result)
{
    struct fetch *fetch = arg;
    fetch->failed = result->err != NULL;
    if (result->err != NULL)
        fetch->why = *result->err;
    fetch->status = result->status;
    fetch->retry_after_ms = http_retry_after_ms(result->retry_after);
    fetch->length = result->body != NULL ? result->body_length : 0;
    fetch->body =
        arena_strndup(fetch->arena, result->body != NULL ? result->body : "", fetch->length);
    loop_stop(fetch->loop);
}

void fetch_pause(struct fetch *fetch, int64_t ms)
{
    timer_start(fetch->timer, ms < WAIT_MAX_MS ? ms : WAIT_MAX_MS, 0);
    loop_run(fetch->loop);
}

static bool try_again(const struct fetch *fetch)
{
    return fetch->failed ? err_is_retryable(&fetch->why)
                         : fetch->status == 429 || fetch->status >= 500;
}

static int judge(const struct fetch *fetch, struct err *err)
{
    char code[ERR_CODE_MAX];
    if (fetch->failed)
        return err_set(err, fetch->why.class, fetch->why.code, "%s", fetch->why.message);
    if (fetch->status == 200)
        return 0;
    snprintf(code, sizeof code, "fetch.%d", fetch->status);
    if (fetch->status == 401 || fetch->status == 403)
        return err_set(err, ERR_PERMANENT, code,
                       "the provider refuses account and auth token (%d); correct the tenant file "
                       "and apply it",
                       fetch->status);
    return err_set(err, try_again(fetch) ? ERR_RETRY_LATER : ERR_PERMANENT, code,
                   "the provider answered %d", fetch->status);
}

int fetch_get(struct fetch *fetch, struct arena *arena, const char *url, const char *user,
              const struct secret *password, const char **body, size_t *length, struct err *err)
{
    const struct http_call call = {
        .method = "GET",
        .url = url,
        .user = user,
        .password = password,
        .answer_max_bytes = FETCH_BYTES_MAX,
        .total_ms = FETCH_MS,
        .on_done = on_done,
        .arg = fetch,
    };
    fetch->arena = arena;
    for (int tries = 1;; tries++) {
        http_start(fetch->client, &call);
        loop_run(fetch->loop);
        if (!try_again(fetch) || tries == TRIES)
            break;
        fetch_pause(fetch, fetch->retry_after_ms > 0 ? fetch->retry_after_ms
                                                     : FIRST_WAIT << (2 * (tries - 1)));
    }
    if (judge(fetch, err) != 0)
        return -1;
    *body = fetch->body;
    *length = fetch->length;
    return 0;
}

int fetch_post(struct fetch *fetch, struct arena *arena, const char *url, const char *json,
               const char **body, size_t *length, struct err *err)
{
    static const char *const headers[] = {"Content-Type: application/json", NULL};
    const struct http_call call = {
        .method = "POST",
        .url = url,
        .headers = headers,
        .body = json,
        .body_length = strlen(json),
        .answer_max_bytes = FETCH_BYTES_MAX,
        .total_ms = FETCH_MS,
        .on_done = on_done,
        .arg = fetch,
    };
    char code[ERR_CODE_MAX];
    fetch->arena = arena;
    http_start(fetch->client, &call);
    loop_run(fetch->loop);
    if (fetch->failed)
        return err_set(err, fetch->why.class, fetch->why.code, "%s", fetch->why.message);
    if (fetch->status != 200) {
        snprintf(code, sizeof code, "fetch.%d", fetch->status);
        return err_set(err, ERR_PERMANENT, code, "%s answered %d: %.300s", url, fetch->status,
                       fetch->body);
    }
    *body = fetch->body;
    *length = fetch->length;
    return 0;
}
