/* Calls that the desk placed before its database went back (docs/PROTOCOL.md, Restore). Blocking,
 * inside a transaction that schema_begin_as_ops opened. deskctl reconcile calls it. One thread. */
#ifndef DESK_STORE_CALL_RECONCILE_H
#define DESK_STORE_CALL_RECONCILE_H

#include <stdint.h>

#include "base/err.h"
#include "base/uuid.h"
#include "pg/pg.h"

/* A call from one of our numbers, as the provider lists it. */
struct call_placed {
    struct uuid tenant;
    const char *sender, *address, *sid;
    const char *status; /* the provider's word: it decides what the delivery becomes */
    int64_t at_ms;      /* when it was ordered; whole seconds: the provider shows no more */
};

/* If no delivery or attempt of ours has this call's sid, it is what became of the oldest call to
 * that address that could have been placed by then and of which nobody knows more: that one is not
 * placed again, and whoever waits for its end goes on. Without such a one its row is lost, and a
 * task about which that address was to be called is not called about by itself any more. *settled
 * gets how many rows. Nothing happens for a word that says nothing (receipt_event). */
int call_reconcile(struct pg_session *session, const struct call_placed *placed, int64_t *settled,
                   struct err *err);

#endif
