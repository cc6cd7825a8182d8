/* desk.voice.dialled, .answered, .recorded and .transcribed: what became of a transfer, who took a
 * call that we placed, a message that the caller left, and what was understood of it. Written by
 * ingress, what was recorded also by deskctl's reconcile and the responder's gap audit; read by the
 * engine. */
#include "contract/event_voice.h"

/* ---- dialled ---- */

const char *const voice_dial_names[] = {"accepted", "refused", "no_answer", "busy",
                                        "failed",   "hung_up", "voicemail", NULL};

/* That a machine took it is told by itself, before or behind how it ended. */
static const char *dialled_id(struct arena *arena, const void *event)
{
    const struct voice_dialled *dialled = event;
    char dial[UUID_TEXT_SIZE];
    return arena_printf(arena, "%s:dialled:%s%s", dialled->call.call_sid,
                        uuid_format(&dialled->dial, dial),
                        dialled->outcome == VOICE_DIAL_VOICEMAIL ? ":voicemail" : "");
}

#define AT(m) offsetof(struct voice_dialled, m)
static const struct event_member dialled_members[] = {
    VOICE_CALL_ROWS(struct voice_dialled),
    VOICE_ID("dial", AT(dial), true),
    VOICE_ENUM("outcome", AT(outcome), true, voice_dial_names,
               "accepted, refused, no_answer, busy, failed, hung_up or voicemail"),
    VOICE_NUMBER("duration_s", EVENT_INT64, AT(duration_s), true, 0, VOICE_SECONDS_MAX,
                 "a number from 0 to 604800"),
    {0},
};
#undef AT

static const struct event_codec dialled_codec =
    VOICE_CODEC(EVENT_VOICE_DIALLED, struct voice_dialled, dialled_members, dialled_id, NULL);

void voice_dialled_encode(struct arena *arena, const char *prefix, const struct voice_dialled *in,
                          struct bus_record *record)
{
    event_encode(&dialled_codec, arena, prefix, in, record);
}

int voice_dialled_decode(struct arena *arena, const struct bus_record *record,
                         struct voice_dialled *out, struct err *err)
{
    return event_decode(&dialled_codec, arena, record, out, err);
}

/* ---- answered ---- */

const char *const voice_answer_names[] = {"human", "machine", "accepted", "refused", NULL};

/* A call is taken once, and a key of it counts once. */
static const char *answered_id(struct arena *arena, const void *event)
{
    const struct voice_answered *answered = event;
    return arena_printf(arena, "%s:answered:%s", answered->call.call_sid,
                        voice_answer_names[answered->outcome]);
}

#define AT(m) offsetof(struct voice_answered, m)
static const struct event_member answered_members[] = {
    VOICE_CALL_ROWS(struct voice_answered),
    VOICE_ID("delivery", AT(delivery), true),
    VOICE_ENUM("outcome", AT(outcome), true, voice_answer_names,
               "human, machine, accepted or refused"),
    {0},
};
#undef AT

static const struct event_codec answered_codec =
    VOICE_CODEC(EVENT_VOICE_ANSWERED, struct voice_answered, answered_members, answered_id, NULL);

void voice_answered_encode(struct arena *arena, const char *prefix, const struct voice_answered *in,
                           struct bus_record *record)
{
    event_encode(&answered_codec, arena, prefix, in, record);
}

int voice_answered_decode(struct arena *arena, const struct bus_record *record,
                          struct voice_answered *out, struct err *err)
{
    return event_decode(&answered_codec, arena, record, out, err);
}

/* ---- recorded ---- */

static const char *const why_names[] = {"fallback", "closed", "asked", "transfer", NULL};

static const char *recorded_id(struct arena *arena, const void *event)
{
    const struct voice_recorded *recorded = event;
    return arena_strdup(arena, recorded->recording_sid);
}

#define AT(m) offsetof(struct voice_recorded, m)
static const struct event_member recorded_members[] = {
    VOICE_CALL_ROWS(struct voice_recorded),
    VOICE_TEXT("recording_sid", AT(recording_sid), true, 34, 36, event_is_recording_sid,
               "RE and 32 hexadecimal digits, or a uuid"),
    VOICE_TEXT("url", AT(url), true, 1, VOICE_URL_MAX, event_is_line,
               "a URL of at most 2048 bytes"),
    VOICE_NUMBER("duration_s", EVENT_INT64, AT(duration_s), true, 0, VOICE_SECONDS_MAX,
                 "a number from 0 to 604800"),
    VOICE_ENUM("why", AT(why), true, why_names, "fallback, closed, asked or transfer"),
    VOICE_BOOL("transcript_follows", AT(transcript_follows)),
    {0},
};
#undef AT

static const struct event_codec recorded_codec =
    VOICE_CODEC(EVENT_VOICE_RECORDED, struct voice_recorded, recorded_members, recorded_id, NULL);

void voice_recorded_encode(struct arena *arena, const char *prefix, const struct voice_recorded *in,
                           struct bus_record *record)
{
    event_encode(&recorded_codec, arena, prefix, in, record);
}

int voice_recorded_decode(struct arena *arena, const struct bus_record *record,
                          struct voice_recorded *out, struct err *err)
{
    return event_decode(&recorded_codec, arena, record, out, err);
}

/* ---- transcribed ---- */

const char *voice_transcript_id(struct arena *arena, const char *recording_sid)
{
    return arena_printf(arena, "%s:transcript", recording_sid);
}

static const char *transcribed_id(struct arena *arena, const void *event)
{
    const struct voice_transcribed *transcribed = event;
    return voice_transcript_id(arena, transcribed->recording_sid);
}

#define AT(m) offsetof(struct voice_transcribed, m)
static const struct event_member transcribed_members[] = {
    VOICE_CALL_ROWS(struct voice_transcribed),
    VOICE_TEXT("recording_sid", AT(recording_sid), true, 34, 36, event_is_recording_sid,
               "RE and 32 hexadecimal digits, or a uuid"),
    VOICE_TEXT("text", AT(text), false, 1, VOICE_TRANSCRIPT_MAX, NULL,
               "a text of at most 4096 bytes"),
    {0},
};
#undef AT

static const struct event_codec transcribed_codec = VOICE_CODEC(
    EVENT_VOICE_TRANSCRIBED, struct voice_transcribed, transcribed_members, transcribed_id, NULL);

void voice_transcribed_encode(struct arena *arena, const char *prefix,
                              const struct voice_transcribed *in, struct bus_record *record)
{
    event_encode(&transcribed_codec, arena, prefix, in, record);
}

int voice_transcribed_decode(struct arena *arena, const struct bus_record *record,
                             struct voice_transcribed *out, struct err *err)
{
    return event_decode(&transcribed_codec, arena, record, out, err);
}
