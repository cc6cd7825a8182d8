/* desk.delivery.requested wakes a responder, desk.delivery.receipt is a provider's word on what it
 * sent. Written by engine and deskctl, and by ingress; read by the responder. */
#include "contract/event_codec.h"

static const char *uuid_text(struct arena *arena, const struct uuid *id)
{
    return uuid_format(id, arena_alloc(arena, UUID_TEXT_SIZE));
}

/* ---- requested ---- */

static const char *requested_id(struct arena *arena, const void *event)
{
    const struct delivery_requested *requested = event;
    return uuid_text(arena, &requested->delivery);
}

static const char *requested_key(struct arena *arena, const void *event)
{
    const struct delivery_requested *requested = event;
    return topic_key_session(arena, requested->event.tenant, uuid_text(arena, &requested->session));
}

static const struct event_member requested_members[] = {
    {"delivery", EVENT_ID, offsetof(struct delivery_requested, delivery), true, 0, 0, NULL,
     "a uuid", 0, 0, NULL},
    {"session", EVENT_ID, offsetof(struct delivery_requested, session), true, 0, 0, NULL, "a uuid",
     0, 0, NULL},
    {0},
};

#define REQUESTED_CODEC(lane)                                                                      \
    {                                                                                              \
        .type = EVENT_DELIVERY_REQUESTED, .topic = (lane),                                         \
        .size = sizeof(struct delivery_requested), .has_tenant = true, .id_is_derived = true,      \
        .members = requested_members, .id = requested_id, .key = requested_key,                    \
    }
static const struct event_codec requested_codec = REQUESTED_CODEC(TOPIC_OUTBOUND_SMS);
static const struct event_codec requested_mail_codec = REQUESTED_CODEC(TOPIC_OUTBOUND_EMAIL);
static const struct event_codec requested_call_codec = REQUESTED_CODEC(TOPIC_OUTBOUND_VOICE);

void delivery_requested_encode(struct arena *arena, const char *prefix,
                               const struct delivery_requested *in, struct bus_record *record)
{
    event_encode(in->by_mail   ? &requested_mail_codec
                 : in->by_call ? &requested_call_codec
                               : &requested_codec,
                 arena, prefix, in, record);
}

int delivery_requested_decode(struct arena *arena, const struct bus_record *record,
                              struct delivery_requested *out, struct err *err)
{
    return event_decode(&requested_codec, arena, record, out, err);
}

/* ---- receipt ---- */

static const char *receipt_id(struct arena *arena, const void *event)
{
    const struct delivery_receipt *receipt = event;
    return arena_printf(arena, "%s:%s", receipt->provider_sid, receipt->status);
}

static const char *receipt_key(struct arena *arena, const void *event)
{
    const struct delivery_receipt *receipt = event;
    return topic_key_delivery(arena, receipt->event.tenant, uuid_text(arena, &receipt->delivery));
}

#define AT(m) offsetof(struct delivery_receipt, m)
static const struct event_member receipt_members[] = {
    {"delivery", EVENT_ID, AT(delivery), true, 0, 0, NULL, "a uuid", 0, 0, NULL},
    {"attempt", EVENT_INT, AT(attempt), true, 1, 1000000, NULL, "a number from 1 to 1000000", 0, 0,
     NULL},
    {"provider_sid", EVENT_TEXT, AT(provider_sid), true, 34, 36, event_is_sent_sid,
     "SM, MM or CA and 32 hexadecimal digits, or a uuid", 0, 0, NULL},
    {"status", EVENT_TEXT, AT(status), true, 1, 32, event_is_word,
     "a lower-case word of at most 32 bytes", 0, 0, NULL},
    {"error_code", EVENT_TEXT, AT(error_code), false, 1, 10, event_is_digits, "at most 10 digits",
     0, 0, NULL},
    {0},
};

static const struct event_codec receipt_codec = {
    .type = EVENT_DELIVERY_RECEIPT,
    .topic = TOPIC_RECEIPTS,
    .size = sizeof(struct delivery_receipt),
    .has_tenant = true,
    .id_is_derived = true,
    .members = receipt_members,
    .id = receipt_id,
    .key = receipt_key,
};

void delivery_receipt_encode(struct arena *arena, const char *prefix,
                             const struct delivery_receipt *in, struct bus_record *record)
{
    event_encode(&receipt_codec, arena, prefix, in, record);
}

int delivery_receipt_decode(struct arena *arena, const struct bus_record *record,
                            struct delivery_receipt *out, struct err *err)
{
    return event_decode(&receipt_codec, arena, record, out, err);
}
