/* What the files of the delivery (delivery*.c) share: columns, parameters and reading them. Loop
 * thread. */
#ifndef DESK_STORE_DELIVERY_INSIDE_H
#define DESK_STORE_DELIVERY_INSIDE_H

#include "store/delivery.h"

/* Columns of a struct delivery_route, of a channel `ch` and a session `s`. */
#define DELIVERY_ROUTE_SQL                                                                         \
    "ch.id, ch.address, s.remote_address, ch.account_sid,"                                         \
    " coalesce(ch.messaging_service_sid, ''), encode(ch.credentials, 'hex'),"                      \
    " ch.credentials_version, ch.kind"

/* Hours in which a customer may be called where the tenant's file names none. */
#define DELIVERY_CALLING_HOURS                                                                     \
    "'{\"mon\": [[\"09:00\", \"20:00\"]], \"tue\": [[\"09:00\", \"20:00\"]],"                      \
    " \"wed\": [[\"09:00\", \"20:00\"]], \"thu\": [[\"09:00\", \"20:00\"]],"                       \
    " \"fri\": [[\"09:00\", \"20:00\"]], \"sat\": [[\"10:00\", \"18:00\"]]}'::jsonb"

/* What a call is judged by, of a delivery `d` in conversation `c` and session `s` of a channel
 * `ch`: one row for via = 'call', else none. Whoever is asked for help by the business has the
 * hours of the rota; a customer has those of the tenant's file, and one word against texts or
 * calls, to whichever number of the business, is one against both. */
#define DELIVERY_CALL_SQL                                                                          \
    "SELECT q.purpose, q.ring_s, q.leave, q.purpose = 'back' AND EXISTS (SELECT FROM channels n"   \
    " JOIN consents x ON x.tenant_id = n.tenant_id AND x.sender = n.address"                       \
    " AND x.address = s.remote_address WHERE n.tenant_id = d.tenant_id AND n.kind IN ('sms', "     \
    "'voice') AND x.state = 'opted_out') AS opted_out, q.purpose = 'back'"                         \
    " AND coalesce(v.config->'phone'->'blocked' ? s.remote_address, false) AS blocked,"            \
    " q.purpose = 'back' AND coalesce(e.state = 'closed' OR (e.state = 'accepted'"                 \
    " AND e.call_ordered_by IS NULL), true) AS closed,"                                            \
    " CASE WHEN q.purpose = 'back'"                                                                \
    " THEN coalesce(calling_opens(coalesce(v.config->'calls'->'hours', " DELIVERY_CALLING_HOURS    \
    "), coalesce(p.timezone, t.timezone), clock_timestamp()), clock_timestamp()"                   \
    " + interval '1 day') END AS opens_at FROM delivery_calls q"                                   \
    " JOIN tenants t ON t.id = q.tenant_id"                                                        \
    " JOIN contacts p ON p.tenant_id = c.tenant_id AND p.id = c.contact_id"                        \
    " JOIN assistants a ON a.tenant_id = ch.tenant_id AND a.id = ch.assistant_id"                  \
    " LEFT JOIN assistant_versions v ON v.tenant_id = a.tenant_id AND v.assistant_id = a.id"       \
    " AND v.version = a.current_version"                                                           \
    " LEFT JOIN escalations e ON e.tenant_id = q.tenant_id AND e.id = q.escalation_id"             \
    " WHERE d.via = 'call' AND q.tenant_id = d.tenant_id AND q.delivery_id = d.id OFFSET 0"

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
