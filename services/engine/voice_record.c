/* Reads what ingress tells of calls: see voice_record.h. voice_intake.c calls it. */
#include "voice_record.h"

#include "base/strbuf.h"
#include "crypto/crypto.h"

#include <string.h>

static void hash_text(const char *from, const char *to, const char *text, uint8_t out[32])
{
    struct strbuf all;
    strbuf_init(&all, 64 * 1024);
    strbuf_printf(&all, "%s\n%s\n%s", from, to, text);
    crypto_sha256(all.data, all.length, out);
    strbuf_fini(&all);
}

/* `body` is "" where nothing is said. */
static struct inbox_event event_of(struct intake *intake, const struct event *event,
                                   const struct voice_call *call, const char *body)
{
    const char *tenant = event->tenant, *address = voice_contact(call);
    struct inbox_event out = {
        .tenant = tenant,
        .channel = "voice",
        .provider_id = event->id,
        .sender = call->to,
        .address = address,
        .body = body,
        .event_time_ms = event->time_ms,
        .consent = INBOX_NOTE,
        .traceparent = event->traceparent,
        .session =
            intake_ident(intake, (const char *[]){"session", tenant, "voice", call->call_sid}, 4),
        .contact = intake_ident(intake, (const char *[]){"contact", tenant, "phone", address}, 4),
        .message = intake_ident(intake, (const char *[]){"message", tenant, "voice", event->id}, 4),
        .address_hash =
            intake_ident(intake, (const char *[]){"address", tenant, "phone", address}, 4),
        .conversation = uuid_new(),
    };
    hash_text(address, call->to, body, out.content_hash);
    return out;
}

static struct voice_record item_from(enum item_kind kind, const struct voice_call *call)
{
    return (struct voice_record){.kind = kind,
                                 .call_sid = call->call_sid,
                                 .attestation = "",
                                 .partition = call->stream_partition};
}

/* Whom we have called is reached by his number, whatever a carrier finds. */
static const char *attestation_of(const struct voice_setup *setup)
{
    static const char *const words[] = {"full", "partial", "failed"};
    if (setup->outbound)
        return words[0];
    for (size_t i = 0; i < sizeof words / sizeof *words; i++)
        if (strcmp(setup->attestation, words[i]) == 0)
            return words[i];
    return "";
}

static int read_setup(struct intake *intake, const struct bus_record *record,
                      struct voice_record *item, struct inbox_event *event, struct err *err)
{
    struct voice_setup setup;
    if (voice_setup_decode(intake->arena, record, &setup, err) != 0)
        return -1;
    *item = item_from(!setup.resumed    ? ITEM_NOTE
                      : setup.step == 0 ? ITEM_RESUMED
                                        : ITEM_WAIT,
                      &setup.call);
    item->attestation = attestation_of(&setup);
    item->gone_ms = setup.gone_ms;
    item->reason = "close";
    item->spoken = setup.spoken;
    item->step = setup.step;
    item->wait = setup.wait;
    *event = event_of(intake, &setup.event, &setup.call, "");
    return 0;
}

static int read_prompt(struct intake *intake, const struct bus_record *record,
                       struct voice_record *item, struct inbox_event *event, struct err *err)
{
    struct voice_prompt prompt;
    if (voice_prompt_decode(intake->arena, record, &prompt, err) != 0)
        return -1;
    *item = item_from(ITEM_PROMPT, &prompt.call);
    item->step = prompt.call.relay_session[0] == '\0' ? prompt.number : 0;
    *event = event_of(intake, &prompt.event, &prompt.call,
                      prompt.keys[0] == '\0'
                          ? prompt.text
                          : arena_printf(intake->arena, "[keys pressed: %s]", prompt.keys));
    event->consent = INBOX_NO_WORD;
    return 0;
}

static int read_heard(struct intake *intake, const struct bus_record *record,
                      struct voice_record *item, struct inbox_event *event, struct err *err)
{
    struct voice_heard heard;
    if (voice_heard_decode(intake->arena, record, &heard, err) != 0)
        return -1;
    *item = item_from(ITEM_HEARD, &heard.call);
    item->reason = voice_reason_names[heard.reason];
    item->spoken = heard.spoken;
    *event = event_of(intake, &heard.event, &heard.call, "");
    return 0;
}

static int read_ended(struct intake *intake, const struct bus_record *record,
                      struct voice_record *item, struct inbox_event *event, struct err *err)
{
    struct voice_ended ended;
    if (voice_ended_decode(intake->arena, record, &ended, err) != 0)
        return -1;
    const bool answered = ended.reason == VOICE_HUNG_UP || ended.reason == VOICE_COMPLETED;
    *item = item_from(ended.outbound ? ITEM_ENDED
                      : ended.found  ? ITEM_FOUND
                      : ended.missed ? ITEM_MISSED
                      : answered     ? ITEM_OVER
                                     : ITEM_ENDED,
                      &ended.call);
    item->message.found = ended.found;
    item->message.was_answered = answered;
    item->message.tell_in_ms = intake->engine->shared->settings.missed_call_wait_ms;
    item->reason = "close";
    item->spoken = ended.spoken;
    *event = event_of(intake, &ended.event, &ended.call, "");
    return 0;
}

