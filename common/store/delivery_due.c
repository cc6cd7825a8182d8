/* Finding deliveries that nobody works on, and asking after unknown ones: see delivery_due.h and
 * docs/PROTOCOL.md. The responder's poll and its look-ups use it. */
#include "store/delivery_due.h"

#include "store/delivery_inside.h"
#include "store/worker.h"

#define UNKNOWN_MIN_MS "120000" /* of failing look-ups before one parks */

/* A claim that is younger than one lease may be on its way to our memory; an older one was lost
 * with its answer, and nothing of it can leave any more. */
static const char expire_sql[] =
    "WITH lost AS (SELECT d.tenant_id, d.id FROM deliveries d"
    " WHERE d.state = 'sending' AND d.worker IS NOT NULL"
    " AND (NOT EXISTS (SELECT FROM workers w WHERE w.id = d.worker AND NOT w.dead)"
    " OR (d.worker = $1::uuid AND d.id NOT IN (SELECT unnest($2::uuid[])) AND EXISTS"
    " (SELECT FROM delivery_attempts a WHERE a.tenant_id = d.tenant_id AND a.delivery_id = d.id"
    " AND a.number = d.attempts"
    " AND a.started_at < clock_timestamp() - $3::bigint * interval '1 ms')))"
    " ORDER BY d.tenant_id, d.id FOR NO KEY UPDATE SKIP LOCKED),"
    " gone AS (UPDATE deliveries d SET state = 'unknown', worker = NULL FROM lost l"
    " WHERE d.tenant_id = l.tenant_id AND d.id = l.id"
    " RETURNING d.tenant_id, d.id, d.attempts),"
    " tried AS (UPDATE delivery_attempts a SET outcome = 'unknown', finished_at = "
    "clock_timestamp()"
    " FROM gone g WHERE a.tenant_id = g.tenant_id AND a.delivery_id = g.id"
    " AND a.number = g.attempts AND a.outcome IS NULL)"
    " SELECT count(*) FROM gone";

/* An unknown one is not among them: it parks when a look-up failed, never without one. */
static const char park_sql[] =
    "WITH old AS (SELECT d.tenant_id, d.id FROM deliveries d"
    " WHERE d.state = ANY ('" DELIVERY_WAITING "') AND d.worker IS NULL"
    " AND d.next_at <= statement_timestamp()"
    " AND d.first_attempt_at < statement_timestamp() - CASE WHEN d.via = 'mail' THEN $2::bigint"
    " ELSE $1::bigint END * interval '1 ms'"
    " ORDER BY d.next_at FOR NO KEY UPDATE SKIP LOCKED),"
    " gone AS (UPDATE deliveries d SET state = 'parked', reason = 'waiting',"
    " settled_at = clock_timestamp() FROM old o"
    " WHERE d.tenant_id = o.tenant_id AND d.id = o.id RETURNING 1)"
    " SELECT count(*) FROM gone";

/* Texts and mails are lists of their own: neither waits for the other's. */
#define DUE_SQL(which)                                                                             \
    "SELECT d.tenant_id, d.id FROM deliveries d"                                                   \
    " WHERE d.state = ANY ('" DELIVERY_WAITING "') AND d.worker IS NULL"                           \
    " AND " which " AND d.next_at <= statement_timestamp()"                                        \
    " AND (d.state = 'deferred'"                                                                   \
    " OR d.next_at <= statement_timestamp() - $2::bigint * interval '1 ms')"                       \
    " AND d.id NOT IN (SELECT unnest($1::uuid[]))"                                                 \
    " AND (SELECT released_for = database_identity() FROM installation)"                           \
    " AND NOT EXISTS (SELECT FROM deliveries e WHERE e.tenant_id = d.tenant_id"                    \
    " AND e.session_id = d.session_id AND e.seq < d.seq AND e.state = ANY ('" DELIVERY_UNSETTLED   \
    "'))"                                                                                          \
    " ORDER BY d.next_at LIMIT $3::integer"

static const char due_sql[] = DUE_SQL("d.via <> 'mail'");
static const char due_mails_sql[] = DUE_SQL("d.via = 'mail'");

