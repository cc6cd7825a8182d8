/*
 * A leg's states, as a table, and what belongs to all legs alike: answering, hanging up, timers,
 * speech and keys. Called by everything that drives a call.
 */
#include "stands/twilio/call.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "stands/lib/ids.h"
#include "stands/twilio/caller.h"
#include "stands/twilio/calls.h"
#include "stands/twilio/dial.h"
#include "stands/twilio/ear.h"
#include "stands/twilio/events.h"
#include "stands/twilio/progress.h"
#include "stands/twilio/verbs.h"

enum { TIMERS = 3 };

static const char *const statuses[CALL_STATES] = {
    [CALL_QUEUED] = "queued",
    [CALL_RINGING] = "ringing",
    [CALL_IN_PROGRESS] = "in-progress",
    [CALL_COMPLETED] = "completed",
    [CALL_BUSY] = "busy",
    [CALL_FAILED] = "failed",
    [CALL_NO_ANSWER] = "no-answer",
    [CALL_CANCELED] = "canceled",
};

static const struct transition {
    enum call_state from;
    enum call_event event;
    enum call_state to;
    unsigned progress;
} transitions[] = {
    {CALL_QUEUED, CALL_RINGS, CALL_RINGING, PROGRESS_RINGING},
    {CALL_QUEUED, CALL_FAILS, CALL_FAILED, PROGRESS_COMPLETED},
    {CALL_QUEUED, CALL_IS_CANCELED, CALL_CANCELED, PROGRESS_COMPLETED},
    {CALL_RINGING, CALL_IS_ANSWERED, CALL_IN_PROGRESS, PROGRESS_ANSWERED},
    {CALL_RINGING, CALL_IS_BUSY, CALL_BUSY, PROGRESS_COMPLETED},
    {CALL_RINGING, CALL_IS_NOT_ANSWERED, CALL_NO_ANSWER, PROGRESS_COMPLETED},
    {CALL_RINGING, CALL_FAILS, CALL_FAILED, PROGRESS_COMPLETED},
    {CALL_RINGING, CALL_IS_CANCELED, CALL_CANCELED, PROGRESS_COMPLETED},
    {CALL_IN_PROGRESS, CALL_ENDS, CALL_COMPLETED, PROGRESS_COMPLETED},
    {CALL_IN_PROGRESS, CALL_FAILS, CALL_FAILED, PROGRESS_COMPLETED},
};

bool call_over(const struct call *call)
{
    return call->state >= CALL_COMPLETED;
}

const char *call_status(const struct call *call)
{
    return statuses[call->state];
}

static void record_status(struct call *call)
{
    struct event event;
    event_start(&event, call, "status");
    event_text(&event, "status", call_status(call));
    event_end(&event);
}

bool call_move(struct call *call, enum call_event event)
{
    for (size_t i = 0; i < sizeof transitions / sizeof transitions[0]; i++) {
        const struct transition *row = &transitions[i];
        if (row->from != call->state || row->event != event)
            continue;
        call->state = row->to;
        if (call_over(call)) {
            call->ended_ms = calls_now(call->twilio->calls);
            call->twilio->calls->live--;
        }
        record_status(call);
        progress_note(call, row->progress);
        return true;
    }
    return false;
}

/* --- birth and death --- */

static char *copy(const char *text)
{
    return text ? stand_copy(text, strlen(text)) : NULL;
}

static void on_verb_timer(uv_timer_t *timer)
{
    struct call *call = timer->data;
    void (*then)(struct call *) = call->on_verb_timer;
    call->on_verb_timer = NULL;
    if (then)
        then(call);
}

static void on_limit(uv_timer_t *timer)
{
    call_hang_up(timer->data, CALL_IS_NOT_ANSWERED, "limit");
}

