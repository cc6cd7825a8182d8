/* What the tests of the HTTP server share: a server that answers with what it saw, and talking to
 * it byte by byte. */
#ifndef DESK_TESTS_SERVER_PROBE_H
#define DESK_TESTS_SERVER_PROBE_H

#include <CUnit/Basic.h>
#include <arpa/inet.h>
#include <netinet/in.h>
#include <poll.h>
#include <pthread.h>
#include <signal.h>
#include <stdatomic.h>
#include <stdio.h>
#include <string.h>
#include <sys/socket.h>
#include <unistd.h>

#include "base/clock.h"
#include "base/strbuf.h"
#include "http/server.h"
#include "loop/loop.h"

#define BODY_MAX    4096
#define DEADLINE_MS 3000
#define THREADS     8
#define CONCURRENCY 4

static struct http_server *server;
static atomic_int handled, inside;
static atomic_bool hold;
static pthread_mutex_t seen_mutex = PTHREAD_MUTEX_INITIALIZER;
static char last_seen[512]; /* under the mutex */

static inline void note_seen(const char *text)
{
    pthread_mutex_lock(&seen_mutex);
    snprintf(last_seen, sizeof last_seen, "%s", text);
    pthread_mutex_unlock(&seen_mutex);
}

/* What the handler saw last. */
static inline void copy_seen(char out[sizeof last_seen])
{
    pthread_mutex_lock(&seen_mutex);
    memcpy(out, last_seen, sizeof last_seen);
    pthread_mutex_unlock(&seen_mutex);
}

/* Answers with what it saw; /hold waits until the test lets go. */
static inline void handle(void *arg, const struct http_request *request,
                          struct http_response *response)
{
    (void)arg;
    atomic_fetch_add(&handled, 1);
    atomic_fetch_add(&inside, 1);
    for (int i = 0; strcmp(request->path, "/hold") == 0 && atomic_load(&hold) && i < 5000; i++)
        poll(NULL, 0, 1);
    int doubled = 0;
    const char *mark = http_request_header(request, "x-mark", &doubled);
    char seen[sizeof last_seen];
    snprintf(seen, sizeof seen, "%s|%s|%s|%s|%s|%.*s|%s%d", request->method, request->target,
             request->path, request->query, request->content_type,
             request->body_length < 64 ? (int)request->body_length : 64, request->body,
             mark == NULL ? "-" : mark, doubled);
    note_seen(seen);
    if (strcmp(request->path, "/405") == 0) {
        *response = (struct http_response){.status = 405, .allow = "POST"};
    } else if (strcmp(request->path, "/204") == 0) {
        response->status = 204;
    } else if (strcmp(request->path, "/503") == 0) {
        *response = (struct http_response){.status = 503, .retry_after_s = 7};
    } else if (strcmp(request->path, "/silent") != 0) {
        response->status = 200;
        response->content_type = "text/plain";
        response->body = arena_strdup(request->arena, seen);
        response->body_length = strlen(seen);
    }
    atomic_fetch_sub(&inside, 1);
}

static inline int connect_to(int port)
{
    struct sockaddr_in address = {.sin_family = AF_INET, .sin_port = htons((uint16_t)port)};
    address.sin_addr.s_addr = htonl(INADDR_LOOPBACK);
    int fd = socket(AF_INET, SOCK_STREAM, 0);
    CU_ASSERT_EQUAL_FATAL(connect(fd, (struct sockaddr *)&address, sizeof address), 0);
    return fd;
}

static inline int open_connection(void)
{
    return connect_to(http_server_port(server));
}

static inline void put(int fd, const char *bytes, size_t length)
{
    size_t sent = 0;
    while (sent < length) {
        ssize_t n = send(fd, bytes + sent, length - sent, MSG_NOSIGNAL);
        if (n <= 0)
            return; /* the server closed: the answer tells why */
        sent += (size_t)n;
    }
}

/* Reads until the peer closes or the time is over; true if it closed. */
static inline bool take(int fd, struct strbuf *out, int64_t wait_ms)
{
    int64_t end_ms = clock_mono_ms() + wait_ms;
    for (;;) {
        char bytes[8192];
        struct pollfd poller = {.fd = fd, .events = POLLIN};
        int64_t left_ms = end_ms - clock_mono_ms();
        if (left_ms <= 0 || poll(&poller, 1, (int)left_ms) <= 0)
            return false;
        ssize_t n = recv(fd, bytes, sizeof bytes, 0);
        if (n <= 0)
            return true;
        strbuf_add(out, bytes, (size_t)n);
    }
}

/* "200 400": the statuses of all answers in the bytes. */
static inline void statuses_of(const struct strbuf *answers, char *out, size_t size)
{
    size_t used = 0;
    out[0] = '\0';
    for (const char *p = answers->data; (p = strstr(p, "HTTP/1.1 ")) != NULL; p += 9)
        if (used + 5 < size)
            used += (size_t)snprintf(out + used, size - used, "%s%.3s", used > 0 ? " " : "", p + 9);
}

/* Sends all at once, ends the sending side, and gives the statuses of the answers. */
static inline void talk(const char *bytes, size_t length, char *statuses, size_t size)
{
    struct strbuf answers;
    strbuf_init(&answers, 1 << 20);
    int fd = open_connection();
    put(fd, bytes, length);
    shutdown(fd, SHUT_WR);
    CU_ASSERT_TRUE(take(fd, &answers, 5000));
    statuses_of(&answers, statuses, size);
    close(fd);
    strbuf_fini(&answers);
}

static inline int set_up(void)
{
    struct err err;
    struct http_server_options options = {.listen = "127.0.0.1:0",
                                          .threads = THREADS,
                                          .concurrency = CONCURRENCY,
                                          .body_max_bytes = BODY_MAX,
                                          .request_deadline_ms = DEADLINE_MS,
                                          .handle = handle};
    signal(SIGPIPE, SIG_IGN);
    return http_server_start(&options, &server, &err);
}

static inline int tear_down(void)
{
    http_server_free(&server);
    return server == NULL ? 0 : -1;
}

#endif
