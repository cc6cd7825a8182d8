/*
 * Playing a script: one function per kind of step, each called again until it says that it is done.
 * A step that has to wait names the time of its next look, and every change of the call makes it
 * look as well. Called by calls_control.c, leg.c and call.c.
 */
#include "stands/twilio/caller.h"

#include <stdlib.h>
#include <string.h>

#include "stands/lib/frames.h"
#include "stands/lib/segments.h"
#include "stands/twilio/calls.h"
#include "stands/twilio/ear.h"
#include "stands/twilio/events.h"
#include "stands/twilio/gather.h"
#include "stands/twilio/record.h"
#include "stands/twilio/relay.h"
#include "stands/twilio/script.h"
#include "stands/twilio/speaker.h"

enum { TIMEOUT_MS = 30000, GAP_MS = 100, BLANK_MS = 500, LOOK_MS = 10, BATCH_MAX = 2000 };

enum progress { STEP_DONE, STEP_WAITS };

struct caller {
    uv_timer_t timer;
    struct call *call;
    cJSON *script;
    const cJSON *step; /* in hand; NULL: all are done */
    int number;        /* of the step */
    int phase;
    size_t sent;        /* keys or frames of this step */
    double since_ms;    /* when this phase of the step began */
    double step_ms;     /* when the step began */
    double look_ms;     /* the next look that the step asked for; 0: none */
    struct speech said; /* by this step */
    bool running, again, over;
};

static double now_of(const struct caller *caller)
{
    return calls_now(caller->call->twilio->calls);
}

static enum progress wait_until(struct caller *caller, double ms)
{
    if (caller->look_ms == 0 || ms < caller->look_ms)
        caller->look_ms = ms;
    return STEP_WAITS;
}

/* --- conditions --- */

/* How many characters have to be heard until `words` words were; 0: it is not known yet. */
static size_t chars_of_words(const struct call *call, double now_ms, size_t words)
{
    struct stand_buf text;
    size_t at = 0, found = 0, chars = 0;
    stand_buf_init(&text, AUDIBLE_TEXT_MAX);
    audible_heard(&call->audible, now_ms, &text);
    audible_unheard(&call->audible, now_ms, &text);
    while (at < text.len && found < words) {
        at += strspn(text.data + at, " \n");
        size_t len = strcspn(text.data + at, " \n");
        found += len > 0;
        at += len;
    }
    /* The last word may still grow. */
    if (found == words && (at < text.len || !call->audible.open))
        chars = stand_characters(text.data, at);
    stand_buf_fini(&text);
    return chars;
}

static enum progress wait_audible(struct caller *caller, double chars, double words)
{
    struct call *call = caller->call;
    double now_ms = now_of(caller);
    size_t wanted = (size_t)chars;
    if (words > 0)
        wanted = chars_of_words(call, now_ms, (size_t)words);
    if (words > 0 && wanted == 0)
        return STEP_WAITS;
    if (!ear_busy(call))
        return STEP_WAITS;
    if (chars == 0 && words == 0)
        return audible_on(&call->audible, now_ms) ? STEP_DONE
                                                  : wait_until(caller, now_ms + LOOK_MS);
    if (audible_chars(&call->audible, now_ms) >= wanted)
        return STEP_DONE;
    double when_ms = audible_when(&call->audible, now_ms, wanted);
    return when_ms < 0 ? STEP_WAITS : wait_until(caller, when_ms);
}

static bool holds(const struct call *call, enum script_condition condition, double count)
{
    switch (condition) {
    case SCRIPT_ANSWERED:
        return call->state == CALL_IN_PROGRESS;
    case SCRIPT_RINGING:
        return call->state == CALL_RINGING;
    case SCRIPT_CONNECTING:
        return relay_begun(call);
    case SCRIPT_RELAY:
        return relay_open(call);
    case SCRIPT_FRAMES:
        return (double)relay_frames(call) >= count;
    case SCRIPT_TOKENS:
        return (double)call->tokens >= count;
    case SCRIPT_PROMPTS:
        return (double)call->prompts >= count;
    case SCRIPT_REPLY:
        return ear_done(call) || gather_waits(call) || record_runs(call);
    case SCRIPT_GATHER:
        return gather_waits(call);
    case SCRIPT_RECORD:
        return record_runs(call);
    case SCRIPT_DIAL:
        return call->child && !call_over(call->child);
    case SCRIPT_BRIDGED:
        return call->bridged != NULL;
    case SCRIPT_AUDIBLE:
    case SCRIPT_CONDITIONS:
    default:
        return false;
    }
}

