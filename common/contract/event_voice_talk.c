/* desk.voice.prompt and .heard: what the caller said, and what he heard. They share a partition, in
 * the order in which they happened. Written by ingress, read by the engine. */
#include "contract/event_voice.h"

#include <inttypes.h>
#include <string.h>

/* ---- prompt ---- */

static const char *prompt_id(struct arena *arena, const void *event)
{
    const struct voice_prompt *prompt = event;
    const struct voice_call *call = &prompt->call;
    if (call->relay_session != NULL && call->relay_session[0] != '\0')
        return arena_printf(arena, "%s:%s:%" PRId64, call->call_sid, call->relay_session,
                            prompt->number);
    return arena_printf(arena, "%s:%" PRId64, call->call_sid, prompt->number);
}

static bool is_keys(const char *text)
{
    return text[strspn(text, "0123456789*#ABCD")] == '\0';
}

static const char *prompt_check(const void *event)
{
    const struct voice_prompt *prompt = event;
    if ((prompt->text[0] == '\0') == (prompt->keys[0] == '\0'))
        return "a prompt has text or keys, and not both";
    return NULL;
}

#define AT(m) offsetof(struct voice_prompt, m)
static const struct event_member prompt_members[] = {
    VOICE_CALL_ROWS(struct voice_prompt),
    VOICE_NUMBER("number", EVENT_INT64, AT(number), true, 1, VOICE_NUMBER_MAX,
                 "a number from 1 to 1000000000"),
    VOICE_TEXT("text", AT(text), false, 1, VOICE_PROMPT_MAX, NULL, "a text of at most 4096 bytes"),
    VOICE_TEXT("keys", AT(keys), false, 1, VOICE_KEYS_MAX, is_keys, "at most 64 of 0-9 * # A-D"),
    VOICE_TEXT("lang", AT(lang), false, 1, VOICE_LANG_MAX, event_is_language_tag,
               "a language tag of at most 35 bytes"),
    VOICE_NUMBER("confidence_pm", EVENT_INT, AT(confidence_pm), false, 0, 1000,
                 "a number from 0 to 1000"),
    {0},
};
#undef AT

static const struct event_codec prompt_codec =
    VOICE_CODEC(EVENT_VOICE_PROMPT, struct voice_prompt, prompt_members, prompt_id, prompt_check);

void voice_prompt_encode(struct arena *arena, const char *prefix, const struct voice_prompt *in,
                         struct bus_record *record)
{
    event_encode(&prompt_codec, arena, prefix, in, record);
}

int voice_prompt_decode(struct arena *arena, const struct bus_record *record,
                        struct voice_prompt *out, struct err *err)
{
    return event_decode(&prompt_codec, arena, record, out, err);
}

/* ---- heard ---- */

const char *const voice_reason_names[] = {"last",  "interrupt", "stall",    "open",
                                          "close", "stop",      "fallback", NULL};

static const char *heard_id(struct arena *arena, const void *event)
{
    const struct voice_heard *heard = event;
    char turn[UUID_TEXT_SIZE];
    return arena_printf(arena, "%s:%s:%" PRId64 ":%s:%" PRId64, heard->call.call_sid,
                        uuid_format(&heard->spoken.turn, turn), heard->spoken.fence,
                        voice_reason_names[heard->reason], heard->spoken.seq);
}

static const char *heard_check(const void *event)
{
    const struct voice_heard *heard = event;
    if (heard->reason == VOICE_LAST && heard->spoken.seq < 0)
        return "a last frame has a seq";
    return NULL;
}

#define AT(m) offsetof(struct voice_heard, m)
static const struct event_member heard_members[] = {
    VOICE_CALL_ROWS(struct voice_heard),
    VOICE_ENUM("reason", AT(reason), true, voice_reason_names,
               "last, interrupt, stall, open, close, stop or fallback"),
    VOICE_ID("turn", AT(spoken.turn), true),
    VOICE_NUMBER("fence", EVENT_INT64, AT(spoken.fence), true, 1, VOICE_COUNT_MAX,
                 "a whole number from 1"),
    VOICE_NUMBER("epoch", EVENT_INT64, AT(spoken.epoch), true, 0, VOICE_COUNT_MAX,
                 "a whole number from 0"),
    VOICE_NUMBER("seq", EVENT_INT64, AT(spoken.seq), true, -1, VOICE_SEQ_MAX,
                 "a number from -1 to 1000000"),
    VOICE_TEXT("text", AT(spoken.text), true, 0, VOICE_HEARD_MAX, NULL,
               "a text of at most 16384 bytes"),
    VOICE_NUMBER("spoken_ms", EVENT_INT64, AT(spoken_ms), true, 0, VOICE_SPOKEN_MS_MAX,
                 "a number from 0 to 604800000"),
    {0},
};
#undef AT

static const struct event_codec heard_codec =
    VOICE_CODEC(EVENT_VOICE_HEARD, struct voice_heard, heard_members, heard_id, heard_check);

void voice_heard_encode(struct arena *arena, const char *prefix, const struct voice_heard *in,
                        struct bus_record *record)
{
    event_encode(&heard_codec, arena, prefix, in, record);
}

int voice_heard_decode(struct arena *arena, const struct bus_record *record,
                       struct voice_heard *out, struct err *err)
{
    return event_decode(&heard_codec, arena, record, out, err);
}
