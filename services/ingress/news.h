/* What webhooks learn of calls, on its way to the loop that holds them: a call is over, a transfer
 * has ended, a message was left; and all that a call in webhook mode tells. There it is published,
 * through the call itself if this process holds it. */
#ifndef DESK_INGRESS_NEWS_H
#define DESK_INGRESS_NEWS_H

#include "base/arena.h"
#include "contract/voice.h"
#include "ingress.h"

#include <sys/queue.h>

enum news_kind {
    NEWS_ENDED,
    NEWS_DIALLED,
    NEWS_RECORDED,
    NEWS_TRANSCRIBED,
    NEWS_ANSWERED, /* a call that we placed */
    /* Of webhook mode, which nobody holds. */
    NEWS_SETUP,
    NEWS_PROMPT,
    NEWS_HEARD,
};

struct news_wait;

/* One piece of news; texts live in its arena. */
struct news {
    struct ingress *ingress;
    struct arena *arena;
    enum news_kind kind;
    STAILQ_ENTRY(news) link; /* of those that are on their way */
    struct news_wait *wait;  /* somebody waits for its fate; NULL: nobody. news_settle takes it */
    union {
        struct voice_ended ended;
        struct voice_dialled dialled;
        struct voice_recorded recorded;
        struct voice_transcribed transcribed;
        struct voice_answered answered;
        struct voice_setup setup;
        struct voice_prompt prompt;
        struct voice_heard heard;
    };
};

/* Returns owned and empty but for the kind. */
struct news *news_new(struct ingress *ingress, enum news_kind kind);

/* Sets *news to NULL. */
void news_free(struct news **news);

/* The envelope of the event with this id, as of now; texts are copied. */
struct event news_head(struct news *news, const char *id, const char *account_sid,
                       const char *tenant);

/* Hands it over: takes *news and sets it to NULL. False when the loop is not there, before the
 * start and in the last moment of a stop. Any thread. */
bool news_send(struct news **news);

/* The same, and waits for Kafka's word for at most deadline_ms. True: it is written there. False:
 * nobody knows yet; it is told on all the same if it can be. Any thread but the loop's. */
bool news_deliver(struct news **news, int64_t deadline_ms);

/* Tells who waits, if anybody does, what became of it; sets *wait to NULL. Loop thread. */
void news_settle(struct news_wait **wait, bool written);

/* Opens the way to the loop, whose thread calls this, and ends it: what is on its way
 * comes now, and nothing after that. */
void news_listen(struct ingress *ingress, struct loop *loop);
void news_deafen(struct ingress *ingress);

#endif
