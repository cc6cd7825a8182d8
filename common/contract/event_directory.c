/* desk.directory.channel and .complete: what the edge knows about tenants' channels, on a compacted
 * topic. Written by the engine's relay and deskctl, read by ingress. */
#include "contract/directory_voice.h"
#include "contract/event_codec.h"

#include "base/text.h"

#include <inttypes.h>
#include <string.h>

#define COUNT_MAX 9007199254740991 /* whole numbers that JSON carries exactly */

/* ---- channel ---- */

static const char *channel_id(struct arena *arena, const void *event)
{
    const struct directory_channel *channel = event;
    char id[UUID_TEXT_SIZE];
    return arena_printf(arena, "%s:%" PRId64, uuid_format(&channel->channel, id), channel->version);
}

static const char *channel_key(struct arena *arena, const void *event)
{
    const struct directory_channel *channel = event;
    return topic_key_channel(arena, channel->kind, channel->address);
}

/* Kinds that come later have other addresses and no account; a telephone number has both. */
static const char *channel_check(const void *event)
{
    const struct directory_channel *channel = event;
    bool voice = strcmp(channel->kind, "voice") == 0;
    if (voice != (channel->voice != NULL))
        return "a voice channel must have the member voice, and no other may";
    if (!voice && strcmp(channel->kind, "sms") != 0)
        return NULL;
    if (!text_is_e164(channel->address))
        return "the address of an sms or voice channel must be an E.164 number";
    if (channel->account_sid == NULL || channel->account_sid[0] == '\0')
        return "an sms or voice channel must have an account_sid";
    return NULL;
}

#define AT(m) offsetof(struct directory_channel, m)
static const struct event_member key_elements[] = {
    {NULL, EVENT_TEXT, 0, true, 4, 1024, event_is_base64, "base64 of at most 1024 bytes", 0, 0,
     NULL},
    {0},
};
static const struct event_member channel_members[] = {
    {"version", EVENT_INT64, AT(version), true, 0, COUNT_MAX, NULL, "a whole number from 0", 0, 0,
     NULL},
    {"channel", EVENT_ID, AT(channel), true, 0, 0, NULL, "a uuid", 0, 0, NULL},
    {"kind", EVENT_TEXT, AT(kind), true, 1, 16, event_is_word,
     "a lower-case word of at most 16 bytes", 0, 0, NULL},
    {"address", EVENT_TEXT, AT(address), true, 1, EVENT_ADDRESS_MAX, event_is_line,
     "an address of at most 320 bytes", 0, 0, NULL},
    {"account_sid", EVENT_TEXT, AT(account_sid), false, 34, 36, event_is_account_sid,
     "AC and 32 hexadecimal digits, or a uuid", 0, 0, NULL},
    {"sealed_keys", EVENT_LIST, AT(sealed_keys), true, 0, EVENT_KEYS_MAX, NULL,
     "a list of at most 8 sealed keys", AT(sealed_key_count), sizeof(const char *), key_elements},
    {"voice", EVENT_OBJECT, AT(voice), false, 0, 0, NULL, "an object", 0,
     sizeof(struct directory_voice), event_directory_voice_members},
    {0},
};

static const struct event_codec channel_codec = {
    .type = EVENT_DIRECTORY_CHANNEL,
    .topic = TOPIC_DIRECTORY,
    .size = sizeof(struct directory_channel),
    .has_tenant = true,
    .members = channel_members,
    .id = channel_id,
    .key = channel_key,
    .check = channel_check,
};

void directory_channel_encode(struct arena *arena, const char *prefix,
                              const struct directory_channel *in, struct bus_record *record)
{
    event_encode(&channel_codec, arena, prefix, in, record);
}

int directory_channel_decode(struct arena *arena, const struct bus_record *record,
                             struct directory_channel *out, struct err *err)
{
    return event_decode(&channel_codec, arena, record, out, err);
}

void directory_removed_encode(struct arena *arena, const char *prefix, const char *kind,
                              const char *address, struct bus_record *record)
{
    const char *key = topic_key_channel(arena, kind, address);
    *record = (struct bus_record){.partition = -1};
    record->topic = topic_name(arena, prefix, TOPIC_DIRECTORY);
    record->key = key;
    record->key_length = strlen(key);
}

/* ---- complete ---- */

static const char *complete_id(struct arena *arena, const void *event)
{
    const struct directory_complete *complete = event;
    return arena_printf(arena, "complete:%" PRId64, complete->event.time_ms);
}

static const char *complete_key(struct arena *arena, const void *event)
{
    (void)event;
    return arena_strdup(arena, "complete");
}

static const struct event_member complete_members[] = {
    {"channels", EVENT_INT64, offsetof(struct directory_complete, channels), true, 0, COUNT_MAX,
     NULL, "a whole number from 0", 0, 0, NULL},
    {0},
};

static const struct event_codec complete_codec = {
    .type = EVENT_DIRECTORY_COMPLETE,
    .topic = TOPIC_DIRECTORY,
    .size = sizeof(struct directory_complete),
    .members = complete_members,
    .id = complete_id,
    .key = complete_key,
};

void directory_complete_encode(struct arena *arena, const char *prefix,
                               const struct directory_complete *in, struct bus_record *record)
{
    event_encode(&complete_codec, arena, prefix, in, record);
}

int directory_complete_decode(struct arena *arena, const struct bus_record *record,
                              struct directory_complete *out, struct err *err)
{
    return event_decode(&complete_codec, arena, record, out, err);
}
