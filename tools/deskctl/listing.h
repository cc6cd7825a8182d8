/* Twilio's list of the messages of one number in one direction, all pages of it. One thread. */
#ifndef DESKCTL_LISTING_H
#define DESKCTL_LISTING_H

#include <stdbool.h>
#include <stdint.h>

#include "base/arena.h"
#include "base/err.h"
#include "base/secret.h"
#include "contract/twilio_page.h"
#include "fetch.h"
#include "store/tenant.h"

struct listing {
    struct fetch *fetch;
    struct arena *arena;
    const char *base; /* of the REST interface, without its last slash */
    const struct tenant_channel *channel;
    const struct secret *token;
    bool outgoing;
    int64_t since_ms;
};

/* Reads the messages since since_ms into *list, oldest first, in the arena. PERMANENT
 * "reconcile.pages" for more than 1,000 pages; else the errors of fetch_get and twilio_page_read.
 */
int listing_read(const struct listing *listing, struct twilio_list *list, struct err *err);

#endif
