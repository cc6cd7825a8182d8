/* Timers, descriptor watches and signal watches. libuv frees a handle only after its close
 * callback, so each object lives until then; that is what makes freeing inside the own callback
 * safe. */
#include "base/mem.h"
#include "loop/inside.h"
#include "loop/loop.h"

#include <stdio.h>
#include <stdlib.h>

static void must(int result, const char *what)
{
    if (result != 0) {
        fprintf(stderr, "loop: %s: %s\n", what, uv_strerror(result));
        abort();
    }
}

/* The object starts with its uv handle, so the handle's address is the object's. */
static void free_handle(uv_handle_t *handle)
{
    free(handle);
}

static void drop(struct loop *loop, uv_handle_t *handle)
{
    loop->handles--;
    uv_close(handle, free_handle);
}

/* ---- timers ---- */

struct timer {
    uv_timer_t uv; /* first */
    struct loop *loop;
    void (*fn)(void *arg);
    void *arg;
};

static void on_timer(uv_timer_t *handle)
{
    struct timer *timer = (struct timer *)handle;
    struct loop *loop = timer->loop;
    loop->in_timer = true;
    timer->fn(timer->arg);
    loop->in_timer = false;
}

struct timer *timer_new(struct loop *loop, void (*fn)(void *arg), void *arg)
{
    struct timer *timer = xcalloc(1, sizeof *timer);
    must(uv_timer_init(&loop->uv, &timer->uv), "timer");
    timer->loop = loop;
    timer->fn = fn;
    timer->arg = arg;
    loop->handles++;
    return timer;
}

void timer_free(struct timer **timer)
{
    if (*timer == NULL)
        return;
    drop((*timer)->loop, (uv_handle_t *)&(*timer)->uv);
    *timer = NULL;
}

/* libuv counts from the time it read at the start of the pass: what has passed since is added. Its
 * 1.44 runs a timer of 0 ms that a timer callback starts in the same pass, for ever if that one
 * does it again; there the shortest delay is 1 ms. */
static uint64_t delay_from_pass(const struct loop *loop, int64_t delay_ms)
{
    if (delay_ms <= 0)
        return loop->in_timer ? 1 : 0;
    uint64_t now_ms = uv_hrtime() / 1000000, pass_ms = uv_now(&loop->uv);
    return (uint64_t)delay_ms + (now_ms > pass_ms ? now_ms - pass_ms : 0);
}

void timer_start(struct timer *timer, int64_t delay_ms, int64_t repeat_ms)
{
    uint64_t repeat = repeat_ms > 0 ? (uint64_t)repeat_ms : 0;
    must(uv_timer_start(&timer->uv, on_timer, delay_from_pass(timer->loop, delay_ms), repeat),
         "timer start");
}

void timer_stop(struct timer *timer)
{
    uv_timer_stop(&timer->uv);
}

bool timer_is_active(const struct timer *timer)
{
    return uv_is_active((const uv_handle_t *)&timer->uv) != 0;
}

/* ---- file descriptors ---- */

struct watch {
    uv_poll_t uv; /* first */
    struct loop *loop;
    void (*fn)(void *arg, int events);
    void *arg;
    int wanted;
};

static void on_poll(uv_poll_t *handle, int status, int events);

static void arm(struct watch *watch)
{
    int events = (watch->wanted & WATCH_READ ? UV_READABLE : 0) |
                 (watch->wanted & WATCH_WRITE ? UV_WRITABLE : 0);
    must(events == 0 ? uv_poll_stop(&watch->uv) : uv_poll_start(&watch->uv, events, on_poll),
         "watch");
}

/* On an error condition (a refused connect) libuv stops the handle and reports no event. The owner
 * learns everything from its next read or write, so it is told what it waits for, and the watch
 * stays level-triggered. */
static void on_poll(uv_poll_t *handle, int status, int events)
{
    struct watch *watch = (struct watch *)handle;
    int seen = (events & UV_READABLE ? WATCH_READ : 0) | (events & UV_WRITABLE ? WATCH_WRITE : 0);
    watch->fn(watch->arg, status < 0 ? watch->wanted : seen);
    if (status < 0 && !uv_is_closing((uv_handle_t *)handle))
        arm(watch);
}

struct watch *watch_new(struct loop *loop, int fd, void (*fn)(void *arg, int events), void *arg)
{
    struct watch *watch = xcalloc(1, sizeof *watch);
    must(uv_poll_init(&loop->uv, &watch->uv, fd), "watch of a descriptor");
    watch->loop = loop;
    watch->fn = fn;
    watch->arg = arg;
    loop->handles++;
    return watch;
}

void watch_set(struct watch *watch, int events)
{
    if (events == watch->wanted)
        return;
    watch->wanted = events;
    arm(watch);
}

void watch_free(struct watch **watch)
{
    if (*watch == NULL)
        return;
    drop((*watch)->loop, (uv_handle_t *)&(*watch)->uv);
    *watch = NULL;
}

/* ---- signals ---- */

struct signal_watch {
    uv_signal_t uv; /* first */
    struct loop *loop;
    void (*fn)(void *arg, int signal_number);
    void *arg;
};

static void on_signal(uv_signal_t *handle, int signal_number)
{
    struct signal_watch *watch = (struct signal_watch *)handle;
    watch->fn(watch->arg, signal_number);
}

struct signal_watch *signal_watch_new(struct loop *loop, int signal_number,
                                      void (*fn)(void *arg, int signal_number), void *arg)
{
    struct signal_watch *watch = xcalloc(1, sizeof *watch);
    must(uv_signal_init(&loop->uv, &watch->uv), "signal");
    must(uv_signal_start(&watch->uv, on_signal, signal_number), "signal start");
    watch->loop = loop;
    watch->fn = fn;
    watch->arg = arg;
    loop->handles++;
    return watch;
}

void signal_watch_free(struct signal_watch **watch)
{
    if (*watch == NULL)
        return;
    drop((*watch)->loop, (uv_handle_t *)&(*watch)->uv);
    *watch = NULL;
}
