/*
 * The store of calls and the clock that everything about them is measured by. Called by twilio.c
 * and whoever looks for a call.
 */
#include "stands/twilio/calls.h"

#include <stdlib.h>
#include <string.h>
#include <time.h>

#include "stands/twilio/callees.h"
#include "stands/twilio/outbound.h"
#include "stands/twilio/recordings.h"

enum { EVENTS_MAX = 8000000 };

double calls_now(struct calls *calls)
{
    static double offset_ms;
    double monotonic_ms = (double)uv_hrtime() / 1e6;
    if (offset_ms == 0) {
        struct timespec now;
        clock_gettime(CLOCK_REALTIME, &now);
        offset_ms = (double)now.tv_sec * 1e3 + (double)now.tv_nsec / 1e6 - monotonic_ms;
    }
    if (uv_is_active((uv_handle_t *)&calls->ticker))
        stalls_tick(&calls->stalls, offset_ms + monotonic_ms);
    return offset_ms + monotonic_ms;
}

static void on_tick(uv_timer_t *timer)
{
    struct calls *calls = timer->data;
    calls_now(calls);
    if (calls->live == 0)
        uv_timer_stop(timer);
}

struct calls *calls_new(uv_loop_t *loop)
{
    struct calls *calls = stand_alloc(sizeof *calls);
    calls->loop = loop;
    calls->events = stand_ledger_new(EVENTS_MAX);
    calls->recordings = recordings_new();
    calls->callees = callees_new();
    calls->queue = outbound_queue_new(loop);
    uv_timer_init(loop, &calls->ticker);
    calls->ticker.data = calls;
    return calls;
}

static size_t bucket_of(const char *sid)
{
    uint64_t h = 14695981039346656037ULL;
    for (; *sid; sid++)
        h = (h ^ (unsigned char)*sid) * 1099511628211ULL;
    return (h ^ h >> 29) % CALLS_BUCKETS;
}

int calls_add(struct calls *calls, struct call *call)
{
    if (calls->count == CALLS_MAX)
        return -1;
    if (calls->count == calls->cap) {
        calls->cap = calls->cap ? calls->cap * 2 : 64;
        struct call **grown = realloc(calls->list, calls->cap * sizeof(struct call *));
        if (!grown)
            abort();
        calls->list = grown;
    }
    struct call **bucket = &calls->buckets[bucket_of(call->sid)];
    call->next = *bucket;
    *bucket = call;
    calls->list[calls->count++] = call;
    if (++calls->live > calls->live_max)
        calls->live_max = calls->live;
    if (!uv_is_active((uv_handle_t *)&calls->ticker)) {
        calls->stalls.last_ms = 0;
        uv_timer_start(&calls->ticker, on_tick, STALLS_PERIOD_MS, STALLS_PERIOD_MS);
    }
    return 0;
}

struct call *calls_find(const struct calls *calls, const char *sid)
{
    struct call *call = calls->buckets[bucket_of(sid)];
    while (call && strcmp(call->sid, sid) != 0)
        call = call->next;
    return call;
}

void calls_reset(struct calls *calls)
{
    outbound_queue_clear(calls->queue);
    for (size_t i = 0; i < calls->count; i++)
        call_forget(calls->list[i]);
    for (size_t i = 0; i < calls->count; i++)
        call_free(calls->list[i]);
    memset(calls->buckets, 0, sizeof calls->buckets);
    calls->count = calls->live = calls->live_max = 0;
    stand_ledger_reset(calls->events);
    recordings_reset(calls->recordings);
    callees_reset(calls->callees);
}
