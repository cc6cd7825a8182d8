/* What `deskctl reconcile` does with a number for calls. One thread. */
#ifndef DESKCTL_RECONCILE_CALLS_H
#define DESKCTL_RECONCILE_CALLS_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "base/err.h"
#include "base/secret.h"
#include "desk.h"
#include "fetch.h"
#include "store/tenant.h"

struct reconcile_calls {
    struct desk *desk;
    struct fetch *fetch;
    struct bus_producer **producer; /* of inbound.voice; opened when the first is injected */
    struct table *table;            /* of reconcile: a row for each that is missing */
    const char *base;               /* of the REST interface, without its last slash */
    const struct tenant_channel *channel;
    const struct secret *token;
    int64_t since_ms, arrived_ms; /* since when the number is the tenant's */
    bool execute;
    size_t seen, missing, failed, foreign; /* counted up */
    int64_t settled;                       /* rows that a placed call has ended; counted up */
};

/* Lists the number's calls and the messages that were left in them, and injects what is not known:
 * the recordings first, so that a call that left one is no missed call. */
int reconcile_calls(struct reconcile_calls *calls, struct err *err);

/* Lists the calls that left from the number and settles by those that the database does not know,
 * the oldest first, what would be placed again. For an installation that is held. */
int reconcile_placed(struct reconcile_calls *calls, struct err *err);

#endif
