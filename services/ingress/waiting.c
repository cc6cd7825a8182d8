/* Who waits stands in a short list, under one mutex; the loop thread puts a copy of the answer
 * there and wakes whom it is for. Called by step_turn.c (server threads), stream.c and calls.c (the
 * loop). */
#include "waiting.h"

#include "base/clock.h"
#include "base/mem.h"

#include <pthread.h>
#include <stdlib.h>
#include <string.h>
#include <sys/queue.h>
#include <time.h>

/* The answer, copied. */
struct answer {
    struct voice_frame frame;
    char *text, *lang, *handoff;
};

struct waiter {
    struct waiting *waiting;
    TAILQ_ENTRY(waiter) link;
    struct waiting_for wanted;
    pthread_cond_t woken;
    int64_t epoch; /* the least that counts */
    bool answered, failed;
    struct answer answer;
};
TAILQ_HEAD(waiters, waiter);

struct waiting {
    pthread_mutex_t mutex;
    struct waiters waiters;
    size_t count, most;
};

struct waiting *waiting_new(size_t most)
{
    struct waiting *waiting = xcalloc(1, sizeof *waiting);
    pthread_mutex_init(&waiting->mutex, NULL);
    TAILQ_INIT(&waiting->waiters);
    waiting->most = most;
    return waiting;
}

void waiting_free(struct waiting **waiting)
{
    if (*waiting == NULL)
        return;
    pthread_mutex_destroy(&(*waiting)->mutex);
    free(*waiting);
    *waiting = NULL;
}

/* ---- who waits ---- */

static void free_answer(struct answer *answer)
{
    free(answer->text);
    free(answer->lang);
    free(answer->handoff);
    *answer = (struct answer){.text = NULL};
}

struct waiter *waiting_begin(struct waiting *waiting, const struct waiting_for *wanted)
{
    struct waiter *waiter = NULL;
    pthread_condattr_t attributes;
    pthread_mutex_lock(&waiting->mutex);
    if (waiting->count < waiting->most) {
        waiter = xcalloc(1, sizeof *waiter);
        waiter->waiting = waiting;
        waiter->wanted = *wanted;
        pthread_condattr_init(&attributes);
        pthread_condattr_setclock(&attributes, CLOCK_MONOTONIC);
        pthread_cond_init(&waiter->woken, &attributes);
        pthread_condattr_destroy(&attributes);
        TAILQ_INSERT_TAIL(&waiting->waiters, waiter, link);
        waiting->count++;
    }
    pthread_mutex_unlock(&waiting->mutex);
    return waiter;
}

static void leave(struct waiter *waiter, int64_t until_ms)
{
    struct waiting *waiting = waiter->waiting;
    const struct timespec until = {.tv_sec = until_ms / 1000, .tv_nsec = until_ms % 1000 * 1000000};
    int late = until_ms > clock_mono_ms() ? 0 : -1;
    pthread_mutex_lock(&waiting->mutex);
    while (!waiter->answered && !waiter->failed && late == 0)
        late = pthread_cond_timedwait(&waiter->woken, &waiting->mutex, &until);
    TAILQ_REMOVE(&waiting->waiters, waiter, link);
    waiting->count--;
    pthread_mutex_unlock(&waiting->mutex);
}

static void take_answer(const struct answer *answer, struct arena *arena, struct voice_frame *frame)
{
    *frame = answer->frame;
    frame->text = arena_strdup(arena, answer->text);
    frame->lang = arena_strdup(arena, answer->lang);
    frame->handoff = arena_strdup(arena, answer->handoff);
}

enum waiting_outcome waiting_end(struct waiter **waiter, int64_t until_ms, struct arena *arena,
                                 struct voice_frame *frame)
{
    struct waiter *left = *waiter;
    *waiter = NULL;
    leave(left, until_ms);
    enum waiting_outcome outcome = left->answered ? WAITING_ANSWERED
                                   : left->failed ? WAITING_FAILED
                                                  : WAITING_LATE;
    if (left->answered)
        take_answer(&left->answer, arena, frame);
    pthread_cond_destroy(&left->woken);
    free_answer(&left->answer);
    free(left);
    return outcome;
}

/* ---- who is waited for ---- */

static bool is_in_call(const struct waiter *waiter, const char *tenant, const char *call_sid)
{
    return strcmp(waiter->wanted.call_sid, call_sid) == 0 &&
           (tenant == NULL || strcmp(waiter->wanted.tenant, tenant) == 0);
}

static void put_answer(struct waiter *waiter, const struct voice_frame *frame)
{
    waiter->answered = true;
    waiter->answer = (struct answer){.frame = {.turn = frame->turn,
                                               .turn_number = frame->turn_number,
                                               .epoch = frame->epoch,
                                               .fence = frame->fence,
                                               .seq = frame->seq,
                                               .kind = frame->kind,
                                               .step = frame->step,
                                               .keys = ""},
                                     .text = xstrdup(frame->text),
                                     .lang = xstrdup(frame->lang),
                                     .handoff = xstrdup(frame->handoff)};
    pthread_cond_signal(&waiter->woken);
}

/* A person took over: what has not been given to Twilio yet is not said any more. */
static void raise_epoch(struct waiter *waiter, int64_t epoch)
{
    if (epoch <= waiter->epoch)
        return;
    waiter->epoch = epoch;
    if (waiter->answered && waiter->answer.frame.epoch < epoch) {
        waiter->answered = false;
        free_answer(&waiter->answer);
    }
}

/* The first answer of an epoch that counts is the answer: it was committed before it left. */
static bool take_frame(struct waiter *waiter, const struct voice_frame *frame)
{
    raise_epoch(waiter, frame->epoch);
    if (frame->kind == VOICE_FRAME_STOP)
        return true;
    if (frame->kind != VOICE_FRAME_STEP || frame->step != waiter->wanted.step)
        return false;
    if (!waiter->answered && frame->epoch >= waiter->epoch)
        put_answer(waiter, frame);
    return true;
}

bool waiting_frame(struct waiting *waiting, const struct voice_frame *frame)
{
    struct waiter *waiter;
    bool taken = false;
    pthread_mutex_lock(&waiting->mutex);
    TAILQ_FOREACH(waiter, &waiting->waiters, link)
    {
        if (is_in_call(waiter, frame->event.tenant, frame->call_sid))
            taken |= take_frame(waiter, frame);
    }
    pthread_mutex_unlock(&waiting->mutex);
    return taken;
}

void waiting_fail(struct waiting *waiting, const char *call_sid)
{
    struct waiter *waiter;
    pthread_mutex_lock(&waiting->mutex);
    TAILQ_FOREACH(waiter, &waiting->waiters, link)
    {
        if (!is_in_call(waiter, NULL, call_sid))
            continue;
        waiter->failed = true;
        pthread_cond_signal(&waiter->woken);
    }
    pthread_mutex_unlock(&waiting->mutex);
}
