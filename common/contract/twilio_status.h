/* A status callback as Twilio sends it: the query of our own StatusCallback URL (tenant, delivery,
 * attempt, trace) and the form. Ingress reads it live, deskctl when it releases one from
 * quarantine; both must read it alike. Any thread. */
#ifndef DESK_CONTRACT_TWILIO_STATUS_H
#define DESK_CONTRACT_TWILIO_STATUS_H

#include <stdbool.h>

#include "base/arena.h"
#include "base/err.h"
#include "base/form.h"
#include "base/uuid.h"
#include "contract/event.h"

struct twilio_status {
    struct form query, form;
};

/* The tenant that the query names; false if it names none, or several. It counts only after the
 * signature fitted a key of that very tenant: it covers the URL. */
bool twilio_status_tenant(const struct twilio_status *status, struct uuid *tenant);

/* The account that the form names, "" if none or several. Borrowed from the form. */
const char *twilio_status_account(const struct twilio_status *status);

/* True if it is about a call that we placed: then sid and status are the call's. */
bool twilio_status_is_call(const struct twilio_status *status);

/* Fills delivery, attempt, provider_sid, status, error_code and the event's source, subject and
 * trace (that of the query, else a new one) of *out; texts are borrowed from the form or in the
 * arena. Words that are new to us are passed through. PERMANENT "webhook.<parameter>" with what is
 * wrong. */
int twilio_status_read(struct arena *arena, const struct twilio_status *status,
                       struct delivery_receipt *out, struct err *err);

#endif
