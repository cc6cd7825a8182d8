/*
 * Record: a beep, then the person's words until silence, a key, the longest length or the hang-up.
 * A recording in which nothing was said is `absent` and its action is not asked; the next verb runs
 * then. Called by the runner (verbs.c) and, for input, by call.c.
 */
#include "stands/twilio/record.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "stands/twilio/calls.h"
#include "stands/twilio/ear.h"
#include "stands/twilio/fetch.h"
#include "stands/twilio/recordings.h"

enum { BEEP_MS = 400, WORDS_MAX = 64 * 1024 };

struct record {
    bool runs, said;
    double started_ms, last_ms; /* last_ms: the end of what was said last */
    double timeout_ms, length_ms;
    const char *finish; /* borrowed */
    struct stand_buf words;
};

static void let_go(struct call *call)
{
    struct record *record = call->verb_data;
    if (record)
        stand_buf_fini(&record->words);
    free(record);
    call->verb_data = NULL;
}

bool record_runs(const struct call *call)
{
    const struct record *record = call->verb_data;
    return call->verb == &record_verb && record && record->runs;
}

/* Leaves a recording behind. */
static const struct recording *leave(struct call *call, const struct record *record)
{
    const struct twiml_element *element = call->element;
    double until_ms = calls_now(call->twilio->calls);
    bool said = record->said || call->speaking;
    const char *trim = twiml_attribute(element, "trim");
    if (said && (!trim || strcmp(trim, "trim-silence") == 0) && !call->speaking)
        until_ms = record->last_ms;
    double seconds = (until_ms - record->started_ms) / 1000;
    struct recording_draft draft = {
        .source = "RecordVerb",
        .callback = twiml_attribute(element, "recordingStatusCallback"),
        .events = twiml_attribute(element, "recordingStatusCallbackEvent"),
        .started_ms = record->started_ms,
        .seconds = said ? (seconds < 1 ? 1 : (double)(long)(seconds + 0.5)) : 0,
        .empty = !said || !record->runs,
        .transcribe_callback = twiml_flag(element, "transcribe", false)
                                   ? twiml_attribute(element, "transcribeCallback")
                                   : NULL,
        .words = record->words.data ? record->words.data : ""};
    char *callback = draft.callback ? fetch_resolve(call->document_url, draft.callback) : NULL;
    draft.callback = callback;
    char *transcribe = draft.transcribe_callback
                           ? fetch_resolve(call->document_url, draft.transcribe_callback)
                           : NULL;
    draft.transcribe_callback = transcribe;
    const struct recording *recording = recordings_add(call, &draft);
    free(callback);
    free(transcribe);
    return recording;
}

/* The recording is over; `digits` is what ended it. */
static void finish(struct call *call, const char *digits)
{
    struct record record = *(struct record *)call->verb_data;
    char url[RECORDING_URL_MAX], seconds[32];
    struct stand_form form;
    const struct recording *recording = leave(call, &record);
    let_go(call);
    if (!call_over(call))
        ear_turn(call);
    if (!recording || strcmp(recording->status, "absent") == 0) {
        verbs_next(call);
        return;
    }
    recording_url(call->twilio, recording, url);
    snprintf(seconds, sizeof seconds, "%.0f", recording->seconds);
    stand_form_borrow(&form);
    stand_form_add(&form, "RecordingUrl", url);
    stand_form_add(&form, "RecordingSid", recording->sid);
    stand_form_add(&form, "RecordingDuration", seconds);
    stand_form_add(&form, "Digits", digits);
    if (twiml_attribute(call->element, "action") || !call->document_url) {
        verbs_action(call, &form);
        return;
    }
    struct fetch fetch = {.url = call->document_url,
                          .method = twiml_attribute(call->element, "method"),
                          .why = "action",
                          .form = &form};
    call->verb = NULL;
    fetch_document(call, &fetch);
}

static void on_silence(struct call *call)
{
    finish(call, "");
}

/* Waits for the silence that ends it, but not beyond its longest length. */
static void wait_on(struct call *call)
{
    const struct record *record = call->verb_data;
    double so_far_ms = (calls_now(call->twilio->calls) - record->started_ms) * call->settings.speed;
    double left_ms = record->length_ms > so_far_ms ? record->length_ms - so_far_ms : 0;
    bool silent = !call->speaking && record->timeout_ms > 0 && record->timeout_ms < left_ms;
    call_after(call, silent ? record->timeout_ms : left_ms, on_silence);
}

static void begin(struct call *call)
{
    struct record *record = call->verb_data;
    if (record->runs)
        return;
    record->runs = true;
    record->started_ms = record->last_ms = calls_now(call->twilio->calls);
    ear_turn_over(call);
    wait_on(call);
    call_changed(call);
}

static void record_start(struct call *call, const struct twiml_element *element)
{
    struct record *record = stand_alloc(sizeof *record);
    const char *key = twiml_attribute(element, "finishOnKey");
    bool transcribes = twiml_flag(element, "transcribe", false);
    call->verb_data = record;
    stand_buf_init(&record->words, WORDS_MAX);
    record->finish = key ? key : "1234567890*#";
    record->timeout_ms = (double)twiml_number(element, "timeout", 5) * 1000;
    record->length_ms = (double)twiml_number(element, "maxLength", transcribes ? 120 : 3600) * 1000;
    if (twiml_flag(element, "playBeep", true)) {
        ear_sound(call, BEEP_MS / call->settings.speed);
        ear_close(call, false);
    } else {
        begin(call);
    }
}

static void record_hung_up(struct call *call)
{
    finish(call, "hangup");
}

static bool record_listens(const struct call *call)
{
    return record_runs(call);
}

static void record_speech_began(struct call *call)
{
    if (record_runs(call))
        wait_on(call);
}

static void record_speech(struct call *call, const struct speech *speech)
{
    struct record *record = call->verb_data;
    record->said = true;
    stand_buf_puts(&record->words, record->words.len ? " " : "");
    stand_buf_puts(&record->words, speech->text);
    record->last_ms = speech->until_ms;
    wait_on(call);
}

static void record_key(struct call *call, char key)
{
    char digits[2] = {key, '\0'};
    const struct record *record = call->verb_data;
    if (record->runs && strchr(record->finish, key))
        finish(call, digits);
}

const struct verb record_verb = {
    .name = "Record",
    .start = record_start,
    .stop = let_go,
    .hung_up = record_hung_up,
    .theirs = true,
    .listens = record_listens,
    .speech_began = record_speech_began,
    .speech = record_speech,
    .key = record_key,
    .quiet = begin,
};