static int read_dialled(struct intake *intake, const struct bus_record *record,
                        struct voice_record *item, struct inbox_event *event, struct err *err)
{
    static const char *const words[] = {[VOICE_ACCEPTED] = "a person took the call",
                                        [VOICE_REFUSED] = "the person declined",
                                        [VOICE_DIAL_NO_ANSWER] = "nobody answered",
                                        [VOICE_DIAL_BUSY] = "the line was busy",
                                        [VOICE_DIAL_FAILED] = "it failed",
                                        [VOICE_DIAL_HUNG_UP] = "the caller hung up",
                                        [VOICE_DIAL_VOICEMAIL] = "a voicemail answered"};
    struct voice_dialled dialled;
    if (voice_dialled_decode(intake->arena, record, &dialled, err) != 0)
        return -1;
    *item = item_from(ITEM_DIALLED, &dialled.call);
    item->dial = dialled.dial;
    item->reason = voice_dial_names[dialled.outcome];
    *event = event_of(intake, &dialled.event, &dialled.call,
                      arena_printf(intake->arena, "Transfer of the call: %s (%lld s).",
                                   words[dialled.outcome], (long long)dialled.duration_s));
    return 0;
}

static int read_answered(struct intake *intake, const struct bus_record *record,
                         struct voice_record *item, struct inbox_event *event, struct err *err)
{
    struct voice_answered answered;
    if (voice_answered_decode(intake->arena, record, &answered, err) != 0)
        return -1;
    *item = item_from(ITEM_ANSWERED, &answered.call);
    item->answered =
        (struct call_answer){answered.event.tenant, answered.delivery,
                             voice_answer_names[answered.outcome], answered.event.time_ms};
    *event = event_of(intake, &answered.event, &answered.call, "");
    return 0;
}

static int read_recorded(struct intake *intake, const struct bus_record *record,
                         struct voice_record *item, struct inbox_event *event, struct err *err)
{
    struct voice_recorded recorded;
    if (voice_recorded_decode(intake->arena, record, &recorded, err) != 0)
        return -1;
    *item = item_from(ITEM_TASK, &recorded.call);
    item->message = (struct voice_message){
        .account_sid = recorded.call.account_sid,
        .recording_sid = recorded.recording_sid,
        .duration_s = recorded.duration_s,
        .tell_in_ms =
            recorded.transcript_follows ? intake->engine->shared->settings.transcript_wait_ms : 0};
    *event = event_of(intake, &recorded.event, &recorded.call,
                      arena_printf(intake->arena, "The caller left a spoken message (%lld s).",
                                   (long long)recorded.duration_s));
    return 0;
}

/* The note in its conversation is for whoever answers next. */
static int read_transcribed(struct intake *intake, const struct bus_record *record,
                            struct voice_record *item, struct inbox_event *event, struct err *err)
{
    struct voice_transcribed transcribed;
    if (voice_transcribed_decode(intake->arena, record, &transcribed, err) != 0)
        return -1;
    *item = item_from(ITEM_TRANSCRIPT, &transcribed.call);
    item->message = (struct voice_message){.account_sid = transcribed.call.account_sid,
                                           .recording_sid = transcribed.recording_sid,
                                           .transcript = transcribed.text};
    *event = event_of(intake, &transcribed.event, &transcribed.call,
                      voice_message_note(intake->arena, transcribed.text));
    return 0;
}

int voice_record_read(struct intake *intake, const struct bus_record *record,
                      struct voice_record *item, struct inbox_event *event, struct err *err)
{
    static const struct {
        const char *type;
        int (*read)(struct intake *intake, const struct bus_record *record,
                    struct voice_record *item, struct inbox_event *event, struct err *err);
    } types[] = {
        {EVENT_VOICE_SETUP, read_setup},       {EVENT_VOICE_PROMPT, read_prompt},
        {EVENT_VOICE_HEARD, read_heard},       {EVENT_VOICE_ENDED, read_ended},
        {EVENT_VOICE_DIALLED, read_dialled},   {EVENT_VOICE_ANSWERED, read_answered},
        {EVENT_VOICE_RECORDED, read_recorded}, {EVENT_VOICE_TRANSCRIBED, read_transcribed}};
    const char *type = bus_header_text(record, intake->arena, "ce_type");
    for (size_t i = 0; type != NULL && i < sizeof types / sizeof types[0]; i++)
        if (strcmp(type, types[i].type) == 0)
            return types[i].read(intake, record, item, event, err);
    return err_set(err, ERR_PERMANENT, "event.type", "no event of a call that is known here");
}
