/* The loop threads of a service. Each makes its loop, runs the service's start hook, serves until
 * it is drained or cut, runs the stop hook and ends; the main loop hears of it by post. A mutex
 * guards the pointer to the loop, so that nobody posts to one that is gone. Called by service.c. */
#include "base/clock.h"
#include "base/mem.h"
#include "service/inside.h"

#include <stdlib.h>

#define BEAT_MS          1000  /* an idle loop still passes this often */
#define HEARTBEAT_MAX_MS 5000  /* older: stuck */
#define START_MAX_MS     60000 /* a start or stop hook may wait for a slow dependency so long */

struct loop *service_loop_of(struct service_loop *self)
{
    return self->loop;
}

int service_loop_index(const struct service_loop *self)
{
    return self->index;
}

struct service *service_of(struct service_loop *self)
{
    return self->service;
}

void service_loop_drained(struct service_loop *self)
{
    loop_stop(self->loop);
}

/* ---- on the main loop ---- */

static void say_runs(void *arg)
{
    struct service_loop *self = arg;
    service_loop_runs(self->service);
}

static void say_ended(void *arg)
{
    struct service_loop *self = arg;
    service_loop_ended(self->service, false);
}

static void say_failed(void *arg)
{
    struct service_loop *self = arg;
    service_loop_ended(self->service, true);
}

/* ---- on the loop's thread ---- */

static void on_beat(void *arg)
{
    (void)arg; /* the pass itself is the heartbeat */
}

/* What loop_drain gets; kept beside the loop because a post carries one pointer. */
struct running {
    void *state;
    bool draining;
};
static _Thread_local struct running running;

static void drain_here(void *arg)
{
    struct service_loop *self = arg;
    if (running.draining)
        return;
    running.draining = true;
    if (self->service->spec->loop_drain != NULL)
        self->service->spec->loop_drain(running.state);
    else
        service_loop_drained(self);
}

static void cut_here(void *arg)
{
    struct service_loop *self = arg;
    loop_stop(self->loop);
}

/* A start and a stop may take a while, a pass may not: `running` says which one is judged. */
static void enter(struct service_loop *self, struct loop *loop, bool is_running)
{
    pthread_mutex_lock(&self->mutex);
    self->loop = loop;
    self->running = is_running;
    self->entered_ms = clock_mono_ms();
    pthread_mutex_unlock(&self->mutex);
}

static void serve(struct service_loop *self, struct loop *loop)
{
    struct timer *beat = timer_new(loop, on_beat, NULL);
    timer_start(beat, 0, BEAT_MS);
    enter(self, loop, true);
    if (atomic_load(&self->service->draining))
        loop_post(loop, drain_here, self); /* the drain's own post may have come before the loop */
    loop_post(self->service->loop, say_runs, self);
    loop_run(loop);
    enter(self, loop, false);
    if (self->service->spec->loop_stop != NULL)
        self->service->spec->loop_stop(running.state);
    timer_free(&beat);
}

static void run_loop(void *arg)
{
    struct service_loop *self = arg;
    const struct service_spec *spec = self->service->spec;
    struct loop *loop = loop_new();
    struct err err;
    bool failed = false;
    enter(self, loop, false);
    running = (struct running){0};
    if (spec->loop_start != NULL && spec->loop_start(self, &running.state, &err) != 0) {
        failed = true;
        log_error("loop.start_failed", LOG_INT("loop", self->index), LOG_ERR(&err));
    } else {
        serve(self, loop);
    }
    enter(self, NULL, false);
    loop_pass(loop);
    loop_free(&loop);
    loop_post(self->service->loop, failed ? say_failed : say_ended, self);
}

/* ---- from the main thread and the admin listener ---- */

static void post_to(struct service_loop *self, void (*fn)(void *arg))
{
    pthread_mutex_lock(&self->mutex);
    if (self->loop != NULL)
        loop_post(self->loop, fn, self);
    pthread_mutex_unlock(&self->mutex);
}

void loops_make(struct service *service)
{
    service->loops = xcalloc((size_t)service->loop_count, sizeof *service->loops);
    for (int i = 0; i < service->loop_count; i++) {
        service->loops[i].service = service;
        service->loops[i].index = i;
        pthread_mutex_init(&service->loops[i].mutex, NULL);
    }
}

void loops_start(struct service *service)
{
    for (int i = 0; i < service->loop_count; i++)
        service->loops[i].thread = thread_start(run_loop, &service->loops[i]);
}

void loops_drain(struct service *service)
{
    for (int i = 0; i < service->loop_count; i++)
        post_to(&service->loops[i], drain_here);
}

void loops_cut(struct service *service)
{
    for (int i = 0; i < service->loop_count; i++)
        post_to(&service->loops[i], cut_here);
}

static bool loop_is_healthy(struct service_loop *self)
{
    int64_t now_ms = clock_mono_ms();
    bool healthy = true;
    pthread_mutex_lock(&self->mutex);
    if (self->loop != NULL) {
        int64_t seen_ms = self->running ? loop_heartbeat_ms(self->loop) : 0;
        if (seen_ms < self->entered_ms)
            seen_ms = self->entered_ms;
        healthy = now_ms - seen_ms <= (self->running ? HEARTBEAT_MAX_MS : START_MAX_MS);
    }
    pthread_mutex_unlock(&self->mutex);
    return healthy;
}

bool loops_healthy(struct service *service)
{
    bool healthy = true;
    for (int i = 0; i < service->loop_count; i++)
        healthy = loop_is_healthy(&service->loops[i]) && healthy;
    return healthy;
}

void loops_join(struct service *service)
{
    for (int i = 0; i < service->loop_count; i++)
        thread_join(&service->loops[i].thread);
}

void loops_free(struct service *service)
{
    for (int i = 0; i < service->loop_count; i++)
        pthread_mutex_destroy(&service->loops[i].mutex);
    free(service->loops);
    service->loops = NULL;
}
