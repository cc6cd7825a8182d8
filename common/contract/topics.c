/* Topic names and record keys. Every producer and every decoder goes through these, because two
 * spellings of one key would be two partitions and the order of a conversation would be lost. */
#include "contract/topics.h"

#include <assert.h>
#include <stddef.h>
#include <string.h>

static const char *const names[TOPIC_COUNT] = {
    [TOPIC_INBOUND_VOICE] = "inbound.voice",
    [TOPIC_INBOUND_SMS] = "inbound.sms",
    [TOPIC_INBOUND_EMAIL] = "inbound.email",
    [TOPIC_OUTBOUND_SMS] = "outbound.sms",
    [TOPIC_OUTBOUND_VOICE] = "outbound.voice",
    [TOPIC_OUTBOUND_EMAIL] = "outbound.email",
    [TOPIC_RECEIPTS] = "receipts",
    [TOPIC_VOICE_STREAM] = "voice.stream",
    [TOPIC_DIRECTORY] = "directory",
    [TOPIC_QUARANTINE] = "quarantine",
    [TOPIC_DLQ] = "dlq",
};

const char *topic_name(struct arena *arena, const char *prefix, enum topic topic)
{
    assert((int)topic >= 0 && topic < TOPIC_COUNT);
    return arena_printf(arena, "%s%s", prefix, names[topic]);
}

const char *topic_engine_group(struct arena *arena, const char *prefix, enum topic inbound)
{
    assert(inbound >= TOPIC_INBOUND_VOICE && inbound <= TOPIC_INBOUND_EMAIL);
    return arena_printf(arena, "%sengine.%s", prefix, strrchr(names[inbound], '.') + 1);
}

static const char *pair(struct arena *arena, const char *first, const char *second)
{
    assert(first != NULL && second != NULL);
    return arena_printf(arena, "%s:%s", first, second);
}

const char *topic_key_contact(struct arena *arena, const char *tenant, const char *address)
{
    return pair(arena, tenant, address);
}

const char *topic_key_session(struct arena *arena, const char *tenant, const char *session)
{
    return pair(arena, tenant, session);
}

const char *topic_key_delivery(struct arena *arena, const char *tenant, const char *delivery)
{
    return pair(arena, tenant, delivery);
}

const char *topic_key_call(struct arena *arena, const char *call_sid)
{
    assert(call_sid != NULL);
    return arena_strdup(arena, call_sid);
}

const char *topic_key_channel(struct arena *arena, const char *kind, const char *address)
{
    return pair(arena, kind, address);
}
