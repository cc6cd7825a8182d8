/* What a call does when one of its verbs is over, or a person who is rung up has answered. The
 * paths are ours (contract/call_token.h) and count once Twilio's signature fits a key of the tenant
 * that they name. What cannot be read ends in a message rather than in silence. Called by routes.c.
 */
#include "voice_step_inside.h"

#include "base/clock.h"
#include "base/text.h"
#include "contract/call_token.h"
#include "contract/relay.h"
#include "contract/twilio_call_end.h"
#include "handoff.h"
#include "news.h"
#include "request_start.h"
#include "service/log.h"
#include "step_turn.h"
#include "voice_placed.h"

#include <stdlib.h>
#include <string.h>

#define FAILURES_MAX 3       /* relay sessions that fail one after the other; then a message */
#define WELL_S       30      /* a session that lasted so long has served its caller */
#define NO_SOCKET    "64102" /* Twilio's code where it could not connect */

static struct arena *arena_of(const struct step *step)
{
    return step->webhook->request->arena;
}

/* ---- what all have in common ---- */

static const char *query_text(const struct step *step, const char *name)
{
    const char *value = form_get(&step->query, name);
    return value != NULL && text_is_utf8(value, strlen(value)) ? value : "";
}

static void find_channel(struct step *step, const char *ours)
{
    struct channel *channel = directory_find(step->webhook->ingress->directory, "voice", ours);
    if (channel != NULL && strcmp(channel->tenant, step->tenant) == 0)
        step->channel = channel;
    else
        channel_release(&channel);
}

bool voice_step_open(struct step *step)
{
    struct webhook *webhook = step->webhook;
    struct err err;
    if (twilio_call_read(&webhook->form, &step->call, &err) != 0) {
        webhook_refuse(webhook, 400, err.code);
        answer_hangup(webhook, NULL, NULL);
        return false;
    }
    find_channel(step, twilio_call_ours(&step->call));
    step->answer = (struct answer){.webhook = webhook,
                                   .channel = step->channel,
                                   .call_sid = step->call.call_sid,
                                   .person = twilio_call_person(&step->call)};
    const struct voice_owner owner = {step->tenant,
                                      step->channel == NULL ? NULL : step->channel->voice};
    if (voice_tell_ended(webhook, &owner, &step->call, true)) {
        answer_nothing(webhook);
        return false;
    }
    if (step->channel == NULL)
        answer_hangup(webhook, NULL, NULL);
    return step->channel != NULL;
}

void voice_step_give_up(const struct step *step)
{
    answer_message(&step->answer, VOICE_RECORD_FALLBACK, step->channel->voice->fallback);
}

int64_t voice_step_until_ms(const struct step *step)
{
    return clock_mono_ms() - request_start_held_ms(step->webhook->request) +
           step->webhook->ingress->settings.step_wait_ms;
}

/* Another relay session, unless too many failed or nobody would be there. */
static void relay_again(const struct step *step, enum answer_greeting greeting, int failures)
{
    if (failures < FAILURES_MAX && voice_is_open(step->webhook->ingress))
        answer_relay(&step->answer, greeting, failures);
    else if (voice_pass_on(step->webhook, step->call.call_sid))
        return;
    else if (greeting == ANSWER_GREETED)
        voice_step_give_up(step);
    else
        answer_unheard(&step->answer);
}

/* ---- Connect is over ---- */

static void hand_off(const struct step *step, enum answer_greeting greeting,
                     const struct handoff *handoff)
{
    const struct directory_voice *voice = step->channel->voice;
    switch (handoff->kind) {
    case HANDOFF_RELAY:
        relay_again(step, greeting, 0);
        break;
    case HANDOFF_RECORD:
        answer_message(&step->answer, handoff->why,
                       handoff->announced ? NULL : voice->record_prompt);
        break;
    case HANDOFF_HANGUP:
        answer_hangup(step->webhook, step->channel, NULL);
        break;
    case HANDOFF_DIAL:
        answer_dial(&step->answer, handoff, NULL);
        break;
    }
}

/* What a session left unsaid that was to greet, as its URL tells. Within the first second nobody
 * has heard or said anything; the consent line, which the greeting begins with, is said again
 * unless it has sounded to its end, a second after the socket was there. */
