/* All calls of a Twilio stand-in, what happened in them, and its clock. */
#ifndef STANDS_TWILIO_CALLS_H
#define STANDS_TWILIO_CALLS_H

#include "stands/twilio/call.h"
#include "stands/twilio/stalls.h"

enum { CALLS_MAX = 200000, CALLS_BUCKETS = 4096 };

struct recordings;
struct callees;
struct queue;

struct calls {
    struct call **list; /* in order of creation */
    size_t count, cap;
    struct call *buckets[CALLS_BUCKETS];
    struct stand_ledger *events;
    struct stalls stalls;
    struct recordings *recordings;
    struct callees *callees;
    struct queue *queue; /* outbound calls that wait to be dialled */
    uv_timer_t ticker;
    uv_loop_t *loop;
    size_t live, live_max; /* calls that are not over */
};

/* The store of a stand-in on its loop; its ticker runs while a call lives. Owned; lives as long as
 * it. */
struct calls *calls_new(uv_loop_t *loop);

/* Adds a leg. Returns 0, or -1 when the store is full. */
int calls_add(struct calls *calls, struct call *call);

/* The call of a sid, or NULL. */
struct call *calls_find(const struct calls *calls, const char *sid);

/* Ends and forgets all calls. */
void calls_reset(struct calls *calls);

/* Milliseconds: the epoch's at the start, monotonic since. While a call lives a look at it is
 * a tick of the stalls. */
double calls_now(struct calls *calls);

#endif
