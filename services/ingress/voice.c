/* The first request of a call, and what Twilio tells of it. A caller whom no engine can be reached
 * for hears the fallback and is asked for a message at once. Called by routes.c. */
#include "voice.h"

#include "answer.h"
#include "base/stop.h"
#include "base/text.h"
#include "contract/twilio_call_end.h"
#include "counters.h"
#include "news.h"
#include "service/log.h"
#include "step_turn.h"

#include <string.h>

/* ---- whether somebody is there ---- */

bool voice_is_open(const struct ingress *ingress)
{
    return atomic_load(&ingress->stream_partition) >= 0 && !atomic_load(&ingress->mute) &&
           !atomic_load(&ingress->draining) &&
           atomic_load(&ingress->sockets) < ingress->settings.max_calls;
}

bool voice_pass_on(struct webhook *webhook, const char *call_sid)
{
    struct ingress *ingress = webhook->ingress;
    if (!atomic_load(&ingress->draining) || form_count(&webhook->form, "ErrorCode") > 0 ||
        !passed_on(ingress->passed, call_sid))
        return false;
    webhook_unavailable(webhook);
    return true;
}

/* ---- what is told to the engines ---- */

bool voice_call_of(struct arena *arena, const struct ingress *ingress,
                   const struct twilio_call *call, struct voice_call *out)
{
    const char *ours = twilio_call_ours(call);
    int partition = atomic_load(&ingress->stream_partition);
    if (!text_is_e164(ours))
        return false;
    *out = (struct voice_call){.call_sid = arena_strdup(arena, call->call_sid),
                               .account_sid = arena_strdup(arena, call->account_sid),
                               .from = arena_strdup(arena, twilio_call_person(call)),
                               .to = arena_strdup(arena, ours),
                               .relay_session = "",
                               .stream_partition = partition < 0 ? 0 : partition};
    return true;
}

/* That the call is over, for whatever reason it is; NULL if it cannot be told whose it was. */
static struct news *end_of(const struct webhook *webhook, const struct voice_owner *owner,
                           const struct twilio_call *call, enum voice_end reason)
{
    struct news *news = news_new(webhook->ingress, NEWS_ENDED);
    struct voice_ended *ended = &news->ended;
    ended->event = news_head(news, arena_printf(news->arena, "%s:ended", call->call_sid),
                             call->account_sid, owner->tenant);
    ended->outbound = twilio_call_is_outbound(call->direction);
    ended->missed = twilio_call_may_be_missed(owner->voice, call);
    ended->reason = reason;
    const int64_t duration_s = twilio_call_read_duration(&webhook->form);
    ended->duration_s = duration_s > VOICE_SECONDS_MAX ? -1 : duration_s;
    ended->spoken = (struct voice_spoken){.seq = -1, .text = ""};
    if (!voice_call_of(news->arena, webhook->ingress, call, &ended->call))
        news_free(&news);
    return news;
}

bool voice_tell_ended(struct webhook *webhook, const struct voice_owner *owner,
                      const struct twilio_call *call, bool hung_up)
{
    enum voice_end reason;
    if (!twilio_call_is_over(call->status, &reason))
        return false;
    struct news *news =
        end_of(webhook, owner, call, reason == VOICE_COMPLETED && hung_up ? VOICE_HUNG_UP : reason);
    if (news != NULL)
        news_send(&news);
    return true;
}

void voice_deliver(struct webhook *webhook, struct news **news)
{
    const struct ingress *ingress = webhook->ingress;
    bool away = atomic_load(&ingress->mute);
    webhook->response->status = 204;
    if (news_deliver(news, away ? 0 : ingress->settings.produce_deadline_ms))
        return;
    log_warn("webhook.not_published", LOG_TEXT("route", webhook->name), LOG_BOOL("away", away));
    webhook_unavailable(webhook);
}

/* ---- a call comes in ---- */

/* Twilio asks the fallback URL of a number, which may be this one, in the middle of a call too:
 * then the caller was greeted. A call that still rings has only lost its first request. */
static bool goes_on(const struct form *form, const struct twilio_call *call)
{
    return form_count(form, "ErrorCode") > 0 && strcmp(call->status, "ringing") != 0;
}

static void take_call(struct webhook *webhook, const struct channel *channel)
{
    const struct directory_voice *voice = channel->voice;
    struct answer answer = {.webhook = webhook, .channel = channel, .call_sid = "", .person = ""};
    struct twilio_call call;
    struct err err;
    if (twilio_call_read(&webhook->form, &call, &err) != 0) {
        webhook_refuse(webhook, 400, err.code);
        answer_unheard(&answer);
        return;
    }
    answer.call_sid = call.call_sid;
    answer.person = twilio_call_person(&call);
    answer.attestation = twilio_call_attestation(call.stir_verstat);
    bool outbound = twilio_call_is_outbound(call.direction);
    const bool greeted = outbound || goes_on(&webhook->form, &call);
    const struct voice_owner owner = {channel->tenant, voice};
    if (voice_tell_ended(webhook, &owner, &call, false))
        answer_nothing(webhook);
    else if (!outbound && twilio_call_is_blocked(voice, answer.person))
        answer_reject(webhook);
    else if (voice->mode == DIRECTORY_RELAY && voice_is_open(webhook->ingress))
        answer_relay(&answer, greeted ? ANSWER_GREETED : ANSWER_GREETS, 0);
    else if (voice_pass_on(webhook, call.call_sid))
        return;
    else if (voice->mode == DIRECTORY_GATHER && step_turn_is_open(webhook->ingress))
        step_turn_begin(&answer, &call, outbound);
    else if (greeted)
        answer_message(&answer, VOICE_RECORD_FALLBACK, voice->fallback);
    else
        answer_unheard(&answer);
}

static void take_status(struct webhook *webhook, const struct channel *channel)
{
    struct twilio_call call;
    struct err err;
    if (twilio_call_read(&webhook->form, &call, &err) != 0) {
        webhook_refuse(webhook, 400, err.code);
        return;
    }
    enum voice_end reason;
    const struct voice_owner owner = {channel->tenant, channel->voice};
    struct news *news =
        twilio_call_is_over(call.status, &reason) ? end_of(webhook, &owner, &call, reason) : NULL;
    webhook->response->status = 204;
    if (news != NULL)
        voice_deliver(webhook, &news);
}

/* Which number is ours is told by the form; a lie there finds keys that did not sign it. */
static void verify(struct webhook *webhook,
                   void (*take)(struct webhook *webhook, const struct channel *channel))
{
    if (!webhook_open(webhook))
        return;
    STOP_POINT("ingress.read", form_get(&webhook->form, "CallSid"));
    bool outbound = twilio_call_is_outbound(form_get(&webhook->form, "Direction"));
    const char *ours = form_get(&webhook->form, outbound ? "From" : "To");
    webhook->address = ours == NULL ? "" : ours;
    struct channel *channel =
        directory_find(webhook->ingress->directory, "voice", webhook->address);
    webhook->address_is_ours = channel != NULL;
    if (channel == NULL || channel->key_count == 0)
        webhook_refuse(webhook, 403, "signature.uncheckable");
    else if (!webhook_is_signed(webhook, &channel, 1))
        webhook_refuse(webhook, 403, "signature.wrong");
    else
        take(webhook, channel);
    channel_release(&channel);
}

void voice_handle(struct webhook *webhook)
{
    verify(webhook, take_call);
}

void voice_status_handle(struct webhook *webhook)
{
    verify(webhook, take_status);
}
