/* What a caller says in webhook mode, and what he is answered. His words are published under the
 * number of the step in our own URL, so that the same request again is the same event; the engine's
 * answer comes on the partition that the newest request of the step names. Called by voice.c and
 * voice_step.c. */
#include "step_turn.h"

#include "base/text.h"
#include "contract/call_token.h"
#include "counters.h"
#include "news.h"
#include "service/log.h"
#include "step_answer.h"
#include "voice_step_inside.h"
#include "waiting.h"
#include "words.h"

#include <string.h>

#define WAITS_MAX 3 /* requests that wait on for one answer; then a message */
#define REQUESTS_MAX                                                                               \
    12                 /* requests for it, also those that find no place to wait; then a message   \
                        */
#define ASKS_MAX   1   /* questions whether the caller is there, in a row; then a message */
#define UNCLEAR_PM 300 /* speech that is less sure is not answered, but asked for again, once */

bool step_turn_is_open(const struct ingress *ingress)
{
    return atomic_load(&ingress->stream_partition) >= 0 && !atomic_load(&ingress->mute);
}

/* ---- what is told to the engines ---- */

/* What all news of the call begin with; NULL when our number is none. */
static struct news *news_of(const struct webhook *webhook, enum news_kind kind, const char *tenant,
                            const struct twilio_call *call, struct event *event,
                            struct voice_call *of)
{
    struct news *news = news_new(webhook->ingress, kind);
    *event = news_head(news, "", call->account_sid, tenant); /* the encoder makes the id */
    if (!voice_call_of(news->arena, webhook->ingress, call, of))
        news_free(&news);
    return news;
}

static struct news *setup_of(const struct webhook *webhook, const char *tenant,
                             const struct twilio_call *call)
{
    struct event event;
    struct voice_call of;
    struct news *news = news_of(webhook, NEWS_SETUP, tenant, call, &event, &of);
    if (news == NULL)
        return NULL;
    news->setup = (struct voice_setup){
        .event = event,
        .call = of,
        .forwarded_from = arena_strdup(news->arena, call->forwarded_from),
        .caller_name = arena_strndup(news->arena, call->caller_name,
                                     text_utf8_prefix(call->caller_name, VOICE_NAME_MAX)),
        .attestation = twilio_call_attestation(call->stir_verstat),
        .spoken = {.seq = -1, .text = ""}};
    return news;
}

static void tell_begun(const struct answer *answer, const struct twilio_call *call, bool outbound)
{
    struct news *news = setup_of(answer->webhook, answer->channel->tenant, call);
    if (news == NULL)
        return;
    news->setup.outbound = outbound;
    news_send(&news);
}

static struct news *waits_of(const struct step *step, int wait)
{
    struct news *news = setup_of(step->webhook, step->tenant, &step->call);
    if (news == NULL)
        return NULL;
    news->setup.resumed = true;
    news->setup.step = step->path.step;
    news->setup.wait = wait;
    return news;
}

static struct news *prompt_of(const struct step *step, const struct twilio_call_input *input)
{
    struct event event;
    struct voice_call of;
    struct news *news = news_of(step->webhook, NEWS_PROMPT, step->tenant, &step->call, &event, &of);
    const bool keys = input->speech[0] == '\0';
    if (news == NULL)
        return NULL;
    news->prompt =
        (struct voice_prompt){.event = event,
                              .call = of,
                              .number = step->path.step,
                              .text = keys ? "" : arena_strdup(news->arena, input->speech),
                              .keys = keys ? arena_strdup(news->arena, input->keys) : "",
                              .lang = "",
                              .confidence_pm = input->confidence_pm > 0 ? input->confidence_pm : 0};
    return news;
}

/* All of the answer stands in the document: `last`, as in streaming mode when all is written. */
static void tell_heard(const struct step *step, const struct voice_frame *frame)
{
    struct event event;
    struct voice_call of;
    struct news *news = news_of(step->webhook, NEWS_HEARD, step->tenant, &step->call, &event, &of);
    if (news == NULL)
        return;
    news->heard = (struct voice_heard){.event = event,
                                       .call = of,
                                       .reason = VOICE_LAST,
                                       .spoken = {.turn = frame->turn,
                                                  .fence = frame->fence,
                                                  .epoch = frame->epoch,
                                                  .seq = frame->seq,
                                                  .text = arena_strdup(news->arena, frame->text)}};
    news_send(&news);
}

