/* A scripted HTTP server for unit tests: a thread per connection reads requests and lets the test's
 * handler write the answer, byte by byte if it wants. It logs every request that arrived whole or
 * in part, so that a test can tell what left the client. */
#ifndef DESK_TESTS_FAKE_SERVER_H
#define DESK_TESTS_FAKE_SERVER_H

#include <arpa/inet.h>
#include <netinet/in.h>
#include <netinet/tcp.h>
#include <pthread.h>
#include <stdatomic.h>
#include <stdbool.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <strings.h>
#include <sys/socket.h>
#include <unistd.h>

#include "base/mem.h"

struct fake_request {
    char *head; /* request line and headers */
    char *body; /* what came of it */
    size_t body_length;
    int on_connection; /* 0 for the first request of a connection */
};

struct fake_server {
    int listener, port;
    pthread_t thread;
    pthread_mutex_t lock;
    atomic_int requests, bodies, connections, live;
    char *last_head, *last_body; /* under the lock */
    /* Answers on fd; returns false to close the connection. `arg` is the server's. */
    bool (*handle)(struct fake_server *server, int fd, const struct fake_request *request);
    atomic_bool stopping;
    int fds[4096]; /* live connections, to cut at the end; under the lock */
};

struct fake_connection {
    struct fake_server *server;
    int fd;
};

static inline bool fake_send(int fd, const char *text)
{
    size_t left = strlen(text);
    while (left > 0) {
        ssize_t n = send(fd, text, left, MSG_NOSIGNAL);
        if (n <= 0)
            return false;
        text += n;
        left -= (size_t)n;
    }
    return true;
}

/* A whole answer with its length; `headers` are extra lines with CRLF. */
static inline bool fake_answer(int fd, const char *status, const char *headers, const char *body)
{
    char head[1024];
    snprintf(head, sizeof head, "HTTP/1.1 %s\r\nContent-Length: %zu\r\n%s\r\n", status,
             strlen(body), headers);
    return fake_send(fd, head) && fake_send(fd, body);
}

static inline bool fake_path_is(const struct fake_request *request, const char *path)
{
    const char *at = strchr(request->head, ' ');
    size_t length = strlen(path);
    return at != NULL && strncmp(at + 1, path, length) == 0 &&
           (at[1 + length] == ' ' || at[1 + length] == '?');
}

static inline size_t fake_content_length(const char *head)
{
    const char *at = strcasestr(head, "\r\nContent-Length:");
    return at != NULL ? (size_t)strtoul(at + 17, NULL, 10) : 0;
}

/* Reads one request; false when the connection ended before any byte. */
static inline bool fake_read(struct fake_server *server, int fd, struct fake_request *request)
{
    char *buffer = xcalloc(1, 1 << 20);
    size_t length = 0, head_length = 0, want = 0;
    while (length < (1 << 20) - 1) {
        ssize_t n = recv(fd, buffer + length, (1 << 20) - 1 - length, 0);
        if (n <= 0)
            break;
        length += (size_t)n;
        buffer[length] = '\0';
        char *end = strstr(buffer, "\r\n\r\n");
        if (end == NULL)
            continue;
        head_length = (size_t)(end - buffer) + 4;
        want = fake_content_length(buffer);
        if (length - head_length >= want)
            break;
    }
    if (head_length == 0) {
        free(buffer);
        return false;
    }
    request->head = xstrndup(buffer, head_length);
    request->body_length = length - head_length;
    request->body = xstrndup(buffer + head_length, request->body_length);
    free(buffer);
    atomic_fetch_add(&server->requests, 1);
    if (request->body_length > 0)
        atomic_fetch_add(&server->bodies, 1);
    pthread_mutex_lock(&server->lock);
    free(server->last_head);
    free(server->last_body);
    server->last_head = xstrdup(request->head);
    server->last_body = xstrdup(request->body);
    pthread_mutex_unlock(&server->lock);
    return request->body_length >= want;
}

