/* The WebSocket server: accepts connections, watches their time, tells the owner what ended, and
 * finds the socket behind a name. One loop, no thread, no lock. Called by ingress. */
#include "http/socket_inside.h"

#include "base/clock.h"
#include "base/mem.h"

#include <arpa/inet.h>
#include <assert.h>
#include <errno.h>
#include <netinet/in.h>
#include <stdlib.h>
#include <string.h>
#include <sys/socket.h>
#include <unistd.h>

#define ACCEPTS_AT_ONCE 16
#define PENDING_MAX     256 /* connections that are not sockets yet, or no longer */
#define TICK_MIN_MS     10
#define TICK_MAX_MS     500
#define BACKLOG         511
#define KERNEL_BYTES    (32 * 1024) /* the kernel doubles it; what has left cannot be dropped */

static struct connection *find(const struct socket_server *server, uint64_t socket)
{
    size_t slot = (uint32_t)socket;
    if (slot >= server->slot_count || server->slots[slot].generation != socket >> 32)
        return NULL;
    struct connection *connection = server->slots[slot].connection;
    return connection != NULL && connection->is_socket ? connection : NULL;
}

/* ---- connections ---- */

static size_t connections_of(const struct socket_server *server)
{
    return server->slot_count - server->free_count;
}

static void release(struct connection *connection)
{
    struct socket_server *server = connection->server;
    connection_release(connection);
    if (connections_of(server) == 0)
        timer_stop(server->tick);
}

/* Makes room among connections that are no sockets: the one that has been there longest goes. */
static void evict(struct socket_server *server)
{
    struct connection *oldest = NULL;
    for (size_t i = 0; i < server->slot_count; i++) {
        struct connection *connection = server->slots[i].connection;
        if (connection != NULL && !connection->is_socket && !connection->is_unsettled &&
            (oldest == NULL || connection->since_ms < oldest->since_ms))
            oldest = connection;
    }
    if (oldest == NULL)
        return;
    if (oldest->state == STATE_HEAD)
        server->counts.refused[SOCKET_REFUSED_LATE]++;
    release(oldest);
}

static void start_tick(struct socket_server *server)
{
    const struct socket_options *options = &server->options;
    int64_t least =
        options->ping_ms < options->close_wait_ms ? options->ping_ms : options->close_wait_ms;
    int64_t tick_ms = least / 4 < TICK_MIN_MS ? TICK_MIN_MS : least / 4;
    tick_ms = tick_ms > TICK_MAX_MS ? TICK_MAX_MS : tick_ms;
    if (!timer_is_active(server->tick))
        timer_start(server->tick, tick_ms, tick_ms);
}

static void add(struct socket_server *server, int fd)
{
    if (connections_of(server) - server->counts.open >= PENDING_MAX)
        evict(server);
    if (server->free_count == 0) {
        close(fd);
        return;
    }
    connection_new(server, fd);
    start_tick(server);
}

/* Out of descriptors: what waits would wake us again and again, so we listen again at the next
 * tick. */
static void turn_deaf(struct socket_server *server)
{
    watch_set(server->watch, 0);
    start_tick(server);
}

static void on_connection(void *arg, int events)
{
    struct socket_server *server = arg;
    (void)events;
    server->inside = true;
    for (int i = 0; i < ACCEPTS_AT_ONCE; i++) {
        int fd = accept4(server->listener, NULL, NULL, SOCK_NONBLOCK | SOCK_CLOEXEC);
        if (fd >= 0) {
            add(server, fd);
        } else if (errno == EMFILE || errno == ENFILE || errno == ENOBUFS || errno == ENOMEM) {
            turn_deaf(server);
            break;
        } else if (errno != ECONNABORTED && errno != EINTR) {
            break;
        }
    }
    server->inside = false;
}

static void on_tick(void *arg)
{
    struct socket_server *server = arg;
    int64_t now_ms = clock_mono_ms();
    server->inside = true;
    for (size_t i = 0; i < server->slot_count; i++)
        if (server->slots[i].connection != NULL)
            connection_check(server->slots[i].connection, now_ms);
    watch_set(server->watch, WATCH_READ);
    if (connections_of(server) == 0)
        timer_stop(server->tick);
    server->inside = false;
}

