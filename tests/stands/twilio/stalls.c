/*
 * Stalls of the loop, kept in a ring. Called by a repeating timer and before each measurement
 * (calls.c), and by ear.c.
 */
#include "stands/twilio/stalls.h"

void stalls_tick(struct stalls *stalls, double now_ms)
{
    double due_ms = stalls->last_ms + STALLS_PERIOD_MS;
    double late_ms = now_ms - due_ms;
    if (stalls->last_ms > 0 && late_ms > STALLS_LEAST_MS) {
        stalls->kept[stalls->count++ % STALLS_KEPT] = (struct stall){due_ms, now_ms};
        stalls->total_ms += late_ms;
        if (late_ms > stalls->longest_ms)
            stalls->longest_ms = late_ms;
    }
    stalls->last_ms = now_ms;
}

double stalls_within(const struct stalls *stalls, double from_ms, double until_ms)
{
    uint64_t kept = stalls->count < STALLS_KEPT ? stalls->count : STALLS_KEPT;
    double sum_ms = 0;
    for (uint64_t i = 0; i < kept; i++) {
        const struct stall *stall = &stalls->kept[(stalls->count - 1 - i) % STALLS_KEPT];
        if (stall->until_ms <= from_ms)
            break;
        double from = stall->from_ms > from_ms ? stall->from_ms : from_ms;
        double until = stall->until_ms < until_ms ? stall->until_ms : until_ms;
        if (until > from)
            sum_ms += until - from;
    }
    return sum_ms;
}