/* ---- the answer ---- */

static struct arena *arena_of(const struct step *step)
{
    return step->webhook->request->arena;
}

static void gather(const struct step *step, const struct step_told *told, const char *words)
{
    step_answer_gather(&step->answer, step->path.step + 1, told, words);
}

static void speak(const struct step *step, const char *lang, const struct voice_frame *frame)
{
    const struct step_told told = {.lang = frame->lang[0] != '\0' ? frame->lang : lang};
    struct handoff handoff = {.kind = HANDOFF_RELAY};
    struct err err;
    if (frame->text[0] != '\0')
        tell_heard(step, frame);
    if (frame->handoff[0] != '\0' &&
        handoff_read(arena_of(step), frame->handoff, &handoff, &err) != 0) {
        log_error("step.handoff", LOG_TEXT("call", step->call.call_sid), LOG_ERR(&err));
        handoff.kind = HANDOFF_RELAY;
    }
    if (handoff.kind == HANDOFF_RELAY)
        gather(step, &told, frame->text);
    else
        step_answer_hand_off(&step->answer, &handoff, frame->text);
}

static void give_up(const struct step *step, const char *cause)
{
    metric_add(counters.fallbacks, 1);
    log_warn("call.fallback", LOG_TEXT("call", step->call.call_sid), LOG_TEXT("cause", cause));
    voice_step_give_up(step);
}

/* Tells the engine and waits for its answer until then (0: Kafka is away, nobody hears it now);
 * this is the `wait`th request after the step's own. One that finds no place has not waited, and is
 * not counted as if it had. Takes the news. */
static void ask(const struct step *step, struct news *news, int64_t until_ms, int wait)
{
    const struct step_told told = step_answer_read(&step->query);
    struct step_told kept = {.lang = told.lang, .crowded = told.crowded};
    struct waiting *waiting = step->webhook->ingress->waiting;
    struct waiter *waiter = waiting_begin(
        waiting, &(struct waiting_for){step->tenant, step->call.call_sid, step->path.step});
    enum waiting_outcome outcome = WAITING_LATE;
    struct voice_frame frame;
    bool sent = news != NULL && news_send(&news);
    if (waiter != NULL) {
        outcome = waiting_end(&waiter, sent ? until_ms : 0, arena_of(step), &frame);
    } else {
        metric_add(counters.steps_crowded, 1);
        kept.crowded++;
    }
    if (outcome == WAITING_ANSWERED)
        speak(step, told.lang, &frame);
    else if (!sent || until_ms == 0 || outcome == WAITING_FAILED)
        give_up(step, "kafka");
    else if (wait - kept.crowded >= WAITS_MAX || wait >= REQUESTS_MAX)
        give_up(step, "silence");
    else
        step_answer_wait(&step->answer, step->path.step, wait + 1, &kept);
}

static bool open_step(struct step *step)
{
    if (!voice_step_open(step))
        return false;
    step->answer.step = step->path.step;
    return true;
}

/* ---- a Gather is over ---- */

static void on_silence(const struct step *step)
{
    const struct directory_voice *voice = step->channel->voice;
    struct step_told told = step_answer_read(&step->query);
    told.unclear = false;
    told.silent_ms += STEP_QUIET_S * 1000;
    if (told.silent_ms < voice->silence_ms) {
        gather(step, &told, NULL);
        return;
    }
    told.silent_ms = 0;
    if (told.asked++ < ASKS_MAX)
        gather(step, &told, voice->still_there);
    else
        answer_message(&step->answer, VOICE_RECORD_FALLBACK, voice->record_prompt);
}

static bool is_unclear(const struct twilio_call_input *input)
{
    return input->speech[0] != '\0' && input->confidence_pm > 0 &&
           input->confidence_pm < UNCLEAR_PM;
}

