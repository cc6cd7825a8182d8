/* Topic names and record keys: the one place that makes them (docs/INTERFACES.md). Texts are
 * taken as they are: ids are 36 bytes of a uuid, and how long a prefix or an address may be is said
 * by the configuration and by the event that has it. Nothing fails. Any thread, no state. */
#ifndef DESK_CONTRACT_TOPICS_H
#define DESK_CONTRACT_TOPICS_H

#include "base/arena.h"
#include "base/uuid.h"

enum topic {
    TOPIC_INBOUND_VOICE,
    TOPIC_INBOUND_SMS,
    TOPIC_INBOUND_EMAIL,
    TOPIC_OUTBOUND_VOICE,
    TOPIC_OUTBOUND_SMS,
    TOPIC_OUTBOUND_EMAIL,
    TOPIC_RECEIPTS,
    TOPIC_VOICE_STREAM,
    TOPIC_DIRECTORY,
    TOPIC_QUARANTINE,
    TOPIC_DLQ,
    TOPIC_COUNT,
};

/* Full name, "<prefix>inbound.sms", in the arena. */
const char *topic_name(struct arena *arena, const char *prefix, enum topic topic);

/* Consumer group of the engines on an inbound topic, one a lane so that none delays another:
 * "<prefix>engine.sms", "<prefix>engine.voice", "<prefix>engine.email"; in the arena. */
const char *topic_engine_group(struct arena *arena, const char *prefix, enum topic inbound);

/* "tenant:address" for inbound lanes; the address is E.164, a lower-case mail address, or a
 * withheld caller's own id (contract/voice.h). */
const char *topic_key_contact(struct arena *arena, const char *tenant, const char *address);

/* "tenant:session" for outbound lanes. */
const char *topic_key_session(struct arena *arena, const char *tenant, const char *session);

/* "tenant:delivery" for receipts. */
const char *topic_key_delivery(struct arena *arena, const char *tenant, const char *delivery);

/* The call itself, for frames to it: its CallSid is the provider's and unique over all tenants. */
const char *topic_key_call(struct arena *arena, const char *call_sid);

/* "sms:+15550001" for the directory. */
const char *topic_key_channel(struct arena *arena, const char *kind, const char *address);

#endif
