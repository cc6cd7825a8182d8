/*
 * The stalls of this process itself: times in which its loop did not come to run although it should
 * have. A silence that falls into one says nothing about the server that is tested.
 */
#ifndef STANDS_TWILIO_STALLS_H
#define STANDS_TWILIO_STALLS_H

#include <stddef.h>
#include <stdint.h>

enum { STALLS_KEPT = 4096, STALLS_PERIOD_MS = 5, STALLS_LEAST_MS = 10 };

struct stall {
    double from_ms, until_ms;
};

struct stalls {
    struct stall kept[STALLS_KEPT]; /* the latest */
    uint64_t count;
    double last_ms; /* the tick before; 0: none yet */
    double total_ms, longest_ms;
};

/* A tick, due STALLS_PERIOD_MS after the one before; more than STALLS_LEAST_MS late is a stall.
 * To be called before anything is measured, too. */
void stalls_tick(struct stalls *stalls, double now_ms);

/* How much of [from, until) was stalled, as far as stalls are kept. */
double stalls_within(const struct stalls *stalls, double from_ms, double until_ms);

#endif
