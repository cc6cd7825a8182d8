/* What a call that we placed is answered: see voice_placed.h. Who took it, and what they press, is
 * told to the engines under an id of the call, so that a request that comes twice is told once.
 * Only an engine knows whether somebody else was faster: the key 1 waits for its word, as a step of
 * webhook mode waits for an answer. Called by voice_step.c. */
#include "voice_placed.h"

#include "answer_inside.h"
#include "base/text.h"
#include "counters.h"
#include "step_turn.h"
#include "waiting.h"

#include <string.h>

#define ASKS_MAX  1 /* times that a wrong key is asked about */
#define WAITS_MAX 2 /* requests that go on waiting for the engine's word */
#define KEY_STEP  1 /* under which the engine answers */

static const char *text_of(const struct step *step, const char *name)
{
    const char *text = form_get(&step->query, name);
    return text != NULL && text_is_utf8(text, strlen(text)) ? text : "";
}

static int64_t number_of(const struct step *step, const char *name, int64_t most)
{
    int64_t number = 0;
    return text_parse_int(text_of(step, name), 0, most, &number) ? number : 0;
}

/* False: it is not told, and nobody will answer. */
static bool tell(const struct step *step, enum voice_answer outcome)
{
    struct uuid delivery;
    if (!uuid_parse(text_of(step, "delivery"), &delivery))
        return false;
    struct news *news = news_new(step->webhook->ingress, NEWS_ANSWERED);
    news->answered = (struct voice_answered){
        .event = news_head(news, "", step->call.account_sid, step->tenant), /* the encoder's id */
        .delivery = delivery,
        .outcome = outcome};
    if (!voice_call_of(news->arena, step->webhook->ingress, &step->call, &news->answered.call)) {
        news_free(&news);
        return false;
    }
    return news_send(&news);
}

static const char *or_null(const char *text)
{
    return text[0] != '\0' ? text : NULL;
}

/* ---- a customer ---- */

static void greet(struct step *step)
{
    const struct directory_voice *voice = step->channel->voice;
    step->answer.say = text_of(step, "say");
    if (voice->mode == DIRECTORY_RELAY && voice_is_open(step->webhook->ingress))
        answer_relay(&step->answer, ANSWER_GREETS, 0);
    else if (voice_pass_on(step->webhook, step->call.call_sid))
        return;
    else if (voice->mode == DIRECTORY_GATHER && step_turn_is_open(step->webhook->ingress))
        step_turn_begin(&step->answer, &step->call, true);
    else
        answer_unheard(&step->answer);
}

void voice_placed_back(struct step *step)
{
    if (!voice_step_open(step))
        return;
    const bool machine = twilio_call_is_machine(step->call.answered_by);
    tell(step, machine ? VOICE_ANSWER_MACHINE : VOICE_ANSWER_HUMAN);
    if (machine)
        answer_hangup(step->webhook, step->channel, or_null(text_of(step, "leave")));
    else
        greet(step);
}

/* ---- somebody of the business ---- */

static void ask(const struct step *step, const char *asked)
{
    const char *const query[] = {
        "delivery", text_of(step, "delivery"), "say", text_of(step, "say"), "asked", asked, NULL};
    answer_ask(&step->answer, answer_url(step->webhook, "key", step->tenant, 0, query),
               text_of(step, "say"));
}

void voice_placed_asked(struct step *step)
{
    if (!voice_step_open(step))
        return;
    const bool machine = twilio_call_is_machine(step->call.answered_by);
    tell(step, machine ? VOICE_ANSWER_MACHINE : VOICE_ANSWER_HUMAN);
    if (machine)
        answer_hangup(step->webhook, NULL, NULL);
    else
        ask(step, "0");
}

/* The word that it is theirs must be true: without it they hear a goodbye, and the row decides. */
static void accept(struct step *step, int64_t waits)
{
    struct arena *arena = step->webhook->request->arena;
    const struct ingress *ingress = step->webhook->ingress;
    const struct directory_voice *voice = step->channel->voice;
    const int64_t until_ms = voice_step_until_ms(step);
    struct waiter *waiter = waiting_begin(
        ingress->waiting, &(struct waiting_for){step->tenant, step->call.call_sid, KEY_STEP});
    enum waiting_outcome outcome = WAITING_LATE;
    struct voice_frame frame;
    const bool sent = tell(step, VOICE_ANSWER_ACCEPTED);
    if (waiter != NULL)
        outcome = waiting_end(&waiter, sent ? until_ms : 0, arena, &frame);
    const char *const query[] = {"delivery", text_of(step, "delivery"), "wait",
                                 arena_printf(arena, "%d", (int)waits + 1), NULL};
    if (outcome == WAITING_ANSWERED)
        answer_hangup(step->webhook, step->channel, frame.text);
    else if (sent && waits < WAITS_MAX)
        answer_wait(&step->answer, answer_url(step->webhook, "key", step->tenant, 0, query),
                    voice->fillers[(size_t)waits % voice->filler_count]);
    else
        answer_hangup(step->webhook, step->channel, voice->goodbye);
}

void voice_placed_key(struct step *step)
{
    struct twilio_call_input input;
    struct err err;
    const int64_t waits = number_of(step, "wait", WAITS_MAX);
    if (!voice_step_open(step))
        return;
    if (twilio_call_read_input(step->webhook->request->arena, &step->webhook->form, &input, &err) !=
        0)
        input.keys = "";
    if (waits > 0 || strcmp(input.keys, "1") == 0) {
        accept(step, waits);
    } else if (strcmp(input.keys, "2") == 0) {
        tell(step, VOICE_ANSWER_REFUSED);
        answer_hangup(step->webhook, step->channel, step->channel->voice->goodbye);
    } else if (number_of(step, "asked", ASKS_MAX) < ASKS_MAX) {
        ask(step, "1");
    } else {
        answer_hangup(step->webhook, step->channel, step->channel->voice->goodbye);
    }
}
