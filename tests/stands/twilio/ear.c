/*
 * The ear of a leg. A stretch of sound is recorded when it is over, the silence before it when it
 * begins, both with exact times from the speaking clock and not with those of a late timer. Called
 * by verbs, relay and caller.
 */
#include "stands/twilio/ear.h"

#include <string.h>

#include "stands/twilio/calls.h"
#include "stands/twilio/events.h"
#include "stands/twilio/verbs.h"

static void record_silence(struct call *call, const struct quiet *quiet, const char *until)
{
    struct calls *calls = call->twilio->calls;
    double stalled_ms = stalls_within(&calls->stalls, quiet->from_ms, quiet->until_ms);
    double ms = quiet->until_ms - quiet->from_ms - stalled_ms;
    struct event event;
    silence_count(&call->silence, quiet, ms);
    event_start(&event, call, quiet->gap ? "gap" : "silence");
    event_number(&event, "ms", ms);
    event_number(&event, "from", quiet->from_ms);
    event_number(&event, "until", quiet->until_ms);
    event_number(&event, "stalled_ms", stalled_ms);
    event_text(&event, "ended_by", until);
    event_end(&event);
}

/* Records the stretch that was heard, if it is over. */
static void record_stretch(struct call *call, double now_ms)
{
    double from_ms, until_ms;
    struct stand_buf text;
    if (call->sounding_from_ms == 0 || audible_until(&call->audible) > now_ms)
        return;
    call->sounding_from_ms = 0;
    stand_buf_init(&text, AUDIBLE_TEXT_MAX);
    if (audible_stretch(&call->audible, audible_until(&call->audible), &from_ms, &until_ms,
                        &text) == 0) {
        struct event event;
        event_start(&event, call, "audible");
        event_number(&event, "from", from_ms);
        event_number(&event, "until", until_ms);
        event_bytes(&event, "text", text.data ? text.data : "", text.len);
        event_end(&event);
    }
    stand_buf_fini(&text);
}

static void on_quiet(uv_timer_t *timer);

static void arm(struct call *call, double now_ms)
{
    double wait_ms = audible_until(&call->audible) - now_ms;
    uint64_t whole_ms = wait_ms > 0 ? (uint64_t)wait_ms + 1 : 0;
    uv_update_time(call->twilio->calls->loop);
    uv_timer_start(&call->ear_timer, on_quiet, whole_ms, 0);
}

static void on_quiet(uv_timer_t *timer)
{
    struct call *call = timer->data;
    double now_ms = calls_now(call->twilio->calls);
    if (audible_until(&call->audible) > now_ms) {
        arm(call, now_ms);
        return;
    }
    record_stretch(call, now_ms);
    audible_forget(&call->audible, now_ms);
    if (call->verb && call->verb->quiet)
        call->verb->quiet(call);
    call_changed(call);
}

static void added(struct call *call, double now_ms, double from_ms, bool pause)
{
    struct quiet quiet;
    if (pause) {
        if (silence_sound(&call->silence, from_ms, &quiet))
            record_silence(call, &quiet, "sound");
        call->sounding_from_ms = from_ms;
    }
    silence_open(&call->silence);
    if (audible_until(&call->audible) > 0)
        silence_until(&call->silence, audible_until(&call->audible));
    if (call->audible.overflow) {
        call->audible.overflow = false;
        event_error(call, 0, "more was given to be spoken than the stand keeps");
    }
    arm(call, now_ms);
}

void ear_say(struct call *call, const char *text, size_t len)
{
    bool pause = false;
    double now_ms = calls_now(call->twilio->calls);
    record_stretch(call, now_ms);
    double from_ms = audible_say(&call->audible, now_ms, text, len, &pause);
    added(call, now_ms, from_ms, pause);
}

void ear_sound(struct call *call, double ms)
{
    bool pause = false;
    double now_ms = calls_now(call->twilio->calls);
    record_stretch(call, now_ms);
    double from_ms = audible_sound(&call->audible, now_ms, ms, &pause);
    added(call, now_ms, from_ms, pause);
}

/* Also one that is said into the middle of an answer, and closes what was begun of it. */
static bool is_filler(const struct call *call)
{
    struct stand_buf text;
    bool found = false;
    const cJSON *item;
    stand_buf_init(&text, AUDIBLE_TEXT_MAX);
    audible_cycle(&call->audible, &text);
    cJSON_ArrayForEach(item, call->fillers)
    {
        size_t len = cJSON_IsString(item) ? strlen(item->valuestring) : 0;
        if (len && text.data && text.len >= len &&
            strcmp(text.data + text.len - len, item->valuestring) == 0 &&
            (text.len == len || text.data[text.len - len - 1] == ' '))
            found = true;
    }
    stand_buf_fini(&text);
    return found;
}

void ear_close(struct call *call, bool reply)
{
    double now_ms = calls_now(call->twilio->calls);
    if (reply)
        silence_close(&call->silence, is_filler(call));
    audible_close(&call->audible);
    record_stretch(call, now_ms);
    audible_forget(&call->audible, now_ms);
}

void ear_drop(struct call *call)
{
    double now_ms = calls_now(call->twilio->calls);
    audible_drop(&call->audible, now_ms);
    if (call->silence.until_ms > now_ms)
        silence_until(&call->silence, now_ms);
    record_stretch(call, now_ms);
    call->sounding_from_ms = 0;
    audible_forget(&call->audible, now_ms);
    uv_timer_stop(&call->ear_timer);
}

void ear_turn(struct call *call)
{
    silence_begin(&call->silence, calls_now(call->twilio->calls));
}

void ear_turn_over(struct call *call)
{
    struct quiet quiet;
    if (silence_end(&call->silence, calls_now(call->twilio->calls), &quiet))
        record_silence(call, &quiet, "turn over");
}

bool ear_busy(const struct call *call)
{
    return audible_until(&call->audible) > calls_now(call->twilio->calls);
}

bool ear_done(const struct call *call)
{
    return silence_done(&call->silence, calls_now(call->twilio->calls));
}
