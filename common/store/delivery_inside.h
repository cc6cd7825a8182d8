/* What the files of the delivery share: columns, parameters and reading them. Included by
 * delivery.c and delivery_due.c only. Loop thread. */
#ifndef DESK_STORE_DELIVERY_INSIDE_H
#define DESK_STORE_DELIVERY_INSIDE_H

#include "store/delivery.h"

/* Columns of a struct delivery_route, of a channel `ch` and a session `s`. */
#define DELIVERY_ROUTE_SQL                                                                         \
    "ch.id, ch.address, s.remote_address, ch.account_sid,"                                         \
    " coalesce(ch.messaging_service_sid, ''), encode(ch.credentials, 'hex'),"                      \
    " ch.credentials_version, ch.kind"

/* Parameters as text, in the arena. */
const char *delivery_number(struct arena *arena, int64_t value);
const char *delivery_uuid(struct arena *arena, const struct uuid *id);

/* Tenant and id from the first two columns. */
void delivery_read_ref(const struct pg_answer *answer, int statement, int row,
                       struct delivery_ref *out);

/* DELIVERY_ROUTE_SQL's columns, from `first` on; texts are borrowed from the answer. */
struct delivery_route delivery_read_route(const struct pg_answer *answer, int statement, int row,
                                          int first);

#endif
