/* What a server knows beside CivetWeb: the phase of each thread's connection, how many requests are
 * inside, the drain. Called by server.c and server_watch.c. */
#include "http/server_inside.h"

#include "base/clock.h"
#include "base/mem.h"

#include <arpa/inet.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <time.h>

#define LISTEN_BYTES_MAX 64

void http_worker_enter(struct http_worker *worker, enum http_phase phase)
{
    pthread_mutex_lock(&worker->mutex);
    if (phase != HTTP_PHASE_BODY || worker->phase != HTTP_PHASE_HEADER)
        worker->since_ms = clock_mono_ms();
    worker->phase = phase;
    pthread_mutex_unlock(&worker->mutex);
}

void http_worker_know(struct http_worker *worker, const char *remote, int port)
{
    pthread_mutex_lock(&worker->mutex);
    snprintf(worker->remote, sizeof worker->remote, "%s", remote);
    worker->remote_port = port;
    pthread_mutex_unlock(&worker->mutex);
}

bool http_worker_is_late(struct http_worker *worker, int64_t now_ms)
{
    const int64_t limits_ms[] = {
        [HTTP_PHASE_NONE] = INT64_MAX,
        [HTTP_PHASE_HEADER] = HTTP_HEADER_MS,
        [HTTP_PHASE_BODY] = worker->server->options.request_deadline_ms,
        [HTTP_PHASE_HANDLE] = INT64_MAX,
        [HTTP_PHASE_ANSWER] = HTTP_ANSWER_MS,
        [HTTP_PHASE_LINGER] = HTTP_LINGER_MS,
        [HTTP_PHASE_IDLE] = INT64_MAX,
    };
    pthread_mutex_lock(&worker->mutex);
    bool late = now_ms - worker->since_ms >= limits_ms[worker->phase];
    pthread_mutex_unlock(&worker->mutex);
    return late;
}

bool http_server_enter(struct http_server *server, bool *draining)
{
    pthread_mutex_lock(&server->mutex);
    *draining = server->draining;
    bool open = !server->draining || server->options.handles_drain;
    bool allowed = open && server->inside < server->options.concurrency;
    server->inside += allowed;
    pthread_mutex_unlock(&server->mutex);
    return allowed;
}

bool http_server_draining(struct http_server *server)
{
    pthread_mutex_lock(&server->mutex);
    bool draining = server->draining;
    pthread_mutex_unlock(&server->mutex);
    return draining;
}

void http_server_leave(struct http_server *server)
{
    pthread_mutex_lock(&server->mutex);
    if (--server->inside == 0 && server->draining)
        pthread_cond_broadcast(&server->changed);
    pthread_mutex_unlock(&server->mutex);
}

void http_server_count(struct http_server *server, int change)
{
    pthread_mutex_lock(&server->mutex);
    bool first = server->connections == 0 && change > 0;
    server->connections += change;
    if (first)
        pthread_cond_broadcast(&server->changed);
    pthread_mutex_unlock(&server->mutex);
}

/* "a.b.c.d:port" and nothing else: CivetWeb's other spellings ask for TLS, redirects, several
 * ports or IPv6, which Debian's build does not have or crashes on. */
bool http_listen_is_plain(const char *listen)
{
    const char *colon = strchr(listen, ':');
    char host[LISTEN_BYTES_MAX];
    struct in_addr address;
    if (colon == NULL || (size_t)(colon - listen) >= sizeof host)
        return false;
    memcpy(host, listen, (size_t)(colon - listen));
    host[colon - listen] = '\0';
    size_t digits = strspn(colon + 1, "0123456789");
    return inet_pton(AF_INET, host, &address) == 1 && digits > 0 && digits <= 5 &&
           colon[1 + digits] == '\0' && strtol(colon + 1, NULL, 10) <= 65535;
}

static void make_workers(struct http_server *server)
{
    server->workers = xcalloc((size_t)server->options.threads, sizeof *server->workers);
    for (int i = 0; i < server->options.threads; i++) {
        struct http_worker *worker = &server->workers[i];
        worker->server = server;
        worker->arena = arena_new();
        pthread_mutex_init(&worker->mutex, NULL);
    }
}

struct http_server *http_server_make(const struct http_server_options *options)
{
    struct http_server *server = xcalloc(1, sizeof *server);
    pthread_condattr_t attributes;
    server->options = *options;
    pthread_condattr_init(&attributes);
    pthread_condattr_setclock(&attributes, CLOCK_MONOTONIC);
    pthread_cond_init(&server->changed, &attributes);
    pthread_condattr_destroy(&attributes);
    pthread_mutex_init(&server->mutex, NULL);
    make_workers(server);
    return server;
}

void http_server_destroy(struct http_server *server)
{
    for (int i = 0; i < server->options.threads; i++) {
        arena_free(&server->workers[i].arena);
        pthread_mutex_destroy(&server->workers[i].mutex);
    }
    free(server->workers);
    pthread_cond_destroy(&server->changed);
    pthread_mutex_destroy(&server->mutex);
    free(server);
}

int http_server_port(const struct http_server *server)
{
    return server->port;
}

bool http_server_drain(struct http_server *server, int64_t deadline_ms)
{
    int64_t end_us = clock_mono_us() + deadline_ms * 1000;
    struct timespec until = {.tv_sec = end_us / 1000000, .tv_nsec = end_us % 1000000 * 1000};
    int late = 0;
    pthread_mutex_lock(&server->mutex);
    server->draining = true;
    while (server->inside > 0 && late == 0)
        late = pthread_cond_timedwait(&server->changed, &server->mutex, &until);
    bool finished = server->inside == 0;
    pthread_mutex_unlock(&server->mutex);
    return finished;
}
