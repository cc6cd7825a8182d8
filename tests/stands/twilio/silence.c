/* Whose turn it is, and what was not heard in ours. Called by ear.c. */
#include "stands/twilio/silence.h"

void silence_begin(struct silence *silence, double now_ms)
{
    if (silence->ours && !(silence->closed && silence->heard))
        return; /* it is ours since longer */
    silence->ours = true;
    silence->heard = silence->closed = false;
    silence->since_ms = now_ms;
}

static double quiet_since(const struct silence *silence)
{
    return silence->until_ms > silence->since_ms ? silence->until_ms : silence->since_ms;
}

bool silence_sound(struct silence *silence, double from_ms, struct quiet *quiet)
{
    double since = quiet_since(silence);
    bool done = silence->closed && silence->heard;
    *quiet = (struct quiet){.from_ms = since, .until_ms = from_ms, .gap = done};
    silence->heard = true;
    return silence->ours && from_ms > since;
}

void silence_open(struct silence *silence)
{
    silence->closed = false;
}

void silence_until(struct silence *silence, double until_ms)
{
    silence->until_ms = until_ms;
}

void silence_close(struct silence *silence, bool filler)
{
    silence->closed = !filler;
}

bool silence_done(const struct silence *silence, double now_ms)
{
    return silence->closed && silence->heard && silence->until_ms <= now_ms;
}

bool silence_end(struct silence *silence, double now_ms, struct quiet *quiet)
{
    double since = quiet_since(silence);
    bool ours = silence->ours && !(silence->closed && silence->heard);
    silence->ours = false;
    *quiet = (struct quiet){.from_ms = since, .until_ms = now_ms};
    return ours && now_ms > since;
}

void silence_count(struct silence *silence, const struct quiet *quiet, double ms)
{
    double *max = quiet->gap ? &silence->gap_max_ms : &silence->max_ms;
    silence->count++;
    if (ms > *max)
        *max = ms;
}
