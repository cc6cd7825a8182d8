/* desk.voice.setup and .ended: a call is there, a call is over. Written by ingress; what ended
 * also by deskctl's release and reconcile and by the responder's gap audit. Read by the engine. */
#include "contract/event_voice.h"

#include <inttypes.h>

/* ---- setup ---- */

/* A socket is there once, a step's answer may be waited for more than once; 0 is no frame's and no
 * step's number. */
static const char *setup_id(struct arena *arena, const void *event)
{
    const struct voice_setup *setup = event;
    const struct voice_call *call = &setup->call;
    if (call->relay_session != NULL && call->relay_session[0] != '\0')
        return arena_printf(arena, "%s:%s:0", call->call_sid, call->relay_session);
    if (setup->step == 0)
        return arena_printf(arena, "%s:0", call->call_sid);
    return arena_printf(arena, "%s:%" PRId64 ":wait:%d", call->call_sid, setup->step, setup->wait);
}

static const char *setup_check(const void *event)
{
    const struct voice_setup *setup = event;
    bool relay = setup->call.relay_session[0] != '\0';
    if (relay && setup->step != 0)
        return "a relay's setup waits for no step";
    if ((setup->step == 0) != (setup->wait == 0))
        return "step and wait go together";
    if (!relay && setup->resumed != (setup->step > 0))
        return "in webhook mode a setup is resumed exactly when it waits for a step";
    if (!setup->resumed && !uuid_is_nil(&setup->spoken.turn))
        return "only a resumed call has heard something";
    return event_voice_spoken_check(&setup->spoken);
}

#define AT(m) offsetof(struct voice_setup, m)
static const struct event_member setup_members[] = {
    VOICE_CALL_ROWS(struct voice_setup),
    VOICE_BOOL("outbound", AT(outbound)),
    VOICE_BOOL("resumed", AT(resumed)),
    VOICE_NUMBER("step", EVENT_INT64, AT(step), false, 0, VOICE_STEP_MAX,
                 "a number from 0 to 1000000"),
    VOICE_NUMBER("wait", EVENT_INT, AT(wait), false, 0, VOICE_WAIT_MAX, "a number from 0 to 100"),
    VOICE_TEXT("forwarded_from", AT(forwarded_from), false, 1, VOICE_ADDRESS_MAX, event_is_line,
               "an address of at most 320 bytes"),
    VOICE_TEXT("caller_name", AT(caller_name), false, 1, VOICE_NAME_MAX, event_is_line,
               "a name of at most 255 bytes"),
    VOICE_TEXT("attestation", AT(attestation), false, 1, VOICE_ATTESTED_MAX, event_is_line,
               "a word of at most 16 bytes"),
    VOICE_NUMBER("gone_ms", EVENT_INT64, AT(gone_ms), false, 0, VOICE_GONE_MAX_MS,
                 "milliseconds, at most 60000"),
    VOICE_HEARD_ROWS(struct voice_setup),
    {0},
};
#undef AT

static const struct event_codec setup_codec =
    VOICE_CODEC(EVENT_VOICE_SETUP, struct voice_setup, setup_members, setup_id, setup_check);

void voice_setup_encode(struct arena *arena, const char *prefix, const struct voice_setup *in,
                        struct bus_record *record)
{
    struct voice_setup setup = *in;
    setup.spoken = event_voice_spoken(&in->spoken);
    event_encode(&setup_codec, arena, prefix, &setup, record);
}

int voice_setup_decode(struct arena *arena, const struct bus_record *record,
                       struct voice_setup *out, struct err *err)
{
    return event_decode(&setup_codec, arena, record, out, err);
}

/* ---- ended ---- */

static const char *const end_names[] = {"hung_up", "completed", "failed", "no_answer",
                                        "busy",    "canceled",  NULL};

static const char *ended_id(struct arena *arena, const void *event)
{
    return arena_printf(arena, "%s:ended", event_voice_call(event)->call_sid);
}

static const char *ended_check(const void *event)
{
    const struct voice_ended *ended = event;
    return event_voice_spoken_check(&ended->spoken);
}

#define AT(m) offsetof(struct voice_ended, m)
static const struct event_member ended_members[] = {
    VOICE_CALL_ROWS(struct voice_ended),
    VOICE_ENUM("reason", AT(reason), true, end_names,
               "hung_up, completed, failed, no_answer, busy or canceled"),
    VOICE_NUMBER("duration_s", EVENT_INT64, AT(duration_s), false, -1, VOICE_SECONDS_MAX,
                 "a number from 0 to 604800"),
    VOICE_BOOL("outbound", AT(outbound)),
    VOICE_BOOL("found", AT(found)),
    VOICE_BOOL("missed", AT(missed)),
    VOICE_HEARD_ROWS(struct voice_ended),
    {0},
};
#undef AT

static const struct event_codec ended_codec =
    VOICE_CODEC(EVENT_VOICE_ENDED, struct voice_ended, ended_members, ended_id, ended_check);

void voice_ended_encode(struct arena *arena, const char *prefix, const struct voice_ended *in,
                        struct bus_record *record)
{
    struct voice_ended ended = *in;
    ended.spoken = event_voice_spoken(&in->spoken);
    event_encode(&ended_codec, arena, prefix, &ended, record);
}

int voice_ended_decode(struct arena *arena, const struct bus_record *record,
                       struct voice_ended *out, struct err *err)
{
    return event_decode(&ended_codec, arena, record, out, err);
}
