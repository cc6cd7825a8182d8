/* What the statements about budgets share (docs/PROTOCOL.md, budgets). Private to common/store. */
#ifndef DESK_STORE_USAGE_INSIDE_H
#define DESK_STORE_USAGE_INSIDE_H

/* Reservations of one tenant are judged one unit after another, on a lock of their own ("usag" and
 * a hash): it is the last that the unit waits for, and no commit needs it. */
#define USAGE_LOCK "1970495847"

/* What is reserved from a day on, as rows (day, tokens, cost, segments, is_gone); the tenant and
 * the day are SQL. Gone is what a turn has used that waits for more: its segments are NULL. By
 * turns that run: of a turn whose conversation was taken over, or whose session is not due any
 * more, nothing is. And by summaries that are being made, until their claim lapses. A session is
 * looked up for each turn (OFFSET 0): of all that are due those of the tenant are not listed. */
#define USAGE_HELD_SQL(tenant, since)                                                              \
    "(SELECT t.reserved_day AS day, t.reserved_tokens AS tokens, t.reserved_cost AS cost,"         \
    " t.reserved_segments AS segments, t.reserved_segments IS NULL AS is_gone FROM turns t"        \
    " CROSS JOIN LATERAL (SELECT FROM channel_sessions s WHERE s.tenant_id = t.tenant_id"          \
    " AND s.id = t.session_id AND s.due_at IS NOT NULL OFFSET 0) AS s"                             \
    " JOIN conversations c ON c.tenant_id = t.tenant_id AND c.id = t.conversation_id"              \
    " AND c.epoch = t.epoch"                                                                       \
    " WHERE t.tenant_id = " tenant " AND t.reserved_day >= " since " AND t.state = 'running'"      \
    " UNION ALL SELECT k.reserved_day, k.reserved_tokens, k.reserved_cost, 0, false"               \
    " FROM summary_claims k"                                                                       \
    " WHERE k.tenant_id = " tenant " AND k.reserved_day >= " since " AND k.until_at > now())"

#endif
