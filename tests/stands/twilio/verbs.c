/*
 * The runner of TwiML documents, and the verbs that are too small for a file of their own. Called
 * by fetch.c when a document has come, by the verbs when they are over and by call.c.
 */
#include "stands/twilio/verbs.h"

#include <stdlib.h>
#include <string.h>

#include "stands/twilio/dial.h"
#include "stands/twilio/ear.h"
#include "stands/twilio/events.h"
#include "stands/twilio/fetch.h"
#include "stands/twilio/gather.h"
#include "stands/twilio/record.h"
#include "stands/twilio/relay.h"

enum { LOOPS_MAX = 1000, HALF_SECOND_MS = 500 };

/* --- prompts --- */

static void pause_over(struct call *call)
{
    if (call->verb && call->verb->quiet)
        call->verb->quiet(call);
}

static long loops(const struct twiml_element *element)
{
    long loop = twiml_number(element, "loop", 1);
    return loop == 0 ? LOOPS_MAX : loop;
}

/* The digits of a Play, each half a second long. */
static void play_digits(struct call *call, const char *digits)
{
    ear_sound(call, HALF_SECOND_MS * (double)strlen(digits) / call->settings.speed);
    if (!call->bridged)
        return;
    for (const char *at = digits; *at; at++) {
        if (*at != 'w')
            call_key(call->bridged, *at);
    }
}

void verbs_prompt(struct call *call, const struct twiml_element *element)
{
    if (strcmp(element->name, "Say") == 0) {
        size_t len = strlen(element->text);
        for (long i = loops(element); i > 0 && !call->audible.overflow; i--)
            ear_say(call, element->text, len);
        ear_close(call, false);
    } else if (strcmp(element->name, "Play") == 0) {
        const char *digits = twiml_attribute(element, "digits");
        double ms = call->settings.play_ms * (double)loops(element);
        if (digits)
            play_digits(call, digits);
        else
            ear_sound(call, ms);
        ear_close(call, false);
        if (!ear_busy(call))
            call_after(call, 0, pause_over);
    } else {
        call_after(call, (double)twiml_number(element, "length", 1) * 1000, pause_over);
    }
}

static void prompt_start(struct call *call, const struct twiml_element *element)
{
    verbs_prompt(call, element);
}

/* --- the small verbs --- */

static void redirect_start(struct call *call, const struct twiml_element *element)
{
    const char *url = element->text + strspn(element->text, " \t\r\n");
    struct stand_buf trimmed;
    stand_buf_init(&trimmed, TWIML_BYTES_MAX);
    stand_buf_add(&trimmed, url, strcspn(url, " \t\r\n"));
    struct fetch fetch = {
        .url = trimmed.data, .method = twiml_attribute(element, "method"), .why = "redirect"};
    fetch_document(call, &fetch);
    stand_buf_fini(&trimmed);
}

static void hangup_start(struct call *call, const struct twiml_element *element)
{
    (void)element;
    call_hang_up(call, CALL_ENDS, "Hangup");
}

static void reject_start(struct call *call, const struct twiml_element *element)
{
    const char *reason = twiml_attribute(element, "reason");
    if (call->state != CALL_RINGING) {
        event_error(call, 12200, "Reject after the call was answered");
        call_hang_up(call, CALL_ENDS, "error");
        return;
    }
    bool busy = reason && strcmp(reason, "busy") == 0;
    call_hang_up(call, busy ? CALL_IS_BUSY : CALL_IS_NOT_ANSWERED, "Reject");
}

static const struct verb small_verbs[] = {
    {.name = "Say", .start = prompt_start, .quiet = verbs_next},
    {.name = "Play", .start = prompt_start, .quiet = verbs_next},
    {.name = "Pause", .start = prompt_start, .quiet = verbs_next},
    {.name = "Redirect", .start = redirect_start},
    {.name = "Hangup", .start = hangup_start},
    {.name = "Reject", .start = reject_start},
};

static const struct verb *find_verb(const char *name)
{
    const struct verb *const large[] = {&gather_verb, &record_verb, &dial_verb, &connect_verb};
    for (size_t i = 0; i < sizeof small_verbs / sizeof small_verbs[0]; i++) {
        if (strcmp(small_verbs[i].name, name) == 0)
            return &small_verbs[i];
    }
    for (size_t i = 0; i < sizeof large / sizeof large[0]; i++) {
        if (strcmp(large[i]->name, name) == 0)
            return large[i];
    }
    return NULL;
}

/* --- the runner --- */

static void record_verb_start(struct call *call, const struct twiml_element *element)
{
    struct event event;
    event_start(&event, call, "verb");
    event_text(&event, "name", element->name);
    event_text(&event, "url", twiml_attribute(element, "url"));
    event_text(&event, "action", twiml_attribute(element, "action"));
    event_end(&event);
}

static void let_go(struct call *call)
{
    call_stop_timer(call);
    call->verb = NULL;
    call->element = NULL;
}

void verbs_next(struct call *call)
{
    let_go(call);
    if (call_over(call) || !call->twiml)
        return;
    const struct twiml_element *root = twiml_root(call->twiml);
    bool first = call->state == CALL_RINGING && call->verb_at == 0;
    if (call->verb_at == root->child_count) {
        call_answer(call);
        if (call_over(call))
            return;
        if (call->done)
            call->done(call);
        else
            call_hang_up(call, CALL_ENDS, "end of document");
        return;
    }
    const struct twiml_element *element = &root->children[call->verb_at++];
    if (!first || strcmp(element->name, "Reject") != 0)
        call_answer(call);
    if (call_over(call))
        return; /* the person hung up on the answer */
    call->element = element;
    call->verb = find_verb(element->name);
    record_verb_start(call, element);
    call->verb->start(call, element);
    call_changed(call);
}

void verbs_run(struct call *call, struct twiml *twiml, const char *url)
{
    if (url) {
        char *copy = stand_copy(url, strlen(url));
        free(call->document_url);
        call->document_url = copy;
    }
    twiml_free(&call->twiml);
    call->twiml = twiml;
    call->verb_at = 0;
    call->document++;
    call->documents++;
    verbs_next(call);
}

void verbs_drop(struct call *call)
{
    if (call->verb && call->verb->stop)
        call->verb->stop(call);
    let_go(call);
    ear_drop(call);
    call->document++;
}

static void sorry_over(struct call *call)
{
    call_hang_up(call, CALL_ENDS, "error");
}

void verbs_sorry(struct call *call)
{
    static const struct verb sorry_verb = {.name = "error message", .quiet = sorry_over};
    static const char text[] = "We are sorry, an application error has occurred. Goodbye.";
    verbs_drop(call);
    call_answer(call);
    if (call_over(call))
        return;
    call->verb = &sorry_verb;
    ear_say(call, text, sizeof text - 1);
    ear_close(call, false);
}

void verbs_action(struct call *call, const struct stand_form *form)
{
    const char *action = call->element ? twiml_attribute(call->element, "action") : NULL;
    if (!action) {
        verbs_next(call);
        return;
    }
    struct fetch fetch = {.url = action,
                          .method = twiml_attribute(call->element, "method"),
                          .why = "action",
                          .form = form};
    let_go(call);
    fetch_document(call, &fetch);
}