/* Whoever was asked to say it again is answered, however sure Twilio is then. */
static void ask_to_repeat(const struct step *step, const struct step_told *before)
{
    const struct directory_voice *voice = step->channel->voice;
    const struct step_told told = {.unclear = true, .lang = before->lang};
    gather(step, &told,
           voice->not_understood[0] != '\0' ? voice->not_understood : voice->still_there);
}

static bool is_number(const struct step *step)
{
    return step->path.step > 0 && step->path.step < VOICE_STEP_MAX;
}

void step_turn_said(struct step *step)
{
    struct twilio_call_input input;
    struct err err;
    const int64_t until_ms = voice_step_until_ms(step);
    const struct step_told told = step_answer_read(&step->query);
    if (!open_step(step))
        return;
    if (twilio_call_read_input(arena_of(step), &step->webhook->form, &input, &err) != 0 ||
        !is_number(step)) {
        webhook_refuse(step->webhook, 400, "webhook.step");
        voice_step_give_up(step);
        return;
    }
    if (voice_pass_on(step->webhook, step->call.call_sid))
        return;
    const bool keys = input.speech[0] == '\0';
    const int64_t delay_ms = step_answer_delay_ms(step->channel->voice, keys);
    if (keys && input.keys[0] == '\0')
        on_silence(step);
    else if (is_unclear(&input) && !told.unclear)
        ask_to_repeat(step, &told);
    else
        ask(step, prompt_of(step, &input),
            step_turn_is_open(step->webhook->ingress) ? until_ms - delay_ms : 0, 0);
}

/* ---- a filler is over ---- */

/* As ask() counts: the requests before the `wait`th, and the step's own, were `wait`. */
static bool is_waited(int64_t wait, int crowded)
{
    return crowded <= wait && wait - crowded <= WAITS_MAX;
}

void step_turn_wait(struct step *step)
{
    const int64_t until_ms = voice_step_until_ms(step);
    int64_t wait = 0;
    const char *text = form_get(&step->query, "wait");
    if (!open_step(step))
        return;
    if (text == NULL || !text_parse_int(text, 1, REQUESTS_MAX, &wait) || !is_number(step) ||
        !is_waited(wait, step_answer_read(&step->query).crowded)) {
        webhook_refuse(step->webhook, 400, "webhook.step");
        voice_step_give_up(step);
        return;
    }
    if (!voice_pass_on(step->webhook, step->call.call_sid))
        ask(step, waits_of(step, (int)wait), until_ms, (int)wait);
}

/* It is the answer to a step in which nobody says anything. */
void step_turn_back(struct step *step)
{
    const struct step_told told = step_answer_read(&step->query);
    step_answer_wait(&step->answer, step->path.step + 1, 1, &told);
}

/* ---- the first request ---- */

/* The step that Twilio could not get, if it asks for that reason. */
static bool read_lost(const struct answer *answer, struct call_step *lost)
{
    char tenant[UUID_TEXT_SIZE];
    const char *url = form_get(&answer->webhook->form, "ErrorUrl");
    const char *path = url != NULL ? strstr(url, "/twilio/voice/") : NULL;
    if (path == NULL)
        return false;
    path = arena_strndup(answer->webhook->request->arena, path, strcspn(path, "?#"));
    return call_token_read_step(path, lost) &&
           strcmp(uuid_format(&lost->tenant, tenant), answer->channel->tenant) == 0;
}

/* What the caller said in a step that was lost may have reached the engine: its answer is waited
 * for. What was lost otherwise would be lost again. */
void step_turn_begin(const struct answer *answer, const struct twilio_call *call, bool outbound)
{
    const struct directory_voice *voice = answer->channel->voice;
    const struct step_told told = {.lang = ""};
    struct call_step lost;
    if (!read_lost(answer, &lost)) {
        tell_begun(answer, call, outbound);
        step_answer_gather(
            answer, 1, &told,
            outbound && answer->say == NULL
                ? NULL
                : words_greeting(answer->webhook->request->arena, voice, answer->say));
    } else if (strcmp(lost.kind, "step") == 0 && lost.step > 0) {
        step_answer_wait(answer, lost.step, 1, &told);
    } else {
        answer_message(answer, VOICE_RECORD_FALLBACK, voice->fallback);
    }
}
