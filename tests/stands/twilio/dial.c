/*
 * Dial. The child leg runs the whisper as a document of its own; at that document's end the legs
 * are joined. Who answered is told beside the call, which that does not hold up. Whichever leg ends
 * first ends the Dial, whose action then hears how it went. Called by the runner (verbs.c), and by
 * call.c when a child's leg is over.
 */
#include "stands/twilio/dial.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "stands/twilio/calls.h"
#include "stands/twilio/ear.h"
#include "stands/twilio/events.h"
#include "stands/twilio/fetch.h"
#include "stands/twilio/leg.h"
#include "stands/twilio/progress.h"
#include "stands/twilio/recordings.h"

struct dial {
    struct call *child;
    const struct twiml_element *number; /* or the Dial itself */
    double bridged_ms;                  /* 0: never */
};

static void record_dial(struct call *call, const char *kind, const struct call *child,
                        const char *status)
{
    struct event event;
    event_start(&event, call, kind);
    event_text(&event, "child", child->sid);
    event_text(&event, "to", child->to);
    event_text(&event, "status", status);
    event_end(&event);
}

/* --- the end --- */

static const char *status_of(const struct call *child, bool bridged)
{
    const char *refused = leg_text(child, "refused_status");
    if (child->state != CALL_COMPLETED)
        return call_status(child);
    return !bridged && refused ? refused : "completed";
}

static void part_legs(struct call *call, struct call *child)
{
    call->bridged = child->bridged = NULL;
}

static bool is_recorded(const struct call *call)
{
    const char *record = twiml_attribute(call->element, "record");
    return record && strcmp(record, "do-not-record") != 0;
}

/* Ends the verb: the action hears of `status`. */
static void finish(struct call *call, const char *status)
{
    struct dial dial = *(struct dial *)call->verb_data;
    struct call_texts texts;
    struct stand_form form, child_form;
    char url[RECORDING_URL_MAX];
    free(call->verb_data);
    call->verb_data = NULL;
    part_legs(call, dial.child);
    record_dial(call, "dial_over", dial.child, status);
    stand_form_borrow(&form);
    stand_form_borrow(&child_form);
    call_form(dial.child, &texts, &child_form);
    stand_form_add(&form, "DialCallStatus", status);
    stand_form_add(&form, "DialCallSid", dial.child->sid);
    stand_form_add(&form, "DialBridged", dial.bridged_ms > 0 ? "true" : "false");
    if (dial.child->answered_ms > 0)
        stand_form_add(&form, "DialCallDuration", texts.duration);
    if (dial.bridged_ms > 0 && is_recorded(call)) {
        double now_ms = calls_now(call->twilio->calls);
        struct recording_draft draft = {
            .source = "DialVerb",
            .callback = twiml_attribute(call->element, "recordingStatusCallback"),
            .events = twiml_attribute(call->element, "recordingStatusCallbackEvent"),
            .started_ms = dial.bridged_ms,
            .seconds = (now_ms - dial.bridged_ms) / 1000};
        char *callback = draft.callback ? fetch_resolve(call->document_url, draft.callback) : NULL;
        draft.callback = callback;
        const struct recording *recording = recordings_add(call, &draft);
        free(callback);
        if (recording) {
            recording_url(call->twilio, recording, url);
            stand_form_add(&form, "RecordingUrl", url);
        }
    }
    if (!call_over(call))
        ear_turn(call);
    verbs_action(call, &form);
}

void dial_child_over(struct call *child)
{
    struct call *call = child->parent;
    struct dial *dial = call->verb_data;
    if (call->verb != &dial_verb || !dial || dial->child != child)
        return;
    finish(call, status_of(child, dial->bridged_ms > 0));
}

/* The callee's leg goes with the caller's; it must not come back to this verb. */
static void end_child(struct call *call, const char *by)
{
    struct dial *dial = call->verb_data;
    const struct verb *verb = call->verb;
    call->verb = NULL;
    call_hang_up(dial->child, CALL_IS_CANCELED, by);
    call->verb = verb;
}

static void dial_stop(struct call *call)
{
    struct dial *dial = call->verb_data;
    end_child(call, "parent");
    part_legs(call, dial->child);
    free(dial);
    call->verb_data = NULL;
}

static void dial_hung_up(struct call *call)
{
    const struct dial *dial = call->verb_data;
    bool answered = dial->child->answered_ms > 0;
    end_child(call, "parent");
    finish(call, answered ? "completed" : "canceled");
}

/* --- the bridge --- */

static bool bridge_listens(const struct call *call)
{
    return call->bridged != NULL;
}

/* The other leg is redirected by REST: this one's Dial is over. */
static void bridge_stop(struct call *child)
{
    struct call *call = child->parent;
    struct dial *dial = call->verb_data;
    if (call->verb == &dial_verb && dial && dial->child == child)
        finish(call, "completed");
}

static void bridge_hung_up(struct call *child)
{
    (void)child; /* dial_child_over follows */
}