struct call *call_new(struct twilio *twilio, struct account *account, const char *direction,
                      const char *from, const char *to)
{
    struct calls *calls = twilio->calls;
    struct call *call = stand_alloc(sizeof *call);
    stand_sid(call->sid, "CA");
    if (calls_add(calls, call) != 0) {
        free(call);
        return NULL;
    }
    call->twilio = twilio;
    call->account = account;
    call->direction = direction;
    call->from = copy(from);
    call->to = copy(to);
    call->created_ms = calls_now(calls);
    call->progress_mask = PROGRESS_COMPLETED;
    uv_timer_t *timers[TIMERS] = {&call->ear_timer, &call->verb_timer, &call->limit_timer};
    for (int i = 0; i < TIMERS; i++) {
        uv_timer_init(calls->loop, timers[i]);
        timers[i]->data = call;
    }
    call->handles = TIMERS;
    audible_init(&call->audible, 15, 0);
    record_status(call);
    return call;
}

static void on_closed(uv_handle_t *handle)
{
    struct call *call = handle->data;
    if (--call->handles > 0)
        return;
    char *texts[] = {
        call->from,         call->to,           call->forwarded_from,  call->caller_name,
        call->token,        call->url,          call->method,          call->fallback_url,
        call->inline_twiml, call->amd_callback, call->status_callback, call->document_url};
    for (size_t i = 0; i < sizeof texts / sizeof texts[0]; i++)
        free(texts[i]);
    cJSON_Delete(call->options);
    audible_fini(&call->audible);
    free(call->events);
    free(call);
}

void call_forget(struct call *call)
{
    free(call->status_callback);
    call->status_callback = NULL;
    caller_end(call);
    if (!call_over(call))
        verbs_drop(call);
}

void call_free(struct call *call)
{
    caller_end(call);
    twiml_free(&call->twiml);
    uv_close((uv_handle_t *)&call->ear_timer, on_closed);
    uv_close((uv_handle_t *)&call->verb_timer, on_closed);
    uv_close((uv_handle_t *)&call->limit_timer, on_closed);
}

/* --- the course --- */

void call_answer(struct call *call)
{
    if (call->state != CALL_RINGING)
        return;
    call->answered_ms = calls_now(call->twilio->calls);
    call_move(call, CALL_IS_ANSWERED);
    uv_timer_start(&call->limit_timer, on_limit, (uint64_t)call->settings.max_ms, 0);
    ear_turn(call);
    call_changed(call);
}

static void record_hang_up(struct call *call, const char *by)
{
    struct event event;
    event_start(&event, call, "hangup");
    event_text(&event, "by", by);
    event_text(&event, "verb", call->verb ? call->verb->name : NULL);
    event_end(&event);
}

void call_hang_up(struct call *call, enum call_event event, const char *by)
{
    if (call_over(call))
        return;
    if (call->state == CALL_IN_PROGRESS && event != CALL_FAILS)
        event = CALL_ENDS;
    if (call->state == CALL_QUEUED && event != CALL_FAILS)
        event = CALL_IS_CANCELED;
    if (call->state == CALL_RINGING && event == CALL_ENDS)
        event = CALL_IS_NOT_ANSWERED;
    call->ended_by = by;
    record_hang_up(call, by);
    ear_turn_over(call);
    ear_drop(call);
    call_move(call, event);
    call_stop_timer(call);
    uv_timer_stop(&call->limit_timer);
    const struct verb *verb = call->verb;
    if (verb && verb->hung_up)
        verb->hung_up(call);
    else if (verb && verb->stop)
        verb->stop(call);
    call->verb = NULL;
    call->element = NULL;
    call_stop_timer(call);
    twiml_free(&call->twiml);
    caller_end(call);
    if (call->parent)
        dial_child_over(call);
}

void call_after(struct call *call, double ms, void (*then)(struct call *call))
{
    double wait_ms = ms / call->settings.speed;
    call->on_verb_timer = then;
    uv_update_time(call->twilio->calls->loop);
    uv_timer_start(&call->verb_timer, on_verb_timer, wait_ms > 0 ? (uint64_t)(wait_ms + 0.5) : 0,
                   0);
}

void call_stop_timer(struct call *call)
{
    call->on_verb_timer = NULL;
    uv_timer_stop(&call->verb_timer);
}

