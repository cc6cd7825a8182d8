/* The sender as its caller sees it, on the loop: starting, cancelling, results, and the deadlines.
 * libesmtp knows none for name look-ups and connecting, so a mail whose thread hangs is given up
 * here, judged by how far it had come, and the thread finds out when it wakes (smtp_pool.c). The
 * responder has one sender per loop. */
#include "mail/smtp.h"

#include <errno.h>
#include <pthread.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "base/arena.h"
#include "base/clock.h"
#include "base/mem.h"
#include "mail/smtp_inside.h"

#define CONNECT_MS 15000
#define COMMAND_MS 60000
#define DATA_MS    60000
#define DOT_MS     600000
#define BEGIN_MS   120000
#define END_MS     1000 /* so long mail_smtp_free waits for threads */
#define SPARE_MS   2000 /* from the library's own limits to ours */
#define TICK_MS    1000

struct mail_smtp {
    struct loop *loop;
    struct smtp_pool *pool;
    struct watch *watch;
    struct mail_smtp_transfer *first; /* all that have no result yet */
};

/* On the loop: the caller's word counts if the thread still waits for it. */
static void ask_caller(struct mail_smtp_transfer *job)
{
    struct smtp_pool *pool = job->pool;
    pthread_mutex_lock(&pool->lock);
    bool waits = job->phase == SMTP_ASKING && !job->given_up && !job->refused;
    pthread_mutex_unlock(&pool->lock);
    bool yes = waits && (job->may_send == NULL || job->may_send(job->arg));
    pthread_mutex_lock(&pool->lock);
    if (yes && !job->given_up && !job->refused)
        smtp_set_phase(job, SMTP_BEGUN);
    else
        job->refused = true;
    pthread_cond_broadcast(&pool->answered);
    pthread_mutex_unlock(&pool->lock);
    smtp_release(job);
}

/* ---- results ---- */

static void take_out(struct mail_smtp_transfer *job)
{
    timer_free(&job->timer);
    if (job->prev != NULL)
        job->prev->next = job->next;
    else
        job->owner->first = job->next;
    if (job->next != NULL)
        job->next->prev = job->prev;
    job->owner = NULL;
}

/* Hands the result over and lets go of the loop's share. */
static void finish(struct mail_smtp_transfer *job, struct mail_smtp_result *result)
{
    take_out(job);
    result->total_us = clock_mono_us() - job->started_us;
    job->on_done(job->arg, result);
    smtp_release(job);
}

/* The thread is through with it. */
static void session_over(struct mail_smtp_transfer *job)
{
    if (job->owner != NULL) {
        struct mail_smtp_result result;
        smtp_judge(job->arena, &job->dialogue, job->error, job->to_count, job->began, job->ended,
                   &result);
        finish(job, &result);
    }
    smtp_release(job);
}

/* Judges a mail whose thread still has it: only what is guarded may be looked at. */
static void judge_from_outside(struct mail_smtp_transfer *job, bool queued, enum smtp_stage stage)
{
    struct smtp_dialogue seen;
    struct mail_smtp_result result;
    struct arena *arena = arena_new();
    smtp_dialogue_init(&seen);
    seen.last = stage;
    smtp_judge(arena, &seen, queued ? "smtp.busy" : "smtp.timeout", job->to_count, job->began,
               job->ended, &result);
    finish(job, &result);
    arena_free(&arena);
}

/* When a mail is given up: each phase has its limit. With the lock held. */
static int64_t ends_ms(const struct mail_smtp_transfer *job)
{
    const struct mail_smtp_limits *limits = &job->limits;
    if (job->ended)
        return job->phase_ms + limits->dot_ms + SPARE_MS;
    if (job->began)
        return job->phase_ms + 2 * limits->data_ms;
    int64_t begin_ms = job->started_us / 1000 + limits->begin_ms;
    int64_t connect_ms = job->phase_ms + limits->connect_ms + SPARE_MS;
    bool connects = job->phase == SMTP_RUNNING && job->stage == SMTP_CONNECT;
    return connects && connect_ms < begin_ms ? connect_ms : begin_ms;
}

static void on_late(void *arg)
{
    struct mail_smtp_transfer *job = arg;
    struct smtp_pool *pool = job->pool;
    pthread_mutex_lock(&pool->lock);
    bool done = job->phase == SMTP_DONE, queued = job->phase == SMTP_QUEUED;
    enum smtp_stage stage = job->stage;
    int64_t left_ms = ends_ms(job) - clock_mono_ms();
    if (!done && left_ms <= 0) {
        smtp_give_up(job);
        smtp_pool_start_threads(pool);
    }
    pthread_mutex_unlock(&pool->lock);
    if (done)
        return; /* its result is on the way */
    if (left_ms <= 0)
        judge_from_outside(job, queued, stage);
    else /* a shorter limit may begin meanwhile */
        timer_start(job->timer, left_ms < TICK_MS ? left_ms : TICK_MS, 0);
}

/* ---- the sender ---- */

static int64_t limit(int64_t value_ms, int64_t otherwise_ms)
{
    return value_ms > 0 ? value_ms : otherwise_ms;
}

/* The lists as they are now; what they hold is a share of each mail. */
static void take_lists(struct smtp_pool *pool, struct mail_smtp_transfer **asking,
                       struct mail_smtp_transfer **over)
{
    pthread_mutex_lock(&pool->lock);
    *asking = pool->asking;
    *over = pool->over;
    pool->asking = pool->over = NULL;
    pthread_mutex_unlock(&pool->lock);
}

