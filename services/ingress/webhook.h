/* What all webhooks go through: signature present, form read, verified, parked when not, published
 * when good. One struct per request, on its thread. */
#ifndef DESK_INGRESS_WEBHOOK_H
#define DESK_INGRESS_WEBHOOK_H

#include <stdbool.h>
#include <stddef.h>

#include "base/form.h"
#include "ingress.h"

#define WEBHOOK_RETRY_AFTER_S 5

struct webhook {
    struct ingress *ingress;
    const struct http_request *request;
    struct http_response *response;
    const char *name;      /* of the route, for the log */
    const char *signature; /* the header's text */
    const char *url;       /* what was signed: public_url and the raw target */
    const char *address;   /* our number, as far as known; "" */
    bool address_is_ours;  /* the directory has it */
    struct form form;
};

/* Reads signature and form. False when the request is answered: 403 without a signature, 503 while
 * the directory is not read, 403 (parked) for a form that cannot be read. */
bool webhook_open(struct webhook *webhook);

/* True if one of the channels' keys signed it. */
bool webhook_is_signed(const struct webhook *webhook, struct channel *const *channels,
                       size_t count);

/* True if a key of one of the tenant's channels signed it, those of the account first. False when
 * the request is answered: 403, parked. For URLs of ours that name their tenant. */
bool webhook_is_tenants(struct webhook *webhook, const char *tenant, const char *account);

/* Parks the request in quarantine, within bounds, and answers `status`; 503 when it should be
 * parked and Kafka does not take it, so that the sender tries again. `reason` is a lower-case word.
 */
void webhook_refuse(struct webhook *webhook, int status, const char *reason);

/* Publishes the record; false when the request is answered 503. `sid` is the provider's id, for the
 * log and the stop points. */
bool webhook_publish(struct webhook *webhook, const struct bus_record *record, const char *sid);

/* Answers 503 with Retry-After. */
void webhook_unavailable(struct webhook *webhook);

#endif
