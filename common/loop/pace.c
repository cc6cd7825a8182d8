/* One batch behind the other. */
#include "loop/pace.h"

#include <stdint.h>
#include <stdlib.h>

#include "base/clock.h"
#include "base/mem.h"

#define IN_FLIGHT_MAX 2

struct pace {
    struct timer *timer;
    int in_flight;
    int64_t sent_us; /* the one that went last */
};

struct pace *pace_new(struct loop *loop, void (*again)(void *arg), void *arg)
{
    struct pace *self = xcalloc(1, sizeof *self);
    self->timer = timer_new(loop, again, arg);
    return self;
}

void pace_free(struct pace **pace)
{
    if (*pace == NULL)
        return;
    timer_free(&(*pace)->timer);
    free(*pace);
    *pace = NULL;
}

bool pace_allows(struct pace *pace, bool urgent)
{
    if (pace->in_flight == IN_FLIGHT_MAX)
        return false;
    const int64_t wait_us = pace->sent_us + PACE_LONG_MS * 1000 - clock_mono_us();
    if (pace->in_flight == 0 || urgent || wait_us <= 0)
        return true;
    if (!timer_is_active(pace->timer))
        timer_start(pace->timer, (wait_us + 999) / 1000, 0);
    return false;
}

void pace_sent(struct pace *pace)
{
    pace->in_flight++;
    pace->sent_us = clock_mono_us();
}

void pace_over(struct pace *pace)
{
    pace->in_flight--;
    timer_stop(pace->timer);
}

int pace_in_flight(const struct pace *pace)
{
    return pace->in_flight;
}
