/*
 * Gather: prompts, then a wait; the first kind of input that comes wins. Called by the runner
 * (verbs.c) and, for input, by call.c.
 */
#include "stands/twilio/gather.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "stands/twilio/ear.h"
#include "stands/twilio/events.h"
#include "stands/twilio/fetch.h"

enum { DIGITS_MAX = 1000, SPEECH_MAX = 64 * 1024 };

struct gather {
    size_t prompt; /* the next child */
    bool waits;    /* its prompts are over, or were cut */
    bool takes_keys, takes_speech, barge_in;
    double timeout_ms, speech_timeout_ms;
    const char *finish; /* borrowed */
    size_t digits_wanted, digit_count;
    char digits[DIGITS_MAX + 1];
    struct stand_buf speech;
    double confidence;
};

static void let_go(struct call *call)
{
    struct gather *gather = call->verb_data;
    stand_buf_fini(&gather->speech);
    free(gather);
    call->verb_data = NULL;
}

bool gather_waits(const struct call *call)
{
    const struct gather *gather = call->verb_data;
    return call->verb == &gather_verb && gather && gather->waits && gather->speech.len == 0 &&
           gather->digit_count == 0;
}

static void record(struct call *call, const struct gather *gather, bool empty)
{
    struct event event;
    event_start(&event, call, "gather");
    event_flag(&event, "empty", empty);
    event_text(&event, "Digits", gather->digits);
    event_text(&event, "SpeechResult", gather->speech.data);
    event_end(&event);
}

/* Asks the action, which by default is the document's own URL. */
static void ask(struct call *call, const struct stand_form *form)
{
    struct fetch fetch = {.url = call->document_url,
                          .method = twiml_attribute(call->element, "method"),
                          .why = "action",
                          .form = form};
    if (twiml_attribute(call->element, "action") || !call->document_url) {
        verbs_action(call, form);
    } else {
        call_stop_timer(call);
        call->verb = NULL;
        fetch_document(call, &fetch);
    }
}

static void finish(struct call *call)
{
    struct gather *gather = call->verb_data;
    struct stand_form form;
    char confidence[32];
    bool speech = gather->speech.len > 0, keys = gather->digit_count > 0;
    bool asks = speech || keys || twiml_flag(call->element, "actionOnEmptyResult", false);
    snprintf(confidence, sizeof confidence, "%.8g", gather->confidence);
    stand_form_borrow(&form);
    if (speech) {
        stand_form_add(&form, "SpeechResult", gather->speech.data);
        if (gather->confidence >= 0)
            stand_form_add(&form, "Confidence", confidence);
    } else {
        stand_form_add(&form, "Digits", gather->digits);
    }
    if (!call->silence.ours)
        ear_turn(call); /* after speech it has been ours since that ended */
    record(call, gather, !speech && !keys);
    struct gather done = *gather; /* the form borrows from it */
    if (asks) {
        form.pairs[0].value = speech ? done.speech.data : done.digits;
        free(gather);
        call->verb_data = NULL;
        ask(call, &form);
        stand_buf_fini(&done.speech);
        return;
    }
    let_go(call);
    verbs_next(call);
}

static void wait_for_input(struct call *call)
{
    struct gather *gather = call->verb_data;
    gather->waits = true;
    ear_turn_over(call);
    call_after(call, gather->timeout_ms, finish);
    call_changed(call);
}

static void next_prompt(struct call *call)
{
    struct gather *gather = call->verb_data;
    if (gather->waits)
        return;
    if (gather->prompt < call->element->child_count)
        verbs_prompt(call, &call->element->children[gather->prompt++]);
    else
        wait_for_input(call);
}

static double speech_timeout(const struct twiml_element *element, double timeout_ms)
{
    const char *text = twiml_attribute(element, "speechTimeout");
    if (!text)
        return timeout_ms;
    return strcmp(text, "auto") == 0 ? 0 : strtod(text, NULL) * 1000;
}

static void gather_start(struct call *call, const struct twiml_element *element)
{
    struct gather *gather = stand_alloc(sizeof *gather);
    const char *input = twiml_attribute(element, "input");
    const char *key = twiml_attribute(element, "finishOnKey");
    call->verb_data = gather;
    stand_buf_init(&gather->speech, SPEECH_MAX);
    gather->takes_speech = input && strstr(input, "speech");
    gather->takes_keys = !input || strstr(input, "dtmf");
    gather->barge_in = twiml_flag(element, "bargeIn", true);
    gather->timeout_ms = (double)twiml_number(element, "timeout", 5) * 1000;
    gather->speech_timeout_ms = speech_timeout(element, gather->timeout_ms);
    gather->finish = key ? key : "#";
    gather->digits_wanted = (size_t)twiml_number(element, "numDigits", DIGITS_MAX);
    gather->confidence = -1;
    next_prompt(call);
}

static bool gather_listens(const struct call *call)
{
    const struct gather *gather = call->verb_data;
    return gather->takes_speech && gather->digit_count == 0;
}

/* Ends the prompts, since input has begun. */
static void cut_prompts(struct call *call, struct gather *gather)
{
    call_stop_timer(call);
    if (gather->waits)
        return;
    gather->waits = true;
    ear_drop(call);
}

static void gather_speech_began(struct call *call)
{
    struct gather *gather = call->verb_data;
    if (!gather_listens(call))
        return;
    call->deaf = !gather->waits && !gather->barge_in;
    if (!call->deaf)
        cut_prompts(call, gather);
}

static void gather_speech(struct call *call, const struct speech *speech)
{
    struct gather *gather = call->verb_data;
    if (gather->speech.len)
        stand_buf_puts(&gather->speech, " ");
    stand_buf_puts(&gather->speech, speech->text);
    gather->confidence = speech->confidence;
    call_after(call, gather->speech_timeout_ms, finish);
}

static void gather_key(struct call *call, char key)
{
    struct gather *gather = call->verb_data;
    if (!gather->takes_keys || gather->speech.len > 0)
        return;
    cut_prompts(call, gather);
    ear_turn_over(call);
    if (strchr(gather->finish, key)) {
        finish(call);
        return;
    }
    gather->digits[gather->digit_count++] = key;
    if (gather->digit_count == gather->digits_wanted || gather->digit_count == DIGITS_MAX)
        finish(call);
    else
        call_after(call, gather->timeout_ms, finish);
}

const struct verb gather_verb = {
    .name = "Gather",
    .start = gather_start,
    .stop = let_go,
    .listens = gather_listens,
    .speech_began = gather_speech_began,
    .speech = gather_speech,
    .key = gather_key,
    .quiet = next_prompt,
};