static enum answer_greeting left_unsaid(const struct step *step,
                                        const struct twilio_call_relayed *relayed)
{
    const struct directory_voice *voice = step->channel->voice;
    const int64_t consent_ms = (int64_t)strlen(voice->consent_line) * 10000 / voice->speaking_rate;
    if (form_count(&step->query, "greets") == 0)
        return ANSWER_GREETED;
    if (relayed->duration_s == 0 || strcmp(relayed->error_code, NO_SOCKET) == 0)
        return ANSWER_GREETS;
    return consent_ms > 0 && relayed->duration_s * 1000 <= consent_ms + 1000 ? ANSWER_CONSENTS
                                                                             : ANSWER_GREETED;
}

/* In a row: the path counts those before this one. */
static int failures_of(const struct step *step, const struct twilio_call_relayed *relayed)
{
    return relayed->duration_s >= WELL_S ? 1 : step->path.step + 1;
}

/* When the caller ceased to hear what was said: a session that was over at once said nothing. */
static int64_t parted_ms(const struct step *step, const struct twilio_call_relayed *relayed)
{
    int64_t before_ms;
    const bool spoke = relayed->duration_s > 0 && strcmp(relayed->error_code, NO_SOCKET) != 0;
    if (!spoke && text_parse_int(query_text(step, RELAY_PARTED), 1, INT64_MAX, &before_ms))
        return before_ms;
    return clock_wall_ms();
}

static void on_relay_ended(struct step *step)
{
    struct twilio_call_relayed relayed;
    struct handoff handoff;
    struct err err;
    const char *say = query_text(step, "say");
    if (!voice_step_open(step))
        return;
    step->answer.say = say[0] != '\0' ? say : NULL;
    step->answer.attestation = query_text(step, RELAY_ATTESTATION);
    if (twilio_call_read_relayed(arena_of(step), &step->webhook->form, &relayed, &err) != 0) {
        webhook_refuse(step->webhook, 400, err.code);
        voice_step_give_up(step);
        return;
    }
    step->answer.parted_ms = parted_ms(step, &relayed);
    if (relayed.handoff[0] == '\0') {
        log_warn("relay.failed", LOG_TEXT("call", step->call.call_sid),
                 LOG_TEXT("status", relayed.status), LOG_TEXT("code", relayed.error_code),
                 LOG_INT("failures", failures_of(step, &relayed)));
        relay_again(step, left_unsaid(step, &relayed), failures_of(step, &relayed));
    } else if (handoff_read(arena_of(step), relayed.handoff, &handoff, &err) != 0) {
        log_error("relay.handoff", LOG_TEXT("call", step->call.call_sid), LOG_ERR(&err));
        relay_again(step, left_unsaid(step, &relayed), failures_of(step, &relayed));
    } else {
        hand_off(step, left_unsaid(step, &relayed), &handoff);
    }
}

/* ---- Dial is over ---- */

/* A person who hangs up in the whisper leaves a call that was completed, but not bridged. Where
 * Twilio does not tell, who was rung up with a whisper has not accepted: the caller comes back to
 * the desk rather than being left by both. */
static enum voice_dial outcome_of(const struct twilio_call_dialled *dialled, bool cold)
{
    static const struct {
        const char *status;
        enum voice_dial outcome;
    } known[] = {{"busy", VOICE_DIAL_BUSY},
                 {"no-answer", VOICE_DIAL_NO_ANSWER},
                 {"canceled", VOICE_DIAL_HUNG_UP},
                 {"failed", VOICE_DIAL_FAILED}};
    for (size_t i = 0; i < sizeof known / sizeof known[0]; i++)
        if (strcmp(known[i].status, dialled->status) == 0)
            return known[i].outcome;
    bool talked =
        dialled->bridged == 1 || (cold && dialled->bridged < 0 && dialled->duration_s > 0);
    return talked ? VOICE_ACCEPTED : VOICE_REFUSED;
}

/* NULL: our number is none. */
static struct news *news_dialled(const struct step *step, const struct twilio_call *call,
                                 const struct uuid *dial, enum voice_dial outcome)
{
    struct news *news = news_new(step->webhook->ingress, NEWS_DIALLED);
    struct voice_dialled *dialled = &news->dialled;
    dialled->event = news_head(news, "", call->account_sid, step->tenant); /* the encoder's id */
    dialled->dial = *dial;
    dialled->outcome = outcome;
    if (!voice_call_of(news->arena, step->webhook->ingress, call, &dialled->call))
        news_free(&news);
    return news;
}