static enum progress do_wait_for(struct caller *caller, const cJSON *value)
{
    enum script_condition condition = script_condition_of(value);
    const cJSON *step = caller->step;
    if (condition == SCRIPT_AUDIBLE)
        return wait_audible(caller, script_number(step, "chars", 0),
                            script_number(step, "words", 0));
    return holds(caller->call, condition, script_number(step, "count", 1)) ? STEP_DONE : STEP_WAITS;
}

/* --- speech and keys --- */

/* The next phase of a step begins. */
static void enter(struct caller *caller, int phase)
{
    caller->phase = phase;
    caller->since_ms = now_of(caller);
}

enum { TO_LISTEN, TO_SPEAK, TO_BE_UNDERSTOOD };

static enum progress do_say(struct caller *caller, const cJSON *value)
{
    struct call *call = caller->call;
    const cJSON *step = caller->step;
    const char *text = value->valuestring;
    double usual_ms = (double)stand_characters(text, strlen(text)) * 1000 / call->settings.rate;
    double ms = script_number(step, "ms", usual_ms);
    if (caller->phase == TO_LISTEN) {
        if (!call_listens(call) && !script_flag(step, "blind", false))
            return STEP_WAITS;
        enter(caller, TO_SPEAK);
        speaker_tell(call, true);
        call_speech_began(call);
    }
    if (caller->phase == TO_SPEAK) {
        double now_ms = now_of(caller);
        if (now_ms < caller->since_ms + ms)
            return wait_until(caller, caller->since_ms + ms);
        caller->said = (struct speech){.text = text,
                                       .lang = script_text(step, "lang"),
                                       .from_ms = caller->since_ms,
                                       .until_ms = now_ms,
                                       .confidence = script_number(step, "confidence", 0.9),
                                       .last = script_flag(step, "last", true)};
        enter(caller, TO_BE_UNDERSTOOD);
        speaker_tell(call, false);
        call_speech_ended(call, &caller->said);
    }
    double understood_ms = caller->since_ms + call->settings.endpoint_ms;
    if (now_of(caller) < understood_ms)
        return wait_until(caller, understood_ms);
    call_speech(call, &caller->said);
    return STEP_DONE;
}

static enum progress do_interrupt(struct caller *caller, const cJSON *value)
{
    const cJSON *step = caller->step;
    if (caller->phase == TO_LISTEN &&
        wait_audible(caller, script_number(step, "after_chars", 0),
                     script_number(step, "after_words", 0)) == STEP_WAITS)
        return STEP_WAITS;
    return do_say(caller, value);
}

static enum progress do_press(struct caller *caller, const cJSON *value)
{
    struct call *call = caller->call;
    const char *keys = value->valuestring;
    double gap_ms = script_number(caller->step, "gap_ms", GAP_MS);
    bool heard = call->verb && call->verb->key && (call->verb != &connect_verb || relay_open(call));
    if (caller->sent == 0 && !heard && !script_flag(caller->step, "blind", false))
        return STEP_WAITS;
    while (keys[caller->sent] && !call_over(call)) {
        double now_ms = now_of(caller);
        if (caller->sent > 0 && now_ms < caller->since_ms)
            return wait_until(caller, caller->since_ms);
        char key = keys[caller->sent++];
        caller->since_ms = now_ms + (key == 'w' ? BLANK_MS : gap_ms);
        if (key != 'w')
            call_key(call, key);
    }
    return STEP_DONE;
}

static enum progress do_silence(struct caller *caller, const cJSON *value)
{
    double until_ms = caller->step_ms + value->valuedouble;
    return now_of(caller) < until_ms ? wait_until(caller, until_ms) : STEP_DONE;
}

