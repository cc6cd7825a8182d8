/* Webhooks parked by ingress: reading them from the topic, and letting one in. One thread. */
#ifndef DESKCTL_QUARANTINE_H
#define DESKCTL_QUARANTINE_H

#include "desk.h"

#define QUARANTINE_SMS_PATH    "/twilio/sms"
#define QUARANTINE_STATUS_PATH "/twilio/status"
#define QUARANTINE_CALL_PATH   "/twilio/voice"
#define QUARANTINE_END_PATH    "/twilio/voice/status"

/* One parked webhook; texts are in the arena. */
struct parked {
    const char *id; /* PARTITION:OFFSET */
    const char *event_id;
    int64_t at_ms;
    const char *reason, *path, *url, *signature, *remote, *address;
    const char *body;
    size_t body_length;
    const char *sid; /* MessageSid or CallSid if the body says one, else "" */
};

struct release {
    struct desk *desk;
    const char *vouched; /* the operator's reason, or NULL */
    /* Opened when first needed; quarantine_release_end. */
    struct bus_producer *texts, *receipts, *calls;
};

/* Verifies the webhook under the tenant's present keys (unless an operator vouches for it), writes
 * the audit row, and produces the event that ingress would have produced; of a call that came in,
 * which nobody can answer any more, that it is over and nothing else is known of it: people are
 * told. The row is committed first: a release without a row cannot be, a row without a release is
 * released again, which is harmless. PERMANENT "quarantine.path", ".number", ".signature",
 * ".account", ".call" or "webhook.<field>"; RETRY_LATER of Kafka and the database. */
int quarantine_release(struct release *release, const struct parked *item, struct err *err);

/* Closes the producers. */
void quarantine_release_end(struct release *release);

#endif
