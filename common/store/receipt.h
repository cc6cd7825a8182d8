/* Receipts: the provider's words on a delivery, applied by rank and never backwards
 * (docs/PROTOCOL.md, delivery). Loop thread. */
#ifndef DESK_STORE_RECEIPT_H
#define DESK_STORE_RECEIPT_H

#include <stdbool.h>
#include <stddef.h>

#include "store/delivery.h"

struct receipt {
    struct delivery_ref ref;
    int attempt;
    const char *sid, *status, *error_code; /* error_code "" if none */
    const void *origin;                    /* the caller's */
};

/* The event that a provider's status word means; false for a word that says nothing about an
 * outbound message. Source: Twilio's "Message status" values. */
bool receipt_event(const char *status, enum delivery_event *event);

/* Adds the statements that apply up to 500 receipts of different deliveries, all with known words;
 * read the answer with delivery_read_changed and delivery_read_next. A receipt that names an
 * attempt of a delivery without a sid settles it: a late yes, also of an attempt that the row has
 * lost. */
void receipt_add_apply(struct pg_unit *unit, struct arena *arena, const struct receipt *receipts,
                       size_t count);

#endif