static void tell_dialled(const struct step *step, const struct uuid *dial, enum voice_dial outcome,
                         int64_t duration_s)
{
    bool counts = duration_s > 0 && duration_s <= VOICE_SECONDS_MAX && outcome == VOICE_ACCEPTED;
    struct news *news = news_dialled(step, &step->call, dial, outcome);
    if (news == NULL)
        return;
    news->dialled.duration_s = counts ? duration_s : 0;
    news_send(&news);
}

/* Nobody has the call: the engine has a word for the caller. */
static void come_back(struct step *step)
{
    if (step->path.step > 0)
        step_turn_back(step);
    else
        relay_again(step, ANSWER_GREETED, 0);
}

/* The form is read before the call is known to go on: also the caller who hung up is told of. */
static void on_dialled(struct step *step)
{
    struct webhook *webhook = step->webhook;
    struct twilio_call_dialled dialled;
    struct uuid dial;
    struct err err;
    const char *id = form_get(&step->query, "dial");
    if (twilio_call_read(&webhook->form, &step->call, &err) != 0 ||
        twilio_call_read_dialled(&webhook->form, &dialled, &err) != 0 || id == NULL ||
        !uuid_parse(id, &dial)) {
        if (voice_step_open(step))
            relay_again(step, ANSWER_GREETED, 0);
        return;
    }
    enum voice_dial outcome = outcome_of(&dialled, form_count(&step->query, "cold") > 0);
    tell_dialled(step, &dial, outcome, dialled.duration_s);
    if (!voice_step_open(step))
        return;
    if (outcome == VOICE_ACCEPTED)
        answer_hangup(webhook, step->channel, NULL);
    else
        come_back(step);
}

/* The desk takes the caller out of a call with a machine (services/responder/bring_back.c). */
static void on_returned(struct step *step)
{
    if (voice_step_open(step))
        come_back(step);
}

/* ---- the person who is rung up ---- */

/* What a callback that tells of no call but a sid has in its URL. False: that is not ours. */
static bool call_of_query(const struct step *step, const char *call_sid, const char *account_sid,
                          struct twilio_call *call)
{
    *call = (struct twilio_call){.call_sid = call_sid,
                                 .account_sid = account_sid,
                                 .from = query_text(step, "from"),
                                 .to = query_text(step, "to"),
                                 .direction = ""};
    return text_is_e164(call->to) && strlen(call->from) <= VOICE_ADDRESS_MAX;
}

static void on_whisper(struct step *step)
{
    find_channel(step, query_text(step, "to"));
    answer_whisper(step->webhook, step->channel, step->tenant, query_text(step, "say"));
}

/* Twilio listens beside the call: it holds up nothing, and the Dial's action is not told. */
static void on_machine(struct step *step)
{
    struct webhook *webhook = step->webhook;
    const char *sid = query_text(step, "call");
    struct twilio_call_detected detected;
    struct twilio_call call;
    struct uuid dial;
    struct err err;
    webhook->response->status = 204;
    if (twilio_call_read_detected(&webhook->form, &detected, &err) != 0 ||
        !twilio_call_is_sid(sid, "CA") || !uuid_parse(query_text(step, "dial"), &dial) ||
        !call_of_query(step, sid, detected.account_sid, &call)) {
        webhook_refuse(webhook, 400, "webhook.machine");
        return;
    }
    struct news *news = twilio_call_is_machine(detected.answered_by)
                            ? news_dialled(step, &call, &dial, VOICE_DIAL_VOICEMAIL)
                            : NULL;
    if (news != NULL)
        voice_deliver(webhook, &news);
}

/* Only the key 1 takes the call: an empty document lets the two be joined. */
static void on_accept(struct step *step)
{
    struct twilio_call_input input;
    struct err err;
    bool accepted =
        twilio_call_read_input(arena_of(step), &step->webhook->form, &input, &err) == 0 &&
        strcmp(input.keys, "1") == 0;
    if (accepted)
        answer_nothing(step->webhook);
    else
        answer_hangup(step->webhook, NULL, NULL);
}

/* ---- a message ---- */

static void on_recorded(struct step *step)
{
    if (voice_step_open(step))
        answer_hangup(step->webhook, step->channel, step->channel->voice->goodbye);
}

static bool message_call(struct step *step, const char *call_sid, const char *account_sid,
                         struct twilio_call *call)
{
    if (call_of_query(step, call_sid, account_sid, call) &&
        step->path.step <= VOICE_RECORD_TRANSFER)
        return true;
    webhook_refuse(step->webhook, 400, "webhook.recording");
    return false;
}

