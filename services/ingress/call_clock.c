/* The clock of a call: what is due, and when. The caller's loop asks call_due after each event and
 * comes back with call_tick. */
#include "call_inside.h"

/* Until when the caller speaks. That he does is told by frames that nobody promises: one that he
 * ceased may be lost. */
static int64_t spoken_until(const struct call *call)
{
    return call->voice_ms + (call->speaking ? CALL_SPEECH_MS : 0);
}

int64_t call_ceased(const struct call *call, int64_t now_ms)
{
    bool told = !call->speaking && call->voice_ms > 0 && now_ms - call->voice_ms <= CALL_PAUSE_MS;
    return told ? call->voice_ms : now_ms;
}

static int64_t keys_due(const struct call *call)
{
    return call->key_count > 0 ? call->keys_ms + CALL_KEYS_MS : -1;
}

static int64_t earlier(int64_t a, int64_t b)
{
    return a < 0 || (b >= 0 && b < a) ? b : a;
}

/* Until when words of one who began to speak may come before an `end`. After 12 s it is noise for
 * all we know, or nobody tells that he ceased: then a shorter pause is the end of it. */
static int64_t heard_out(const struct call *call)
{
    const int64_t patience_ms = call->wait_ms + CALL_FALLBACK_MS;
    if (call->speaking)
        return call->voice_ms + CALL_FALLBACK_MS;
    return call_later(call->voice_ms + CALL_BREATH_MS,
                      earlier(call->voice_ms + CALL_PAUSE_MS, patience_ms));
}

/* When an `end` may leave: all before it has sounded, and whoever began to speak has come to his
 * words. Where they are a prompt already, nothing more is waited for: that he ceased may be told
 * late, or not at all. */
static int64_t may_leave(const struct call *call)
{
    int64_t at_ms = call->speech.audible_ms;
    const int64_t most_ms = call_later(call->wait_ms + CALL_SPEECH_MS, at_ms);
    if (call->began_ms > call->words_ms)
        at_ms = call_later(at_ms, heard_out(call));
    return call_later(earlier(at_ms, most_ms), keys_due(call));
}

/* When he who is waited for before an `end` hears a filler: he may have ceased when he was heard
 * last. Not before all has sounded with the usual voice: most calls leave then. */
static int64_t fill_leaving(const struct call *call, int64_t silent_ms)
{
    const int64_t heard_ms = call_later(silent_ms, call->voice_ms);
    return call_later(heard_ms + CALL_FILLER_MS, call->speech.audible_ms);
}

/* When the state's own clock strikes, and as what; -1: never. That a caller is not left in silence
 * is reckoned with the fastest voice, all else with the usual one: words that are cut off are worse
 * than a filler that comes a moment early. */
static int64_t strike(const struct call *call, int64_t now_ms, enum call_event *event)
{
    int64_t quiet_ms = call_later(call->quiet_ms, call->speech.audible_ms);
    int64_t silent_ms = call_later(call->quiet_ms, call->speech.fast_ms);
    int64_t give_up_ms = call->wait_ms + CALL_FALLBACK_MS;
    int64_t leave_ms = may_leave(call), fill_ms = fill_leaving(call, silent_ms);
    switch (call->state) {
    case CALL_WAITING:
        *event = call->draining ? ON_DRAINED : ON_LINGER;
        return call->state_ms + (call->draining ? CALL_MOVED_MS : CALL_LINGER_MS);
    case CALL_LISTENING:
        quiet_ms = call_later(quiet_ms, spoken_until(call));
        *event = ON_DRAINED;
        if (call->draining && call->key_count == 0)
            return quiet_ms + CALL_PAUSE_MS;
        *event = call->asked_again ? ON_SILENT_AGAIN : ON_SILENT;
        return call->words->silence_ms > 0 ? quiet_ms + call->words->silence_ms : -1;
    case CALL_ASKED:
    case CALL_STALLED:
        *event = ON_GIVE_UP;
        if (give_up_ms <= now_ms || give_up_ms <= silent_ms + CALL_FILLER_MS)
            return give_up_ms;
        *event = ON_QUIET;
        return silent_ms + CALL_FILLER_MS;
    case CALL_SPEAKING:
        *event = ON_STALL;
        return call->frame_ms + CALL_STALL_MS;
    case CALL_LEAVING:
        *event = ON_SPOKEN;
        if (leave_ms <= now_ms || leave_ms <= fill_ms)
            return leave_ms;
        *event = ON_QUIET;
        return fill_ms;
    case CALL_OVER:
        *event = ON_SPOKEN;
        return call->speech.audible_ms;
    case CALL_PARTED:
        *event = ON_LINGER;
        return call->state_ms + CALL_PART_MS;
    case CALL_GONE:
    case CALL_STATES:
        break;
    }
    return -1;
}

static int64_t missing_due(const struct call *call)
{
    return call->turn.missing_ms >= 0 ? call->turn.missing_ms + CALL_STALL_MS : -1;
}

int64_t call_due(const struct call *call)
{
    enum call_event event;
    if (call->state == CALL_GONE)
        return -1;
    return earlier(strike(call, INT64_MIN, &event), earlier(keys_due(call), missing_due(call)));
}

/* One thing that is due; false if nothing is. */
static bool tick_once(struct call *call, const struct call_input *in)
{
    enum call_event event;
    if (keys_due(call) >= 0 && keys_due(call) <= in->now_ms) {
        call_end_keys(call, in);
        return true;
    }
    if (missing_due(call) >= 0 && missing_due(call) <= in->now_ms) {
        call_give_up_missing(call, in);
        return true;
    }
    int64_t at_ms = strike(call, in->now_ms, &event);
    if (at_ms < 0 || at_ms > in->now_ms)
        return false;
    call_fire(call, event, in);
    return true;
}

void call_tick(struct call *call, int64_t now_ms, struct call_acts *acts)
{
    struct call_input in = {.now_ms = now_ms, .acts = acts};
    for (int i = 0; i < 8 && call->state != CALL_GONE && tick_once(call, &in); i++)
        ;
    acts->due_ms = call_due(call);
}
