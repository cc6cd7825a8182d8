/* From the HTTP server's threads to the loop. A mutex guards the pointer to the loop, so that
 * nobody posts to one that is gone. Called by voice.c and voice_step.c. */
#include "news.h"

#include "base/clock.h"
#include "base/mem.h"
#include "calls.h"

#include <pthread.h>
#include <stdlib.h>

static pthread_mutex_t mutex = PTHREAD_MUTEX_INITIALIZER; /* guards ingress->loop */

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
    arena_free(&freed->arena);
    free(freed);
}

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

static void arrive(void *arg)
{
    struct news *news = arg;
    if (news->ingress->calls != NULL)
        calls_hear(news->ingress->calls, news);
    news_free(&news);
}

bool news_send(struct news **news)
{
    struct news *sent = *news;
    *news = NULL;
    pthread_mutex_lock(&mutex);
    bool open = sent->ingress->loop != NULL;
    if (open)
        loop_post(sent->ingress->loop, arrive, sent);
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
}