void call_changed(struct call *call)
{
    caller_poke(call);
    if (call->parent)
        caller_poke(call->parent);
}

/* --- the person on the leg --- */

bool call_listens(const struct call *call)
{
    return call->verb && call->verb->listens && call->verb->listens(call);
}

void call_speech_began(struct call *call)
{
    struct event event;
    call->speaking = true;
    call->deaf = false;
    event_start(&event, call, "speech_began");
    event_text(&event, "heard_by", call_listens(call) ? call->verb->name : NULL);
    event_end(&event);
    if (call->verb && call->verb->speech_began)
        call->verb->speech_began(call);
    if (!call->deaf && (!call->verb || !call->verb->theirs))
        ear_turn_over(call);
}

void call_speech_ended(struct call *call, const struct speech *speech)
{
    struct event event;
    call->speaking = false;
    event_start(&event, call, "said");
    event_text(&event, "text", speech->text);
    event_number(&event, "from", speech->from_ms);
    event_number(&event, "until", speech->until_ms);
    event_text(&event, "heard_by", call_listens(call) ? call->verb->name : NULL);
    event_end(&event);
    if (!call->deaf && (!call->verb || !call->verb->theirs))
        ear_turn(call);
}

void call_speech(struct call *call, const struct speech *speech)
{
    if (!call->deaf && call_listens(call) && call->verb->speech)
        call->verb->speech(call, speech);
}

void call_key(struct call *call, char key)
{
    char text[2] = {key, '\0'};
    struct event event;
    event_start(&event, call, "dtmf");
    event_text(&event, "digit", text);
    event_text(&event, "heard_by", call->verb && call->verb->key ? call->verb->name : NULL);
    event_end(&event);
    if (call->verb && call->verb->key)
        call->verb->key(call, key);
}

/* --- parameters --- */

static void add(struct stand_form *form, const char *name, const char *value)
{
    if (value)
        stand_form_add(form, name, value);
}

void call_form(const struct call *call, struct call_texts *texts, struct stand_form *form)
{
    static const char *const places[] = {"FromCity",  "FromState",  "FromZip",     "ToCity",
                                         "ToState",   "ToZip",      "CallerCity",  "CallerState",
                                         "CallerZip", "CalledCity", "CalledState", "CalledZip"};
    static const char *const countries[] = {"FromCountry", "ToCountry", "CallerCountry",
                                            "CalledCountry"};
    double until = call->ended_ms > 0 ? call->ended_ms : calls_now(call->twilio->calls);
    double seconds = call->answered_ms > 0 ? (until - call->answered_ms) / 1000 : 0;
    snprintf(texts->duration, sizeof texts->duration, "%.0f", seconds);
    add(form, "CallSid", call->sid);
    add(form, "AccountSid", call->account->sid);
    add(form, "From", call->from);
    add(form, "To", call->to);
    add(form, "Caller", call->from);
    add(form, "Called", call->to);
    add(form, "CallStatus", call_status(call));
    add(form, "ApiVersion", "2010-04-01");
    add(form, "Direction", call->direction);
    add(form, "ForwardedFrom", call->forwarded_from);
    add(form, "CallerName", call->caller_name);
    add(form, "ParentCallSid", call->parent ? call->parent->sid : NULL);
    add(form, "AnsweredBy", call->answered_by);
    for (size_t i = 0; i < sizeof places / sizeof places[0]; i++)
        add(form, places[i], "");
    for (size_t i = 0; i < sizeof countries / sizeof countries[0]; i++)
        add(form, countries[i], "US");
    const cJSON *item;
    cJSON_ArrayForEach(item, call->params)
    {
        size_t at = 0;
        while (at < form->count && strcmp(form->pairs[at].name, item->string) != 0)
            at++;
        if (cJSON_IsString(item) && at < form->count)
            form->pairs[at].value = item->valuestring;
        else if (cJSON_IsString(item))
            add(form, item->string, item->valuestring);
    }
}