/* ---- what ended ---- */

static void tell_closed(struct connection *connection)
{
    struct socket_server *server = connection->server;
    uint64_t name = connection_name(connection);
    connection->is_socket = false;
    server->counts.open--;
    server->counts.closed[connection->end.cause]++;
    server->options.closed(server->options.arg, name, connection->user, &connection->end);
}

static void tell_drained(struct socket_server *server)
{
    void (*drained)(void *arg) = server->drained;
    if (!server->draining || server->counts.open > 0 || drained == NULL)
        return;
    server->drained = NULL;
    drained(server->drained_arg);
}

static void on_settle(void *arg)
{
    struct socket_server *server = arg;
    struct connection *next = server->unsettled;
    server->unsettled = NULL;
    server->inside = true;
    while (next != NULL) {
        struct connection *connection = next;
        next = connection->next_unsettled;
        connection->is_unsettled = false;
        if (connection->is_socket)
            tell_closed(connection);
        if (connection->state == STATE_ENDED && !connection->is_unsettled)
            release(connection);
    }
    tell_drained(server);
    server->inside = false;
}

/* ---- what the owner wants of a socket ---- */

bool socket_send(struct socket_server *server, uint64_t socket, enum socket_keep keep,
                 const char *text, size_t length)
{
    struct connection *connection = find(server, socket);
    return connection != NULL && connection_send(connection, keep == SOCKET_MAY_DROP, text, length);
}

size_t socket_drop_queued(struct socket_server *server, uint64_t socket)
{
    struct connection *connection = find(server, socket);
    return connection == NULL ? 0 : connection_drop(connection);
}

void socket_close(struct socket_server *server, uint64_t socket, int code, const char *reason)
{
    struct connection *connection = find(server, socket);
    if (connection != NULL)
        connection_close(connection, code, reason);
}

/* ---- the server ---- */

static int fail_listen(int fd, const char *listen_on, struct err *err)
{
    int code = errno;
    if (fd >= 0)
        close(fd);
    return err_set(err, ERR_PERMANENT, "socket.listen", "cannot listen on %s: %s", listen_on,
                   strerror(code));
}

/* Returns the descriptor, or -1. Connections inherit the sizes of the kernel's buffers. */
static int open_listener(const char *listen_on, int *port, struct err *err)
{
    int one = 1, bytes = KERNEL_BYTES;
    char host[INET_ADDRSTRLEN];
    size_t host_length = strcspn(listen_on, ":");
    struct sockaddr_in address = {.sin_family = AF_INET};
    socklen_t size = sizeof address;
    if (!http_listen_is_plain(listen_on) || host_length >= sizeof host)
        return err_set(err, ERR_PERMANENT, "socket.listen",
                       "\"%s\" is not an IPv4 address and port like 127.0.0.1:8083", listen_on);
    memcpy(host, listen_on, host_length);
    host[host_length] = '\0';
    inet_pton(AF_INET, host, &address.sin_addr);
    address.sin_port = htons((uint16_t)strtol(listen_on + host_length + 1, NULL, 10));
    int fd = socket(AF_INET, SOCK_STREAM | SOCK_NONBLOCK | SOCK_CLOEXEC, 0);
    if (fd < 0)
        return fail_listen(fd, listen_on, err);
    setsockopt(fd, SOL_SOCKET, SO_REUSEADDR, &one, sizeof one);
    setsockopt(fd, SOL_SOCKET, SO_SNDBUF, &bytes, sizeof bytes);
    setsockopt(fd, SOL_SOCKET, SO_RCVBUF, &bytes, sizeof bytes);
    if (bind(fd, (struct sockaddr *)&address, size) != 0 || listen(fd, BACKLOG) != 0 ||
        getsockname(fd, (struct sockaddr *)&address, &size) != 0)
        return fail_listen(fd, listen_on, err);
    *port = ntohs(address.sin_port);
    return fd;
}

