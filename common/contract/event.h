/* Events: CloudEvents 1.0 in Kafka binary mode, one struct per type, encoded to and decoded from
 * records. Unknown members are ignored, an unknown major version is refused ("event.major"), and so
 * is everything out of bounds: our own topics are a hostile boundary too.
 *
 * All texts of a decoded event live in the arena given to the decoder. Encoders fill a record whose
 * bytes live in the arena. Decoding fails with PERMANENT and a code "event.*" that is also the
 * dead letter's code. Any thread. */
#ifndef DESK_CONTRACT_EVENT_H
#define DESK_CONTRACT_EVENT_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "base/arena.h"
#include "base/err.h"
#include "base/uuid.h"
#include "bus/bus.h"

#define EVENT_SMS_RECEIVED        "desk.sms.received.v1"
#define EVENT_DELIVERY_REQUESTED  "desk.delivery.requested.v1"
#define EVENT_DELIVERY_RECEIPT    "desk.delivery.receipt.v1"
#define EVENT_DIRECTORY_CHANNEL   "desk.directory.channel.v1"
#define EVENT_DIRECTORY_COMPLETE  "desk.directory.complete.v1"
#define EVENT_WEBHOOK_QUARANTINED "desk.webhook.quarantined.v1"

#define EVENT_ID_MAX   200
#define EVENT_TEXT_MAX 8192 /* bytes of a customer's text: Twilio's 1,600 characters and slack */

/* The envelope. */
struct event {
    const char *id;      /* ce_id: derives from the provider, never random */
    const char *source;  /* ce_source: "twilio/AC..." or "frontdesk/<service>" */
    const char *type;    /* ce_type; read only: the encoder knows its own */
    const char *subject; /* ce_subject: what it is about; "" if nothing */
    int64_t time_ms;     /* ce_time, wall clock */
    const char *tenant;  /* uuid text; "" where there is none (directory complete, quarantine) */
    const char *traceparent; /* W3C trace context; "" if none */
    bool replay;             /* header desk-replay is present */
};

#define EVENT_MEDIA_MAX 10
struct event_media {
    const char *url, *content_type;
};

/* A text message came in. ce_id = MessageSid. Key: tenant:from. */
struct sms_received {
    struct event event;
    const char *message_sid, *account_sid;
    const char *from, *to;             /* E.164; `to` is our number */
    const char *body;                  /* UTF-8, may be "" */
    const char *messaging_service_sid; /* "" if none */
    const char *opt_out_type;          /* Twilio's OptOutType or "" */
    int segments;
    struct event_media media[EVENT_MEDIA_MAX];
    size_t media_count;
};
void sms_received_encode(struct arena *arena, const char *prefix, const struct sms_received *in,
                         struct bus_record *record);
int sms_received_decode(struct arena *arena, const struct bus_record *record,
                        struct sms_received *out, struct err *err);

/* Wakes a responder: the row decides. ce_id = delivery id. Key: tenant:session. */
struct delivery_requested {
    struct event event;
    struct uuid delivery, session;
    bool by_mail,
        by_call; /* to be encoded for outbound.email or .voice; decoding leaves them false */
};
void delivery_requested_encode(struct arena *arena, const char *prefix,
                               const struct delivery_requested *in, struct bus_record *record);
int delivery_requested_decode(struct arena *arena, const struct bus_record *record,
                              struct delivery_requested *out, struct err *err);

/* A provider's word on a delivery. ce_id = provider's sid + ":" + status. Key: tenant:delivery. */
struct delivery_receipt {
    struct event event;
    struct uuid delivery;
    int attempt;              /* >= 1, from our own StatusCallback URL */
    const char *provider_sid; /* MessageSid, or CallSid */
    const char *status;       /* Twilio's word */
    const char *error_code;   /* digits or "" */
};
void delivery_receipt_encode(struct arena *arena, const char *prefix,
                             const struct delivery_receipt *in, struct bus_record *record);
int delivery_receipt_decode(struct arena *arena, const struct bus_record *record,
                            struct delivery_receipt *out, struct err *err);

/* One channel of one tenant, for the edge. Key: kind:address. A tombstone (NULL value) removes it.
 */
#define EVENT_KEYS_MAX 8
struct directory_voice; /* contract/directory_voice.h */
struct directory_channel {
    struct event event;
    int64_t version; /* of the channel's row; a lower one never replaces a higher one */
    struct uuid channel;
    const char *kind;    /* "sms", "voice" */
    const char *address; /* E.164 */
    const char *account_sid;
    const char *sealed_keys[EVENT_KEYS_MAX]; /* signing keys, base64 of crypto_seal */
    size_t sealed_key_count;
    const struct directory_voice *voice; /* exactly of kind "voice"; else NULL */
};
void directory_channel_encode(struct arena *arena, const char *prefix,
                              const struct directory_channel *in, struct bus_record *record);
int directory_channel_decode(struct arena *arena, const struct bus_record *record,
                             struct directory_channel *out, struct err *err);
/* The tombstone of a channel. */
void directory_removed_encode(struct arena *arena, const char *prefix, const char *kind,
                              const char *address, struct bus_record *record);

/* Ends a full publication. Key: "complete". */
struct directory_complete {
    struct event event;
    int64_t channels; /* how many were published */
};
void directory_complete_encode(struct arena *arena, const char *prefix,
                               const struct directory_complete *in, struct bus_record *record);
int directory_complete_decode(struct arena *arena, const struct bus_record *record,
                              struct directory_complete *out, struct err *err);

/* A webhook that could not be verified or read, whole, for release by an operator. Key: the address
 * it was for, or "unknown". ce_id: sha256 of url, signature and body. */
struct webhook_quarantined {
    struct event event;
    const char *reason; /* "signature.wrong", "signature.uncheckable", ... */
    const char *path;   /* "/twilio/sms" */
    const char *url;    /* public URL + raw target, as it was signed */
    const char *signature;
    const char *remote;
    const char *address; /* To of the form if readable, else "" */
    const char *body;    /* raw bytes */
    size_t body_length;
};
void webhook_quarantined_encode(struct arena *arena, const char *prefix,
                                const struct webhook_quarantined *in, struct bus_record *record);
int webhook_quarantined_decode(struct arena *arena, const struct bus_record *record,
                               struct webhook_quarantined *out, struct err *err);

/* ---- helpers ---- */

/* The type of a record (ce_type), or NULL. */
const char *event_type(const struct bus_record *record, struct arena *arena);

/* A new traceparent ("00-<32 hex>-<16 hex>-01") with a random trace, or, given a valid parent, a
 * child span of the same trace. In the arena. */
const char *event_traceparent(struct arena *arena, const char *parent);

/* Fills a dead letter: key, value and headers byte for byte, plus Spring's
 * kafka_dlt-original-{topic,partition,offset,timestamp} (big-endian numbers) and dlq-service,
 * dlq-code, dlq-attempts, dlq-trace. Bytes stay borrowed from `failed` and the arena. */
void event_dead_letter(struct arena *arena, const char *prefix, const struct bus_record *failed,
                       const char *service, const char *code, int attempts,
                       struct bus_record *record);

/* Empties the value of a filled dead letter that the bus cannot take whole, and says so
 * (dlq-dropped). */
void event_dead_letter_drop_value(struct bus_record *record);

#endif