static void on_told(void *arg, int events)
{
    struct mail_smtp *self = arg;
    struct mail_smtp_transfer *asking, *over, *next;
    uint64_t count;
    (void)events;
    if (read(self->pool->event_fd, &count, sizeof count) != sizeof count)
        return;
    take_lists(self->pool, &asking, &over);
    for (; asking != NULL; asking = next) {
        next = asking->asking;
        ask_caller(asking);
    }
    for (; over != NULL; over = next) {
        next = over->over;
        session_over(over);
    }
}

int mail_smtp_new(const struct mail_smtp_options *options, struct mail_smtp **smtp, struct err *err)
{
    struct smtp_pool *pool;
    if (smtp_pool_new(options, &pool, err) != 0)
        return -1;
    struct mail_smtp *self = xcalloc(1, sizeof *self);
    self->loop = options->loop;
    self->pool = pool;
    self->watch = watch_new(options->loop, pool->event_fd, on_told, self);
    watch_set(self->watch, WATCH_READ);
    *smtp = self;
    return 0;
}

static void copy_call(struct mail_smtp_transfer *job, const struct mail_smtp_call *call)
{
    struct arena *arena = job->arena;
    job->account = *call->account;
    if (call->secret != NULL)
        job->secret = secret_new(secret_reveal(call->secret), secret_length(call->secret));
    job->from = arena_strdup(arena, call->from);
    job->envelope_id = arena_strdup(arena, call->envelope_id);
    job->message = arena_strndup(arena, call->message, call->length);
    job->length = call->length;
    job->to_count = call->to_count;
    job->to = arena_alloc(arena, (call->to_count + 1) * sizeof *job->to);
    for (size_t i = 0; i < call->to_count; i++)
        job->to[i] = arena_strdup(arena, call->to[i]);
    job->limits = (struct mail_smtp_limits){
        .connect_ms = limit(call->limits.connect_ms, CONNECT_MS),
        .command_ms = limit(call->limits.command_ms, COMMAND_MS),
        .data_ms = limit(call->limits.data_ms, DATA_MS),
        .dot_ms = limit(call->limits.dot_ms, DOT_MS),
        .begin_ms = limit(call->limits.begin_ms, BEGIN_MS),
    };
    job->may_send = call->may_send;
    job->on_done = call->on_done;
    job->arg = call->arg;
}

/* What cannot be sent is told from the loop's next pass. */
static void refuse_unsent(void *arg)
{
    struct mail_smtp_transfer *job = arg;
    struct smtp_dialogue nothing;
    struct mail_smtp_result result;
    smtp_dialogue_init(&nothing);
    smtp_judge(job->arena, &nothing, job->error, 0, false, false, &result);
    finish(job, &result);
}

struct mail_smtp_transfer *mail_smtp_start(struct mail_smtp *smtp,
                                           const struct mail_smtp_call *call)
{
    struct smtp_pool *pool = smtp->pool;
    struct mail_smtp_transfer *job = xcalloc(1, sizeof *job);
    job->pool = pool;
    job->arena = arena_new();
    job->owner = smtp;
    job->owners = 1;
    job->phase_ms = clock_mono_ms();
    job->started_us = clock_mono_us();
    job->next = smtp->first;
    if (job->next != NULL)
        job->next->prev = job;
    smtp->first = job;
    pthread_mutex_lock(&pool->lock);
    pool->owners++;
    pthread_mutex_unlock(&pool->lock);
    struct err err;
    if (mail_smtp_check(call, &err) != 0) {
        job->error = "smtp.message";
        job->on_done = call->on_done;
        job->arg = call->arg;
        job->timer = timer_new(smtp->loop, refuse_unsent, job);
        timer_start(job->timer, 0, 0);
        return job;
    }
    copy_call(job, call);
    job->timer = timer_new(smtp->loop, on_late, job);
    timer_start(job->timer, TICK_MS, 0);
    pthread_mutex_lock(&pool->lock);
    job->owners++;
    smtp_line_add(job);
    smtp_pool_start_threads(pool);
    pthread_cond_signal(&pool->work);
    pthread_mutex_unlock(&pool->lock);
    return job;
}

void mail_smtp_cancel(struct mail_smtp *smtp, struct mail_smtp_transfer *transfer)
{
    struct smtp_pool *pool = smtp->pool;
    pthread_mutex_lock(&pool->lock);
    if (transfer->phase != SMTP_DONE)
        smtp_give_up(transfer);
    pthread_mutex_unlock(&pool->lock);
    take_out(transfer);
    smtp_release(transfer);
}

static void release_lists(struct smtp_pool *pool)
{
    struct mail_smtp_transfer *asking, *over, *next;
    take_lists(pool, &asking, &over);
    for (; asking != NULL; asking = next) {
        next = asking->asking;
        smtp_release(asking);
    }
    for (; over != NULL; over = next) {
        next = over->over;
        smtp_release(over);
    }
}

void mail_smtp_free(struct mail_smtp **smtp)
{
    if (*smtp == NULL)
        return;
    struct smtp_pool *pool = (*smtp)->pool;
    struct timespec until;
    while ((*smtp)->first != NULL)
        mail_smtp_cancel(*smtp, (*smtp)->first);
    pthread_mutex_lock(&pool->lock);
    pool->closed = true;
    pthread_cond_broadcast(&pool->work);
    smtp_pool_after_ms(&until, END_MS);
    while (pool->live > 0 && pthread_cond_timedwait(&pool->ended, &pool->lock, &until) != ETIMEDOUT)
        ;
    pthread_mutex_unlock(&pool->lock);
    release_lists(pool);
    watch_free(&(*smtp)->watch);
    pthread_mutex_lock(&pool->lock);
    smtp_pool_leave(pool);
    free(*smtp);
    *smtp = NULL;
}
