/* From the HTTP server's threads to the loop. A mutex guards the pointer to the loop, so that
 * nobody posts to one that is gone. Called by voice.c and voice_step.c. */
#include "news.h"

#include "base/clock.h"
#include "base/mem.h"
#include "calls.h"

#include <pthread.h>
#include <stdlib.h>
#include <time.h>

STAILQ_HEAD(news_list, news);

static pthread_mutex_t mutex = PTHREAD_MUTEX_INITIALIZER; /* guards ingress->loop and: */
static struct news_list under_way = STAILQ_HEAD_INITIALIZER(under_way);

struct news *news_new(struct ingress *ingress, enum news_kind kind)
{
    struct news *news = xcalloc(1, sizeof *news);
    news->ingress = ingress;
    news->kind = kind;
    news->arena = arena_new();
    return news;
}

void news_free(struct news **news)
{
    struct news *freed = *news;
    *news = NULL;
    news_settle(&freed->wait, false);
    arena_free(&freed->arena);
    free(freed);
}

/* ---- who waits ---- */

/* Of a thread that waits and of the loop: the later of the two frees it. */
struct news_wait {
    pthread_mutex_t mutex;
    pthread_cond_t settled_now;
    bool settled, written, left;
};

static struct news_wait *wait_new(void)
{
    struct news_wait *wait = xcalloc(1, sizeof *wait);
    pthread_condattr_t attributes;
    pthread_condattr_init(&attributes);
    pthread_condattr_setclock(&attributes, CLOCK_MONOTONIC);
    pthread_cond_init(&wait->settled_now, &attributes);
    pthread_condattr_destroy(&attributes);
    pthread_mutex_init(&wait->mutex, NULL);
    return wait;
}

static void wait_free(struct news_wait *wait)
{
    pthread_cond_destroy(&wait->settled_now);
    pthread_mutex_destroy(&wait->mutex);
    free(wait);
}

void news_settle(struct news_wait **wait, bool written)
{
    struct news_wait *settled = *wait;
    *wait = NULL;
    if (settled == NULL)
        return;
    pthread_mutex_lock(&settled->mutex);
    settled->settled = true;
    settled->written = written;
    bool last = settled->left;
    pthread_cond_signal(&settled->settled_now);
    pthread_mutex_unlock(&settled->mutex);
    if (last)
        wait_free(settled);
}

static bool wait_for(struct news_wait *wait, int64_t deadline_ms)
{
    int64_t end_us = clock_mono_us() + deadline_ms * 1000;
    struct timespec until = {.tv_sec = end_us / 1000000, .tv_nsec = end_us % 1000000 * 1000};
    int late = 0;
    pthread_mutex_lock(&wait->mutex);
    while (!wait->settled && late == 0)
        late = pthread_cond_timedwait(&wait->settled_now, &wait->mutex, &until);
    bool written = wait->settled && wait->written, last = wait->settled;
    wait->left = true;
    pthread_mutex_unlock(&wait->mutex);
    if (last)
        wait_free(wait);
    return written;
}

bool news_deliver(struct news **news, int64_t deadline_ms)
{
    struct news_wait *wait = wait_new();
    (*news)->wait = wait;
    news_send(news);
    return wait_for(wait, deadline_ms);
}

/* ---- the way to the loop ---- */

struct event news_head(struct news *news, const char *id, const char *account_sid,
                       const char *tenant)
{
    return (struct event){.id = arena_strdup(news->arena, id),
                          .source = arena_printf(news->arena, "twilio/%s", account_sid),
                          .subject = "",
                          .time_ms = clock_wall_ms(),
                          .tenant = arena_strdup(news->arena, tenant),
                          .traceparent = event_traceparent(news->arena, NULL)};
}

/* All that is on its way; a loop that stops may not come to run what was posted to it. */
static void arrive(void *arg)
{
    (void)arg;
    struct news_list come = STAILQ_HEAD_INITIALIZER(come);
    pthread_mutex_lock(&mutex);
    STAILQ_CONCAT(&come, &under_way);
    pthread_mutex_unlock(&mutex);
    struct news *news;
    while ((news = STAILQ_FIRST(&come)) != NULL) {
        STAILQ_REMOVE_HEAD(&come, link);
        if (news->ingress->calls != NULL)
            calls_hear(news->ingress->calls, news);
        news_free(&news);
    }
}

bool news_send(struct news **news)
{
    struct news *sent = *news;
    *news = NULL;
    pthread_mutex_lock(&mutex);
    bool open = sent->ingress->loop != NULL;
    if (open) {
        STAILQ_INSERT_TAIL(&under_way, sent, link);
        loop_post(sent->ingress->loop, arrive, NULL);
    }
    pthread_mutex_unlock(&mutex);
    if (!open)
        news_free(&sent);
    return open;
}

static void set_loop(struct ingress *ingress, struct loop *loop)
{
    pthread_mutex_lock(&mutex);
    ingress->loop = loop;
    pthread_mutex_unlock(&mutex);
}

void news_listen(struct ingress *ingress, struct loop *loop)
{
    set_loop(ingress, loop);
}

void news_deafen(struct ingress *ingress)
{
    set_loop(ingress, NULL);
    arrive(NULL);
}