/* Who takes one to look it up has a minute; who dies over it gives it up at once. */
static const char look_up_sql[] =
    "WITH free AS (SELECT d.tenant_id, d.id FROM deliveries d"
    " WHERE d.state = 'unknown' AND d.worker IS NULL AND d.next_at <= statement_timestamp()"
    " ORDER BY d.next_at LIMIT $3::integer FOR NO KEY UPDATE SKIP LOCKED),"
    " orphan AS (SELECT d.tenant_id, d.id FROM deliveries d"
    " WHERE d.state = 'unknown' AND d.worker IS NOT NULL"
    " AND (NOT EXISTS (SELECT FROM workers w WHERE w.id = d.worker AND NOT w.dead)"
    " OR (d.worker = $1::uuid AND d.id NOT IN (SELECT unnest($2::uuid[]))"
    " AND d.next_at <= statement_timestamp()))"
    " ORDER BY d.next_at LIMIT $3::integer FOR NO KEY UPDATE SKIP LOCKED),"
    " taken AS (UPDATE deliveries d SET worker = $1::uuid,"
    " next_at = clock_timestamp() + interval '60 s'"
    " FROM (SELECT * FROM free UNION ALL SELECT * FROM orphan LIMIT $3::integer) AS u"
    " WHERE d.tenant_id = u.tenant_id AND d.id = u.id"
    " RETURNING d.tenant_id, d.id, d.session_id, d.message_id, d.attempts, d.worker)"
    " SELECT t.tenant_id, t.id, t.attempts, (extract(epoch FROM a.started_at) * 1000)::bigint,"
    " u.count, (extract(epoch FROM coalesce(u.since, a.started_at)) * 1000)::bigint,"
    " t.worker::text, m.body, u.accounts <> ARRAY[ch.account_sid], " DELIVERY_ROUTE_SQL
    " FROM taken t"
    " CROSS JOIN LATERAL (SELECT count(*), min(o.started_at) AS since,"
    " array_agg(DISTINCT o.account_sid) FILTER (WHERE o.account_sid IS NOT NULL) AS accounts"
    " FROM delivery_attempts o WHERE o.tenant_id = t.tenant_id AND o.delivery_id = t.id"
    " AND coalesce(o.outcome, 'unknown') = 'unknown') u"
    " JOIN delivery_attempts a ON a.tenant_id = t.tenant_id AND a.delivery_id = t.id"
    " AND a.number = t.attempts"
    " CROSS JOIN LATERAL (SELECT * FROM channel_sessions x WHERE x.tenant_id = t.tenant_id"
    " AND x.id = t.session_id OFFSET 0) AS s"
    " JOIN channels ch ON ch.tenant_id = s.tenant_id AND ch.id = s.channel_id"
    " CROSS JOIN LATERAL (SELECT x.body FROM messages x WHERE x.tenant_id = t.tenant_id"
    " AND x.id = t.message_id OFFSET 0) AS m";

/* Attempts only of sessions with the same person: notices of escalations have one each beside the
 * person's, and all together hold whatever went between the two numbers. Each row by its key, one
 * after the other (OFFSET 0, docs/adr/0004): joined at will, the tenant's rows of all four tables
 * were gone through for each other, which took longer than a unit may. */
static const char used_sids_sql[] =
    "SELECT provider_sid FROM deliveries WHERE tenant_id = $1::uuid"
    " AND provider_sid = ANY ($3::text[]) AND id <> $2::uuid"
    " UNION SELECT a.provider_sid FROM (SELECT x.session_id FROM deliveries x"
    " WHERE x.tenant_id = $1::uuid AND x.id = $2::uuid OFFSET 0) AS d"
    " CROSS JOIN LATERAL (SELECT x.remote_address FROM channel_sessions x"
    " WHERE x.tenant_id = $1::uuid AND x.id = d.session_id OFFSET 0) AS s"
    " CROSS JOIN LATERAL (SELECT x.id FROM channel_sessions x WHERE x.tenant_id = $1::uuid"
    " AND x.remote_address = s.remote_address OFFSET 0) AS b"
    " CROSS JOIN LATERAL (SELECT x.id FROM deliveries x WHERE x.tenant_id = $1::uuid"
    " AND x.session_id = b.id AND x.id <> $2::uuid OFFSET 0) AS o"
    " CROSS JOIN LATERAL (SELECT x.provider_sid FROM delivery_attempts x"
    " WHERE x.tenant_id = $1::uuid AND x.delivery_id = o.id"
    " AND x.provider_sid = ANY ($3::text[]) OFFSET 0) AS a";

/* It parks when it has waited too long, and been unknown for long enough that the provider's own
 * troubles, and not only our outage, were in its way. Who was given up over its look-up may come
 * back when the delivery is another worker's to look up, or at its next attempt: that is not its
 * own. */
static const char look_up_again_sql[] =
    "WITH seen AS (SELECT d.tenant_id, d.id, d.first_attempt_at < clock_timestamp()"
    " - $4::bigint * interval '1 ms' AND coalesce(a.finished_at, a.started_at) < clock_timestamp()"
    " - least($4::bigint, " UNKNOWN_MIN_MS ") * interval '1 ms' AS over FROM deliveries d"
    " JOIN delivery_attempts a ON a.tenant_id = d.tenant_id AND a.delivery_id = d.id"
    " AND a.number = d.attempts WHERE d.tenant_id = $1::uuid AND d.id = $2::uuid)"
    " UPDATE deliveries d SET worker = NULL,"
    " state = CASE WHEN v.over THEN 'parked' ELSE d.state END,"
    " reason = CASE WHEN v.over THEN 'waiting' ELSE d.reason END,"
    " settled_at = CASE WHEN v.over THEN clock_timestamp() END,"
    " next_at = clock_timestamp() + $3::bigint * interval '1 ms'"
    " FROM seen v WHERE d.tenant_id = v.tenant_id AND d.id = v.id AND d.state = 'unknown'"
    " AND d.attempts = $5::integer AND d.worker = $6::uuid"
    " RETURNING d.state = 'parked'";