static void make_slots(struct socket_server *server)
{
    server->slot_count = server->free_count = (size_t)server->options.max_sockets + PENDING_MAX;
    server->slots = xcalloc(server->slot_count, sizeof *server->slots);
    server->free_slots = xcalloc(server->slot_count, sizeof *server->free_slots);
    for (size_t i = 0; i < server->slot_count; i++)
        server->free_slots[i] = (uint32_t)(server->slot_count - 1 - i);
}

int socket_server_start(const struct socket_options *options, struct socket_server **server,
                        struct err *err)
{
    int port = 0, listener = open_listener(options->listen, &port, err);
    if (listener < 0)
        return -1;
    assert(options->max_sockets >= 1 && options->max_sockets <= 60000);
    assert(options->message_max_bytes >= 126 && options->message_max_bytes <= 1024 * 1024);
    assert(options->queue_max_bytes >= FRAME_HEAD_MAX + FRAME_CONTROL_MAX);
    assert(options->frames_per_s >= 1 && options->frame_burst >= 1);
    assert(options->frames_per_s <= 100000 && options->frame_burst <= 100000);
    assert(options->ping_ms >= 1 && options->close_wait_ms >= 1);
    struct socket_server *made = xcalloc(1, sizeof *made);
    made->options = *options;
    made->path_prefix = xstrdup(options->path_prefix);
    made->listener = listener;
    made->port = port;
    make_slots(made);
    made->tick = timer_new(options->loop, on_tick, made);
    made->settle = timer_new(options->loop, on_settle, made);
    made->watch = watch_new(options->loop, listener, on_connection, made);
    watch_set(made->watch, WATCH_READ);
    *server = made;
    return 0;
}

int socket_server_port(const struct socket_server *server)
{
    return server->port;
}

void socket_server_drain(struct socket_server *server, void (*drained)(void *arg), void *arg)
{
    server->draining = true;
    server->drained = drained;
    server->drained_arg = arg;
    timer_start(server->settle, 0, 0);
}

void socket_server_free(struct socket_server **server)
{
    struct socket_server *freed = *server;
    if (freed == NULL)
        return;
    assert(!freed->inside);
    freed->inside = true;
    for (size_t i = 0; i < freed->slot_count; i++) {
        struct connection *connection = freed->slots[i].connection;
        if (connection == NULL)
            continue;
        connection_decide(connection, SOCKET_STOPPED, CLOSE_ABNORMAL);
        if (connection->is_socket)
            tell_closed(connection);
        release(connection);
    }
    watch_free(&freed->watch);
    timer_free(&freed->tick);
    timer_free(&freed->settle);
    close(freed->listener);
    free(freed->slots);
    free(freed->free_slots);
    free(freed->path_prefix);
    free(freed);
    *server = NULL;
}

/* ---- names and numbers ---- */

const struct socket_counts *socket_server_counts(const struct socket_server *server)
{
    return &server->counts;
}

const char *socket_cause_name(enum socket_cause cause)
{
    static const char *const names[SOCKET_CAUSES] = {
        [SOCKET_BY_PEER] = "peer",      [SOCKET_BY_US] = "us",
        [SOCKET_LOST] = "lost",         [SOCKET_SILENT] = "silent",
        [SOCKET_PROTOCOL] = "protocol", [SOCKET_BINARY] = "binary",
        [SOCKET_NOT_UTF8] = "not_utf8", [SOCKET_TOO_LARGE] = "too_large",
        [SOCKET_TOO_MANY] = "too_many", [SOCKET_SLOW_READER] = "slow_reader",
        [SOCKET_STOPPED] = "stopped",
    };
    return names[cause];
}

const char *socket_refusal_name(enum socket_refusal refusal)
{
    static const char *const names[SOCKET_REFUSALS] = {
        [SOCKET_REFUSED_MALFORMED] = "malformed", [SOCKET_REFUSED_PATH] = "path",
        [SOCKET_REFUSED_FULL] = "full",           [SOCKET_REFUSED_DRAINING] = "draining",
        [SOCKET_REFUSED_BY_OWNER] = "owner",      [SOCKET_REFUSED_LATE] = "late",
    };
    return names[refusal];
}