/* The recording can be fetched, or there is none. */
static void on_recording(struct step *step)
{
    struct webhook *webhook = step->webhook;
    struct twilio_call_recording recording;
    struct twilio_call call;
    struct err err;
    webhook->response->status = 204;
    if (twilio_call_read_recording(&webhook->form, &recording, &err) != 0) {
        webhook_refuse(webhook, 400, "webhook.recording");
        return;
    }
    if (!message_call(step, recording.call_sid, recording.account_sid, &call) ||
        strcmp(recording.status, "completed") != 0 || recording.sid[0] == '\0' ||
        recording.url[0] == '\0')
        return;
    struct news *news = news_new(webhook->ingress, NEWS_RECORDED);
    struct voice_recorded *recorded = &news->recorded;
    recorded->event = news_head(news, recording.sid, recording.account_sid, step->tenant);
    recorded->recording_sid = recorded->event.id;
    recorded->url = arena_strdup(news->arena, recording.url);
    recorded->duration_s = recording.duration_s < 0                   ? 0
                           : recording.duration_s > VOICE_SECONDS_MAX ? VOICE_SECONDS_MAX
                                                                      : recording.duration_s;
    recorded->why = (enum voice_record_why)step->path.step;
    recorded->transcript_follows = strcmp(query_text(step, "transcript"), "1") == 0;
    voice_call_of(news->arena, webhook->ingress, &call, &recorded->call);
    voice_deliver(webhook, &news);
}

/* What was understood of it, or nothing. */
static void on_transcript(struct step *step)
{
    struct webhook *webhook = step->webhook;
    struct twilio_call_transcript transcript;
    struct twilio_call call;
    struct err err;
    webhook->response->status = 204;
    if (twilio_call_read_transcript(arena_of(step), &webhook->form, &transcript, &err) != 0) {
        webhook_refuse(webhook, 400, "webhook.transcript");
        return;
    }
    if (!message_call(step, transcript.call_sid, transcript.account_sid, &call))
        return;
    struct news *news = news_new(webhook->ingress, NEWS_TRANSCRIBED);
    struct voice_transcribed *transcribed = &news->transcribed;
    transcribed->event = news_head(news, voice_transcript_id(news->arena, transcript.recording_sid),
                                   transcript.account_sid, step->tenant);
    transcribed->recording_sid = arena_strdup(news->arena, transcript.recording_sid);
    transcribed->text = arena_strdup(news->arena, transcript.text);
    voice_call_of(news->arena, webhook->ingress, &call, &transcribed->call);
    voice_deliver(webhook, &news);
}

/* ---- the paths ---- */

static const struct {
    const char *kind;
    void (*handle)(struct step *step);
} kinds[] = {
    {"relay-ended", on_relay_ended}, {"dialled", on_dialled},       {"whisper", on_whisper},
    {"accept", on_accept},           {"recorded", on_recorded},     {"recording", on_recording},
    {"transcript", on_transcript},   {"step", step_turn_said},      {"wait", step_turn_wait},
    {"back", voice_placed_back},     {"asked", voice_placed_asked}, {"key", voice_placed_key},
    {"machine", on_machine},         {"returned", on_returned},
};
#define KINDS (sizeof kinds / sizeof kinds[0])

static size_t kind_of(const struct call_step *path)
{
    size_t i = 0;
    while (i < KINDS && strcmp(kinds[i].kind, path->kind) != 0)
        i++;
    return i;
}

static void verify(struct step *step, size_t kind)
{
    const char *account = form_get(&step->webhook->form, "AccountSid");
    if (webhook_is_tenants(step->webhook, step->tenant, account == NULL ? "" : account))
        kinds[kind].handle(step);
}

void voice_step_handle(struct webhook *webhook)
{
    struct step step = {.webhook = webhook};
    const struct http_request *request = webhook->request;
    struct err err;
    if (!call_token_read_step(request->path, &step.path) || kind_of(&step.path) == KINDS) {
        webhook->response->status = 404;
        return;
    }
    if (!webhook_open(webhook))
        return;
    const char *to = form_get(&webhook->form, "To");
    webhook->address = to == NULL ? "" : to;
    uuid_format(&step.path.tenant, step.tenant);
    if (form_parse(request->arena, request->query, strlen(request->query), &step.query, &err) != 0)
        webhook_refuse(webhook, 403, "signature.uncheckable");
    else
        verify(&step, kind_of(&step.path));
    channel_release(&step.channel);
}