/* Locked in their order first: many at once, and receipts may settle some of them. */
static const char release_sql[] =
    "UPDATE deliveries d SET worker = NULL, next_at = clock_timestamp() FROM (SELECT m.tenant_id,"
    " m.id FROM deliveries m WHERE m.worker = $1::uuid AND m.state = 'unknown'"
    " ORDER BY m.tenant_id, m.id FOR NO KEY UPDATE) AS m"
    " WHERE d.tenant_id = m.tenant_id AND d.id = m.id";

/* ---- writing units ---- */

enum { POLL_EXPIRED = 1, POLL_PARKED, POLL_DUE, POLL_DUE_MAILS, POLL_LOOK_UPS };

static void add_due(struct pg_unit *unit, struct arena *arena, const char *sql,
                    const struct delivery_poll *poll, int limit)
{
    struct pg_statement *due = pg_add(unit, sql);
    pg_param(due, poll->held);
    pg_param(due, delivery_number(arena, poll->grace_ms));
    pg_param(due, delivery_number(arena, limit));
}

void delivery_add_poll(struct pg_unit *unit, struct arena *arena, const struct delivery_poll *poll)
{
    worker_add_mark_dead(unit, arena, "responder", poll->worker, poll->lease_ms);
    struct pg_statement *expire = pg_add(unit, expire_sql);
    pg_param(expire, poll->worker);
    pg_param(expire, poll->held);
    pg_param(expire, delivery_number(arena, poll->lease_ms));
    struct pg_statement *park = pg_add(unit, park_sql);
    pg_param(park, delivery_number(arena, poll->park_after_ms));
    pg_param(park, delivery_number(arena, poll->mail_park_after_ms));
    add_due(unit, arena, due_sql, poll, poll->limit);
    add_due(unit, arena, due_mails_sql, poll, poll->mail_limit);
    struct pg_statement *look_up = pg_add(unit, look_up_sql);
    pg_param(look_up, poll->worker);
    pg_param(look_up, poll->held);
    pg_param(look_up, delivery_number(arena, poll->look_up_limit));
}

void delivery_add_used_sids(struct pg_unit *unit, struct arena *arena,
                            const struct delivery_ref *ref, const char *sids)
{
    struct pg_statement *statement = pg_add(unit, used_sids_sql);
    pg_param(statement, delivery_uuid(arena, &ref->tenant));
    pg_param(statement, delivery_uuid(arena, &ref->id));
    pg_param(statement, sids);
}

void delivery_add_look_up_again(struct pg_unit *unit, struct arena *arena,
                                const struct delivery_again *again)
{
    struct pg_statement *statement = pg_add(unit, look_up_again_sql);
    pg_param(statement, delivery_uuid(arena, &again->ref.tenant));
    pg_param(statement, delivery_uuid(arena, &again->ref.id));
    pg_param(statement, delivery_number(arena, again->after_ms));
    pg_param(statement, delivery_number(arena, again->park_after_ms));
    pg_param(statement, delivery_number(arena, again->attempt));
    pg_param(statement, again->worker);
}

bool delivery_read_look_up_over(const struct pg_answer *answer)
{
    return pg_rows(answer->results, 0) > 0 && pg_bool(answer->results, 0, 0, 0);
}

void delivery_add_release(struct pg_unit *unit, const char *worker)
{
    pg_param(pg_add(unit, release_sql), worker);
}

/* ---- reading answers ---- */

int64_t delivery_poll_expired(const struct pg_answer *answer)
{
    return pg_int(answer->results, POLL_EXPIRED, 0, 0);
}

int64_t delivery_poll_parked(const struct pg_answer *answer)
{
    return pg_int(answer->results, POLL_PARKED, 0, 0);
}

bool delivery_read_due(const struct pg_answer *answer, int row, struct delivery_ref *out,
                       bool *is_mail)
{
    const int texts = pg_rows(answer->results, POLL_DUE);
    *is_mail = row >= texts;
    const int statement = *is_mail ? POLL_DUE_MAILS : POLL_DUE;
    const int at = *is_mail ? row - texts : row;
    if (at >= pg_rows(answer->results, statement))
        return false;
    delivery_read_ref(answer, statement, at, out);
    return true;
}

bool delivery_read_look_up(const struct pg_answer *answer, int row, struct delivery_look_up *out)
{
    const int statement = POLL_LOOK_UPS;
    const struct pg_result *r = answer->results;
    if (row >= pg_rows(r, statement))
        return false;
    *out = (struct delivery_look_up){.attempt = (int)pg_int(r, statement, row, 2),
                                     .attempt_ms = pg_int(r, statement, row, 3),
                                     .unknowns = pg_int(r, statement, row, 4),
                                     .since_ms = pg_int(r, statement, row, 5),
                                     .worker = pg_text(r, statement, row, 6),
                                     .body = pg_text(r, statement, row, 7),
                                     .moved = pg_bool(r, statement, row, 8),
                                     .route = delivery_read_route(answer, statement, row, 9)};
    delivery_read_ref(answer, statement, row, &out->ref);
    return true;
}

const char *const delivery_due_statements[] = {expire_sql,  park_sql,      due_sql, due_mails_sql,
                                               look_up_sql, used_sids_sql, NULL};