static inline void fake_forget(struct fake_server *server, int fd)
{
    pthread_mutex_lock(&server->lock);
    for (size_t i = 0; i < sizeof server->fds / sizeof *server->fds; i++)
        if (server->fds[i] == fd + 1)
            server->fds[i] = 0;
    pthread_mutex_unlock(&server->lock);
    close(fd);
}

static void *fake_serve(void *arg)
{
    struct fake_connection connection = *(struct fake_connection *)arg;
    free(arg);
    struct fake_server *server = connection.server;
    for (int i = 0; !atomic_load(&server->stopping); i++) {
        struct fake_request request = {.on_connection = i};
        bool more = fake_read(server, connection.fd, &request) &&
                    server->handle(server, connection.fd, &request);
        free(request.head);
        free(request.body);
        if (!more)
            break;
    }
    fake_forget(server, connection.fd);
    atomic_fetch_sub(&server->live, 1);
    return NULL;
}

static void *fake_accept(void *arg)
{
    struct fake_server *server = arg;
    for (;;) {
        int fd = accept(server->listener, NULL, NULL), one = 1;
        if (fd < 0)
            return NULL;
        setsockopt(fd, IPPROTO_TCP, TCP_NODELAY, &one, sizeof one);
        pthread_mutex_lock(&server->lock);
        for (size_t i = 0; i < sizeof server->fds / sizeof *server->fds; i++)
            if (server->fds[i] == 0) {
                server->fds[i] = fd + 1;
                break;
            }
        pthread_mutex_unlock(&server->lock);
        atomic_fetch_add(&server->connections, 1);
        atomic_fetch_add(&server->live, 1);
        struct fake_connection *connection = xmalloc(sizeof *connection);
        *connection = (struct fake_connection){server, fd};
        pthread_attr_t attributes;
        pthread_attr_init(&attributes);
        pthread_attr_setstacksize(&attributes, 256 * 1024);
        pthread_attr_setdetachstate(&attributes, PTHREAD_CREATE_DETACHED);
        pthread_t thread;
        if (pthread_create(&thread, &attributes, fake_serve, connection) != 0)
            abort();
        pthread_attr_destroy(&attributes);
    }
}

static inline struct fake_server *fake_server_start(bool (*handle)(struct fake_server *, int,
                                                                   const struct fake_request *))
{
    struct fake_server *server = xcalloc(1, sizeof *server);
    struct sockaddr_in address = {.sin_family = AF_INET, .sin_addr.s_addr = htonl(INADDR_LOOPBACK)};
    socklen_t length = sizeof address;
    server->handle = handle;
    pthread_mutex_init(&server->lock, NULL);
    server->listener = socket(AF_INET, SOCK_STREAM | SOCK_CLOEXEC, 0);
    if (bind(server->listener, (struct sockaddr *)&address, length) != 0 ||
        listen(server->listener, 4096) != 0 ||
        getsockname(server->listener, (struct sockaddr *)&address, &length) != 0 ||
        pthread_create(&server->thread, NULL, fake_accept, server) != 0)
        abort();
    server->port = ntohs(address.sin_port);
    return server;
}

static inline void fake_server_stop(struct fake_server *server)
{
    atomic_store(&server->stopping, true);
    shutdown(server->listener, SHUT_RDWR);
    pthread_join(server->thread, NULL);
    close(server->listener);
    pthread_mutex_lock(&server->lock);
    for (size_t i = 0; i < sizeof server->fds / sizeof *server->fds; i++)
        if (server->fds[i] != 0)
            shutdown(server->fds[i] - 1, SHUT_RDWR);
    pthread_mutex_unlock(&server->lock);
    while (atomic_load(&server->live) > 0)
        sched_yield();
    free(server->last_head);
    free(server->last_body);
    free(server);
}

/* Copies the last request's head under the lock; free() it. */
static inline char *fake_last_head(struct fake_server *server)
{
    pthread_mutex_lock(&server->lock);
    char *head = xstrdup(server->last_head != NULL ? server->last_head : "");
    pthread_mutex_unlock(&server->lock);
    return head;
}

#endif