static enum progress do_hangup(struct caller *caller, const cJSON *value)
{
    (void)value;
    call_hang_up(caller->call, CALL_IS_NOT_ANSWERED, "caller");
    return STEP_DONE;
}

/* --- what only a hostile or broken Twilio would do --- */

/* How many of `times` frames are due. */
static size_t due(struct caller *caller, size_t times)
{
    double per_second = script_number(caller->step, "per_second", 0);
    if (per_second <= 0)
        return times;
    double number = (now_of(caller) - caller->since_ms) * per_second / 1000 + 1;
    return number < (double)times ? (size_t)number : times;
}

static void send_one(struct caller *caller, const struct stand_buf *bytes)
{
    const cJSON *step = caller->step;
    bool binary = script_flag(step, "binary", false);
    double opcode = script_number(step, "opcode", binary ? STAND_FRAME_BINARY : STAND_FRAME_TEXT);
    size_t fragments = (size_t)script_number(step, "fragments", 1);
    relay_send(caller->call, (int)opcode, bytes->data ? bytes->data : "", bytes->len, fragments);
}

static void record_sent(struct caller *caller, size_t times, size_t bytes)
{
    struct event event;
    event_start(&event, caller->call, "sent");
    event_number(&event, "step", caller->number);
    event_number(&event, "times", (double)times);
    event_number(&event, "bytes", (double)bytes);
    event_end(&event);
}

static enum progress do_frame(struct caller *caller, const cJSON *value)
{
    (void)value;
    struct stand_buf bytes;
    size_t times = (size_t)script_number(caller->step, "times", 1), batch = 0;
    if (caller->phase == TO_LISTEN) {
        if (!relay_open(caller->call))
            return STEP_WAITS;
        enter(caller, TO_SPEAK);
    }
    script_bytes(caller->step, &bytes);
    for (size_t until = due(caller, times); caller->sent < until && batch < BATCH_MAX; batch++) {
        caller->sent++;
        send_one(caller, &bytes);
    }
    size_t len = bytes.len;
    stand_buf_fini(&bytes);
    if (caller->sent < times && relay_open(caller->call))
        return wait_until(caller, now_of(caller) + 1);
    record_sent(caller, caller->sent, len);
    return STEP_DONE;
}

static enum progress do_again(struct caller *caller, const cJSON *value)
{
    (void)value;
    size_t times = (size_t)script_number(caller->step, "times", 1);
    if (caller->phase == TO_LISTEN) {
        if (!relay_open(caller->call) || caller->call->prompts == 0)
            return STEP_WAITS;
        enter(caller, TO_SPEAK);
    }
    for (size_t until = due(caller, times); caller->sent < until; caller->sent++)
        relay_again(caller->call);
    return caller->sent < times ? wait_until(caller, now_of(caller) + 1) : STEP_DONE;
}

static enum progress do_cut(struct caller *caller, const cJSON *value)
{
    if (!relay_begun(caller->call))
        return STEP_WAITS;
    relay_cut(caller->call, cJSON_IsString(value));
    return STEP_DONE;
}

static enum progress do_close(struct caller *caller, const cJSON *value)
{
    if (!relay_begun(caller->call))
        return STEP_WAITS;
    relay_close(caller->call, (int)value->valuedouble);
    return STEP_DONE;
}

/* --- the player --- */

static enum progress (*const players[SCRIPT_STEPS])(struct caller *, const cJSON *) = {
    [SCRIPT_SAY] = do_say,           [SCRIPT_INTERRUPT] = do_interrupt,
    [SCRIPT_PRESS] = do_press,       [SCRIPT_SILENCE] = do_silence,
    [SCRIPT_WAIT_FOR] = do_wait_for, [SCRIPT_HANGUP] = do_hangup,
    [SCRIPT_FRAME] = do_frame,       [SCRIPT_RAW] = do_frame,
    [SCRIPT_HEX] = do_frame,         [SCRIPT_AGAIN] = do_again,
    [SCRIPT_CUT] = do_cut,           [SCRIPT_CLOSE] = do_close,
};

static void record_script(struct caller *caller, const char *state)
{
    struct event event;
    char *step = caller->step ? cJSON_PrintUnformatted(caller->step) : NULL;
    event_start(&event, caller->call, "script");
    event_text(&event, "state", state);
    event_number(&event, "step", caller->number);
    event_text(&event, "is", step);
    event_end(&event);
    cJSON_free(step);
}

