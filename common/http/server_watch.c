/* The watchdog: CivetWeb limits each read, never a whole request, so one byte per second would hold
 * a thread for ever; and silent connections hold a thread for seconds. A connection that is late,
 * or silent while every thread is held, has its socket shut; its thread then wakes up and ends it.
 * CivetWeb does not tell the descriptor, so it is found by its addresses, only when something is
 * wrong. Sleeps while no connection is there. Started by server.c. */
#include "http/server_inside.h"

#include "base/clock.h"
#include "base/mem.h"

#include <arpa/inet.h>
#include <dirent.h>
#include <fcntl.h>
#include <netinet/in.h>
#include <stdlib.h>
#include <string.h>
#include <sys/ioctl.h>
#include <sys/socket.h>
#include <time.h>
#include <unistd.h>

#define DESCRIPTORS_MAX 4096

/* A peer whose connection has sent a head. */
struct known {
    in_port_t port;
    in_addr_t address;
    int how; /* what to shut, or KNOWN_FINE */
};
#define KNOWN_FINE (-1)

/* A connection without a head, as the rounds see it. */
struct silent {
    in_port_t port;
    in_addr_t address;
    int64_t since_ms;
    uint64_t round;
};

struct watch_state {
    struct http_server *server;
    struct known *known;
    size_t known_count;
    bool full;
    struct silent *silent; /* by descriptor */
    uint64_t round;
    int64_t now_ms;
};

/* ---- who is late ---- */

/* Fills *known; false if the worker's peer is not known. */
static bool look_at(struct http_worker *worker, struct known *known)
{
    struct in_addr address;
    pthread_mutex_lock(&worker->mutex);
    bool is_known = inet_pton(AF_INET, worker->remote, &address) == 1;
    *known = (struct known){.port = htons((uint16_t)worker->remote_port),
                            .address = is_known ? address.s_addr : 0,
                            .how = worker->phase == HTTP_PHASE_BODY ? SHUT_RD : SHUT_RDWR};
    pthread_mutex_unlock(&worker->mutex);
    return is_known;
}

/* Notes all known peers; returns how many of them are late. While a body is read only reading
 * ends, so that the request can still be answered with 408. */
static size_t collect(struct watch_state *state)
{
    size_t late = 0;
    state->known_count = 0;
    for (int i = 0; i < state->server->options.threads; i++) {
        struct http_worker *worker = &state->server->workers[i];
        struct known *known = &state->known[state->known_count];
        if (!look_at(worker, known))
            continue;
        state->known_count++;
        if (http_worker_is_late(worker, state->now_ms))
            late++;
        else
            known->how = KNOWN_FINE;
    }
    return late;
}

/* ---- which descriptor that is ---- */

/* The peer of one of this server's connections. */
static bool peer_of(const struct watch_state *state, int fd, struct sockaddr_in *peer)
{
    struct sockaddr_in own = {0};
    socklen_t peer_size = sizeof *peer, own_size = sizeof own;
    return getpeername(fd, (struct sockaddr *)peer, &peer_size) == 0 &&
           peer->sin_family == AF_INET &&
           getsockname(fd, (struct sockaddr *)&own, &own_size) == 0 &&
           ntohs(own.sin_port) == state->server->port;
}

/* True once the connection without a head has been silent for too long. One that waits for a
 * thread with its request sent has bytes to read, and keeps them. */
static bool is_silent(struct watch_state *state, int fd, const struct sockaddr_in *peer)
{
    int waiting = 0;
    if (fd >= DESCRIPTORS_MAX || ioctl(fd, FIONREAD, &waiting) != 0 || waiting > 0)
        return false;
    struct silent *silent = &state->silent[fd];
    bool same = silent->port == peer->sin_port && silent->address == peer->sin_addr.s_addr &&
                silent->round + 1 == state->round;
    if (!same)
        *silent = (struct silent){
            .port = peer->sin_port, .address = peer->sin_addr.s_addr, .since_ms = state->now_ms};
    silent->round = state->round;
    return state->now_ms - silent->since_ms >= HTTP_SILENT_FULL_MS;
}

