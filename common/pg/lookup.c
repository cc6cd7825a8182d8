/* Name look-up on a thread of its own, once per connect. The thread is detached and shares one
 * counted block with its owner: getaddrinfo cannot be cancelled, and a service that stops must not
 * wait for a dead name server. An eventfd, not a post, tells the loop: a watch can be taken back.
 */
#include "pg/inside.h"

#include "base/mem.h"

#include <arpa/inet.h>
#include <netdb.h>
#include <stdatomic.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/eventfd.h>
#include <unistd.h>

#define NAMES_MAX     16
#define ADDRESSES_MAX 8 /* of one name */

struct shared {
    atomic_int owners; /* the thread and the pg_lookup */
    int event_fd;
    int count;
    char *names[NAMES_MAX]; /* NULL: not a name */
    char addresses[NAMES_MAX][ADDRESSES_MAX][INET6_ADDRSTRLEN];
    char error[PG_TEXT_MAX];
};

struct pg_lookup {
    struct shared *shared;
    struct watch *watch;
    void (*fn)(void *arg);
    void *arg;
};

static void release(struct shared *shared)
{
    if (atomic_fetch_sub(&shared->owners, 1) > 1)
        return;
    for (int i = 0; i < shared->count; i++)
        free(shared->names[i]);
    close(shared->event_fd);
    free(shared);
}

static void resolve(struct shared *shared, int index)
{
    struct addrinfo hints = {.ai_family = AF_UNSPEC, .ai_socktype = SOCK_STREAM}, *list = NULL;
    int code = getaddrinfo(shared->names[index], NULL, &hints, &list);
    if (code != 0) {
        snprintf(shared->error, sizeof shared->error, "cannot resolve host %s: %s",
                 shared->names[index], gai_strerror(code));
        return;
    }
    int used = 0;
    for (const struct addrinfo *a = list; a != NULL && used < ADDRESSES_MAX; a = a->ai_next)
        if (getnameinfo(a->ai_addr, a->ai_addrlen, shared->addresses[index][used], INET6_ADDRSTRLEN,
                        NULL, 0, NI_NUMERICHOST) == 0)
            used++;
    freeaddrinfo(list);
}

static void run(void *arg)
{
    struct shared *shared = arg;
    for (int i = 0; i < shared->count; i++)
        if (shared->names[i] != NULL)
            resolve(shared, i);
    uint64_t one = 1;
    if (write(shared->event_fd, &one, sizeof one) != sizeof one)
        abort(); /* an eventfd at 0 always takes 1 */
    release(shared);
}

static void on_event(void *arg, int events)
{
    struct pg_lookup *lookup = arg;
    uint64_t count;
    (void)events;
    if (read(lookup->shared->event_fd, &count, sizeof count) != sizeof count)
        return;
    watch_free(&lookup->watch);
    lookup->fn(lookup->arg);
}

struct pg_lookup *pg_lookup_start(const struct pg_target *target, struct loop *loop,
                                  void (*fn)(void *arg), void *arg)
{
    int event_fd = eventfd(0, EFD_NONBLOCK | EFD_CLOEXEC);
    if (event_fd < 0)
        return NULL;
    struct pg_lookup *lookup = xcalloc(1, sizeof *lookup);
    struct shared *shared = xcalloc(1, sizeof *shared);
    lookup->shared = shared;
    lookup->fn = fn;
    lookup->arg = arg;
    atomic_init(&shared->owners, 2);
    shared->event_fd = event_fd;
    shared->count = pg_target_hosts(target);
    for (int i = 0; i < shared->count; i++)
        if (pg_target_name(target, i) != NULL)
            shared->names[i] = xstrdup(pg_target_name(target, i));
    lookup->watch = watch_new(loop, shared->event_fd, on_event, lookup);
    watch_set(lookup->watch, WATCH_READ);
    thread_detach(run, shared);
    return lookup;
}

void pg_lookup_free(struct pg_lookup **lookup)
{
    if (*lookup == NULL)
        return;
    watch_free(&(*lookup)->watch);
    release((*lookup)->shared);
    free(*lookup);
    *lookup = NULL;
}

const char *pg_lookup_address(const struct pg_lookup *lookup, int host, int index)
{
    if (index >= ADDRESSES_MAX || lookup->shared->addresses[host][index][0] == '\0')
        return NULL;
    return lookup->shared->addresses[host][index];
}

const char *pg_lookup_error(const struct pg_lookup *lookup)
{
    return lookup->shared->error;
}