static void next_step(struct caller *caller, const cJSON *step)
{
    caller->step = step;
    caller->number += step != NULL;
    caller->phase = TO_LISTEN;
    caller->sent = 0;
    caller->since_ms = caller->step_ms = now_of(caller);
    caller->call->script_state = step ? "running" : "done";
}

/* Whether the step's patience is over; only a step that waits for somebody else has one. */
static bool timed_out(struct caller *caller, enum script_step kind)
{
    double patience_ms = script_number(caller->step, "timeout_ms", TIMEOUT_MS);
    bool waits = caller->phase == TO_LISTEN && caller->sent == 0 && kind != SCRIPT_SILENCE;
    if (!waits)
        return false;
    if (now_of(caller) >= caller->step_ms + patience_ms)
        return true;
    wait_until(caller, caller->step_ms + patience_ms);
    return false;
}

static void give_up(struct caller *caller)
{
    struct call *call = caller->call;
    record_script(caller, "timed out");
    call->errors++;
    call->script_state = "timed out";
    caller->step = NULL;
    call_hang_up(call, CALL_IS_NOT_ANSWERED, "script timed out");
}

static void run(struct caller *caller)
{
    while (caller->step && !caller->over) {
        const cJSON *value = NULL;
        enum script_step kind = script_step_of(caller->step, &value);
        caller->look_ms = 0;
        caller->again = false;
        if (players[kind](caller, value) == STEP_DONE) {
            if (!caller->over)
                next_step(caller, caller->step->next);
            if (!caller->step && !caller->over)
                record_script(caller, "done");
        } else if (!caller->again && !caller->over) {
            if (!timed_out(caller, kind))
                return;
            give_up(caller);
        }
    }
}

static void on_timer(uv_timer_t *timer);

static void play(struct caller *caller)
{
    if (caller->running) {
        caller->again = true;
        return;
    }
    caller->running = true;
    run(caller);
    caller->running = false;
    if (caller->over || !caller->step || caller->look_ms == 0)
        return;
    double wait_ms = caller->look_ms - now_of(caller);
    uv_update_time(caller->call->twilio->calls->loop);
    uv_timer_start(&caller->timer, on_timer, wait_ms > 0 ? (uint64_t)(wait_ms + 0.999) : 0, 0);
}

static void on_timer(uv_timer_t *timer)
{
    play(timer->data);
}

void caller_poke(struct call *call)
{
    if (call->caller)
        play(call->caller);
}

const char *caller_state(const struct call *call)
{
    return call->script_state ? call->script_state : "none";
}

static void free_caller(uv_handle_t *handle)
{
    struct caller *caller = handle->data;
    cJSON_Delete(caller->script);
    free(caller);
}

void caller_end(struct call *call)
{
    struct caller *caller = call->caller;
    if (!caller)
        return;
    caller->over = true;
    call->caller = NULL;
    if (caller->step) {
        const cJSON *value = NULL;
        bool last = script_step_of(caller->step, &value) == SCRIPT_HANGUP && !caller->step->next;
        call->script_state = last ? "done" : "cut short";
        record_script(caller, call->script_state);
    }
    uv_close((uv_handle_t *)&caller->timer, free_caller);
}

void caller_start(struct call *call, const cJSON *script)
{
    const cJSON *step;
    if (cJSON_GetArraySize(script) == 0 || call_over(call))
        return;
    struct caller *caller = call->caller;
    if (!caller) {
        caller = stand_alloc(sizeof *caller);
        caller->call = call;
        caller->script = cJSON_CreateArray();
        caller->timer.data = caller;
        uv_timer_init(call->twilio->calls->loop, &caller->timer);
        call->caller = caller;
    }
    cJSON *first = NULL;
    cJSON_ArrayForEach(step, script)
    {
        cJSON *copy = cJSON_Duplicate(step, true);
        if (!first)
            first = copy;
        cJSON_AddItemToArray(caller->script, copy);
    }
    if (!caller->step)
        next_step(caller, first);
    play(caller);
}
