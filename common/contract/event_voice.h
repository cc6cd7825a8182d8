/* Private to common/contract: what the events of a phone call have in common. Every struct of
 * desk.inbound.voice starts with its struct event and its struct voice_call. */
#ifndef DESK_CONTRACT_EVENT_VOICE_H
#define DESK_CONTRACT_EVENT_VOICE_H

#include "contract/event_codec.h"
#include "contract/voice.h"

#include "base/text.h"

/* The call of any event on desk.inbound.voice. */
const struct voice_call *event_voice_call(const void *event);

/* "tenant:contact" of any event on desk.inbound.voice. */
const char *event_voice_key(struct arena *arena, const void *event);

/* What setup and ended write of it: nothing when it is of no turn. */
struct voice_spoken event_voice_spoken(const struct voice_spoken *spoken);

/* Rule of setup and ended: what was spoken belongs to a turn, or there is nothing of it. NULL, or
 * what is wrong. */
const char *event_voice_spoken_check(const struct voice_spoken *spoken);

/* A row of a text, a whole number, and a yes or no that is absent when it is no; `at` is the
 * member's offset. */
#define VOICE_TEXT(name, at, required, min, max, check, what)                                      \
    {                                                                                              \
        name, EVENT_TEXT, at, required, min, max, check, what, 0, 0, NULL                          \
    }
#define VOICE_NUMBER(name, kind, at, required, min, max, what)                                     \
    {                                                                                              \
        name, kind, at, required, min, max, NULL, what, 0, 0, NULL                                 \
    }
#define VOICE_BOOL(name, at)                                                                       \
    {                                                                                              \
        name, EVENT_BOOL, at, false, 0, 0, NULL, "true or false", 0, 0, NULL                       \
    }
#define VOICE_ENUM(name, at, required, names, what)                                                \
    {                                                                                              \
        name, EVENT_ENUM, at, required, 0, 0, NULL, what, 0, 0, names                              \
    }
#define VOICE_ID(name, at, required)                                                               \
    {                                                                                              \
        name, EVENT_ID, at, required, 0, 0, NULL, "a uuid", 0, 0, NULL                             \
    }

#define VOICE_CALL_SID(at)                                                                         \
    VOICE_TEXT("call_sid", at, true, 34, 36, event_is_call_sid,                                    \
               "CA and 32 hexadecimal digits, or a uuid")

/* The rows of struct voice_call, first in every table of desk.inbound.voice. */
#define VOICE_CALL_ROWS(type)                                                                      \
    VOICE_CALL_SID(offsetof(type, call.call_sid)),                                                 \
        VOICE_TEXT("account_sid", offsetof(type, call.account_sid), true, 34, 36,                  \
                   event_is_account_sid, "AC and 32 hexadecimal digits, or a uuid"),               \
        VOICE_TEXT("from", offsetof(type, call.from), false, 1, VOICE_ADDRESS_MAX, event_is_line,  \
                   "an address of at most 320 bytes"),                                             \
        VOICE_TEXT("to", offsetof(type, call.to), true, 8, 16, text_is_e164, "an E.164 number"),   \
        VOICE_TEXT("relay_session", offsetof(type, call.relay_session), false, 34, 36,             \
                   event_is_relay_sid, "VX and 32 hexadecimal digits, or a uuid"),                 \
        VOICE_NUMBER("stream_partition", EVENT_INT, offsetof(type, call.stream_partition), true,   \
                     0, VOICE_PARTITION_MAX, "a number from 0 to 999")

/* The rows of a struct voice_spoken that may be of no turn. */
#define VOICE_HEARD_ROWS(type)                                                                     \
    VOICE_ID("heard_turn", offsetof(type, spoken.turn), false),                                    \
        VOICE_NUMBER("heard_fence", EVENT_INT64, offsetof(type, spoken.fence), false, 0,           \
                     VOICE_COUNT_MAX, "a whole number from 0"),                                    \
        VOICE_NUMBER("heard_epoch", EVENT_INT64, offsetof(type, spoken.epoch), false, 0,           \
                     VOICE_COUNT_MAX, "a whole number from 0"),                                    \
        VOICE_NUMBER("heard_seq", EVENT_INT64, offsetof(type, spoken.seq), false, -1,              \
                     VOICE_SEQ_MAX, "a number from 0 to 1000000"),                                 \
        VOICE_TEXT("heard", offsetof(type, spoken.text), false, 1, VOICE_HEARD_MAX, NULL,          \
                   "a text of at most 16384 bytes")

/* What a type of desk.inbound.voice says of itself. */
#define VOICE_CODEC(of_type, of_struct, of_members, of_id, of_check)                               \
    {                                                                                              \
        .type = of_type, .topic = TOPIC_INBOUND_VOICE, .size = sizeof(of_struct),                  \
        .has_tenant = true, .id_is_derived = true, .members = of_members, .id = of_id,             \
        .key = event_voice_key, .check = of_check,                                                 \
    }

#endif