static const struct verb bridge_verb = {.name = "bridge",
                                        .stop = bridge_stop,
                                        .hung_up = bridge_hung_up,
                                        .theirs = true,
                                        .listens = bridge_listens};

static void on_time_limit(struct call *call)
{
    const struct dial *dial = call->verb_data;
    call_hang_up(dial->child, CALL_ENDS, "timeLimit");
}

/* Joins the legs: the whisper's document is over, or there was none. */
static void bridge(struct call *child)
{
    struct call *call = child->parent;
    struct dial *dial = call->verb_data;
    if (call->verb != &dial_verb || !dial || dial->child != child) {
        call_hang_up(child, CALL_ENDS, "parent");
        return;
    }
    dial->bridged_ms = calls_now(call->twilio->calls);
    ear_turn_over(child);
    child->done = NULL;
    child->verb = &bridge_verb;
    child->bridged = call;
    call->bridged = child;
    record_dial(call, "bridged", child, NULL);
    call_after(call, (double)twiml_number(call->element, "timeLimit", 14400) * 1000, on_time_limit);
    call_changed(child);
}

static void on_answered(struct call *child)
{
    struct call *call = child->parent;
    const struct dial *dial = call->verb_data;
    const char *url = dial->number == call->element ? NULL : twiml_attribute(dial->number, "url");
    record_dial(call, "callee_answered", child, leg_answered_by(child));
    if (child->detects)
        leg_detect_aside(child);
    if (!url) {
        bridge(child);
        return;
    }
    child->done = bridge;
    struct fetch fetch = {
        .url = url, .method = twiml_attribute(dial->number, "method"), .why = "whisper"};
    fetch_document(child, &fetch);
}

/* --- the start --- */

/* What of the number's attributes the child's leg needs. */
static void read_number(struct call *child, const struct call *call,
                        const struct twiml_element *number)
{
    const char *callback = twiml_attribute(number, "statusCallback");
    const char *events = twiml_attribute(number, "statusCallbackEvent");
    const char *detection = twiml_attribute(number, "machineDetection");
    const char *told = twiml_attribute(number, "amdStatusCallback");
    child->status_callback = callback ? fetch_resolve(call->document_url, callback) : NULL;
    child->detects = detection != NULL;
    leg_listen_as_usual(child);
    child->detects_end = detection && strcmp(detection, "DetectMessageEnd") == 0;
    child->amd_callback = told ? fetch_resolve(call->document_url, told) : NULL;
    if (!events)
        return;
    child->progress_mask = 0;
    for (const char *at = events; *at;) {
        size_t len = strcspn(at, " ");
        child->progress_mask |= progress_of(at, len);
        at += len + (at[len] == ' ');
    }
}

static void trimmed(const char *text, char *out, size_t size)
{
    text += strspn(text, " \t\r\n");
    snprintf(out, size, "%.*s", (int)strcspn(text, " \t\r\n"), text);
}

static void dial_start(struct call *call, const struct twiml_element *element)
{
    const struct twiml_element *number = twiml_child(element, "Number");
    const char *caller_id = twiml_attribute(element, "callerId");
    char to[128];
    if (element->child_count > 1)
        event_error(call, 0, "this stand dials one Number of a Dial alone: the first");
    trimmed(number ? number->text : element->text, to, sizeof to);
    struct call *child = call_new(call->twilio, call->account, "outbound-dial",
                                  caller_id ? caller_id : call->from, to);
    if (!child || !*to) {
        event_error(call, 13224, "a Dial without a number, or too many calls");
        call->verb = NULL;
        call_hang_up(call, CALL_FAILS, "error");
        return;
    }
    struct dial *dial = stand_alloc(sizeof *dial);
    dial->child = child;
    dial->number = number ? number : element;
    call->verb_data = dial;
    call->child = child;
    child->parent = call;
    child->settings = call->settings;
    child->token = call->token ? stand_copy(call->token, strlen(call->token)) : NULL;
    child->document_url =
        call->document_url ? stand_copy(call->document_url, strlen(call->document_url)) : NULL;
    if (number)
        read_number(child, call, number);
    ear_turn_over(call); /* the caller hears it ring */
    record_dial(call, "dial", child, NULL);
    leg_dial(child, (double)twiml_number(element, "timeout", 30) * 1000, on_answered);
}

static bool dial_listens(const struct call *call)
{
    return call->bridged != NULL;
}

static void dial_key(struct call *call, char key)
{
    const struct dial *dial = call->verb_data;
    if (key == '*' && call->bridged && twiml_flag(call->element, "hangupOnStar", false))
        call_hang_up(dial->child, CALL_ENDS, "hangupOnStar");
}

const struct verb dial_verb = {
    .name = "Dial",
    .start = dial_start,
    .stop = dial_stop,
    .hung_up = dial_hung_up,
    .theirs = true,
    .listens = dial_listens,
    .key = dial_key,
};
