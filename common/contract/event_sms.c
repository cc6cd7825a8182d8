/* desk.sms.received: a customer's text. Written by ingress, by deskctl's release and reconcile
 * and by the responder's gap audit; read by the engine. */
#include "contract/event_codec.h"

#include "base/text.h"

static const char *id_of(struct arena *arena, const void *event)
{
    const struct sms_received *sms = event;
    return arena_strdup(arena, sms->message_sid);
}

static const char *key_of(struct arena *arena, const void *event)
{
    const struct sms_received *sms = event;
    return topic_key_contact(arena, sms->event.tenant, sms->from);
}

#define AT(m) offsetof(struct sms_received, m)
static const struct event_member media_members[] = {
    {"url", EVENT_TEXT, offsetof(struct event_media, url), true, 1, 2048, event_is_line,
     "a URL of at most 2048 bytes", 0, 0, NULL},
    {"content_type", EVENT_TEXT, offsetof(struct event_media, content_type), false, 1, 255,
     event_is_line, "a media type of at most 255 bytes", 0, 0, NULL},
    {0},
};
static const struct event_member members[] = {
    {"message_sid", EVENT_TEXT, AT(message_sid), true, 34, 36, event_is_message_sid,
     "SM or MM and 32 hexadecimal digits, or a uuid", 0, 0, NULL},
    {"account_sid", EVENT_TEXT, AT(account_sid), true, 34, 36, event_is_account_sid,
     "AC and 32 hexadecimal digits, or a uuid", 0, 0, NULL},
    {"from", EVENT_TEXT, AT(from), true, 8, 16, text_is_e164, "an E.164 number", 0, 0, NULL},
    {"to", EVENT_TEXT, AT(to), true, 8, 16, text_is_e164, "an E.164 number", 0, 0, NULL},
    {"body", EVENT_TEXT, AT(body), true, 0, EVENT_TEXT_MAX, NULL, "a text of at most 8192 bytes", 0,
     0, NULL},
    {"messaging_service_sid", EVENT_TEXT, AT(messaging_service_sid), false, 34, 36,
     event_is_service_sid, "MG and 32 hexadecimal digits, or a uuid", 0, 0, NULL},
    {"opt_out_type", EVENT_TEXT, AT(opt_out_type), false, 1, 32, event_is_line,
     "a word of at most 32 bytes", 0, 0, NULL},
    {"segments", EVENT_INT, AT(segments), false, 0, 1000, NULL, "a number from 0 to 1000", 0, 0,
     NULL},
    {"media", EVENT_LIST, AT(media), false, 0, EVENT_MEDIA_MAX, NULL, "a list of at most 10 media",
     AT(media_count), sizeof(struct event_media), media_members},
    {0},
};

static const struct event_codec codec = {
    .type = EVENT_SMS_RECEIVED,
    .topic = TOPIC_INBOUND_SMS,
    .size = sizeof(struct sms_received),
    .has_tenant = true,
    .id_is_derived = true,
    .members = members,
    .id = id_of,
    .key = key_of,
};

void sms_received_encode(struct arena *arena, const char *prefix, const struct sms_received *in,
                         struct bus_record *record)
{
    event_encode(&codec, arena, prefix, in, record);
}

int sms_received_decode(struct arena *arena, const struct bus_record *record,
                        struct sms_received *out, struct err *err)
{
    return event_decode(&codec, arena, record, out, err);
}