/* What to shut, or KNOWN_FINE. */
static int judge(struct watch_state *state, int fd, const struct sockaddr_in *peer)
{
    for (size_t i = 0; i < state->known_count; i++)
        if (state->known[i].port == peer->sin_port &&
            state->known[i].address == peer->sin_addr.s_addr)
            return state->known[i].how;
    return state->full && is_silent(state, fd, peer) ? SHUT_RD : KNOWN_FINE;
}

/* The copy cannot become another connection while we look at it, the original can. */
static void end_if_late(struct watch_state *state, int fd)
{
    struct sockaddr_in peer = {0}, again = {0};
    if (!peer_of(state, fd, &peer))
        return;
    int how = judge(state, fd, &peer);
    if (how == KNOWN_FINE)
        return;
    int copy = fcntl(fd, F_DUPFD_CLOEXEC, 3);
    if (copy < 0)
        return;
    if (peer_of(state, copy, &again) && again.sin_port == peer.sin_port &&
        again.sin_addr.s_addr == peer.sin_addr.s_addr)
        shutdown(copy, how);
    close(copy);
}

static void each_descriptor(void (*look)(struct watch_state *state, int fd),
                            struct watch_state *state)
{
    DIR *folder = opendir("/proc/self/fd");
    if (folder == NULL)
        return;
    for (struct dirent *entry = readdir(folder); entry != NULL; entry = readdir(folder)) {
        char *end = NULL;
        long fd = strtol(entry->d_name, &end, 10);
        if (end != entry->d_name && *end == '\0')
            look(state, (int)fd);
    }
    closedir(folder);
}

static void sweep(struct watch_state *state)
{
    state->round++;
    state->now_ms = clock_mono_ms();
    if (collect(state) > 0 || state->full)
        each_descriptor(end_if_late, state);
}

/* ---- the end ---- */

/* By a copy, which stays the same socket whatever becomes of the descriptor. */
static void end_waiting(struct watch_state *state, int fd)
{
    struct sockaddr_in own = {0};
    socklen_t size = sizeof own;
    int copy = fcntl(fd, F_DUPFD_CLOEXEC, 3);
    if (copy < 0)
        return;
    if (getsockname(copy, (struct sockaddr *)&own, &size) == 0 && own.sin_family == AF_INET &&
        ntohs(own.sin_port) == state->server->port)
        shutdown(copy, SHUT_RD);
    close(copy);
}

void http_watch_end_waiting(struct http_server *server)
{
    struct watch_state state = {.server = server};
    each_descriptor(end_waiting, &state);
}

/* ---- the thread ---- */

static void wait_for_work(struct http_server *server)
{
    int64_t end_us = clock_mono_us() + (int64_t)HTTP_WATCH_MS * 1000;
    struct timespec until = {.tv_sec = end_us / 1000000, .tv_nsec = end_us % 1000000 * 1000};
    if (server->connections == 0)
        pthread_cond_wait(&server->changed, &server->mutex);
    else
        pthread_cond_timedwait(&server->changed, &server->mutex, &until);
}

void http_watch_run(void *arg)
{
    struct http_server *server = arg;
    struct watch_state state = {.server = server};
    state.known = xcalloc((size_t)server->options.threads, sizeof *state.known);
    state.silent = xcalloc(DESCRIPTORS_MAX, sizeof *state.silent);
    pthread_mutex_lock(&server->mutex);
    while (!server->stopping) {
        wait_for_work(server);
        state.full = server->connections >= server->options.threads;
        pthread_mutex_unlock(&server->mutex);
        sweep(&state);
        pthread_mutex_lock(&server->mutex);
    }
    pthread_mutex_unlock(&server->mutex);
    free(state.silent);
    free(state.known);
}
