/* The delivery's SQL: see delivery.h and docs/PROTOCOL.md. Used by the responder only. The state
 * changes of claim, expiry and parking are literal in their statements, all others take source and
 * target from the table in delivery_state.c. */
#include "store/delivery.h"

#include "store/worker.h"

#include <string.h>

#define UNKNOWN_MIN_MS "120000" /* of failing look-ups before one parks */

#define LOCK_SQL(table, column, mode)                                                              \
    "SELECT 1 FROM " table " x WHERE (x.tenant_id, x.id) IN (SELECT d.tenant_id, d." column        \
    " FROM deliveries d JOIN unnest($1::uuid[], $2::uuid[]) AS i (tenant_id, id)"                  \
    " ON d.tenant_id = i.tenant_id AND d.id = i.id) ORDER BY x.tenant_id, x.id FOR " mode

static const char lock_conversations_sql[] = LOCK_SQL("conversations", "conversation_id", "SHARE");
static const char lock_sessions_sql[] = LOCK_SQL("channel_sessions", "session_id", "SHARE");
static const char lock_deliveries_sql[] = LOCK_SQL("deliveries", "id", "NO KEY UPDATE");

#define ROUTE_SQL                                                                                  \
    "ch.id, ch.address, s.remote_address, ch.account_sid,"                                         \
    " coalesce(ch.messaging_service_sid, ''), encode(ch.credentials, 'hex'),"                      \
    " ch.credentials_version"

static const char claim_sql[] =
    "WITH input AS (SELECT * FROM unnest($2::uuid[], $3::uuid[]) WITH ORDINALITY"
    " AS t (tenant_id, id, n)),"
    " seen AS (SELECT i.n, d.tenant_id, d.id, d.session_id, d.message_id, d.attempts,"
    " d.traceparent, CASE"
    " WHEN NOT d.state = ANY ('" DELIVERY_WAITING "')"
    " OR (d.state = 'deferred' AND d.next_at > clock_timestamp()) THEN 'not_due'"
    " WHEN (SELECT released_for IS DISTINCT FROM database_identity() FROM installation)"
    " THEN 'not_released'"
    " WHEN ch.removed_at IS NOT NULL THEN 'channel'"
    " WHEN d.author = 'ai' AND d.epoch <> c.epoch THEN 'epoch'"
    " WHEN o.state = 'opted_out' THEN 'opt_out'"
    " WHEN d.answer_by <= clock_timestamp() THEN 'late'"
    " WHEN EXISTS (SELECT FROM deliveries e WHERE e.tenant_id = d.tenant_id"
    " AND e.session_id = d.session_id AND e.seq < d.seq AND e.state = ANY ('" DELIVERY_UNSETTLED
    "'))"
    " THEN 'not_in_order'"
    " WHEN d.first_attempt_at < clock_timestamp() - $5::bigint * interval '1 ms' THEN 'waiting'"
    " ELSE 'claimed' END AS kind"
    " FROM input i JOIN deliveries d ON d.tenant_id = i.tenant_id AND d.id = i.id"
    " JOIN conversations c ON c.tenant_id = d.tenant_id AND c.id = d.conversation_id"
    " JOIN channel_sessions s ON s.tenant_id = d.tenant_id AND s.id = d.session_id"
    " JOIN channels ch ON ch.tenant_id = s.tenant_id AND ch.id = s.channel_id"
    " LEFT JOIN consents o ON o.tenant_id = d.tenant_id AND o.sender = ch.address"
    " AND o.address = s.remote_address),"
    " taken AS (UPDATE deliveries d SET state = 'sending', reason = NULL, worker = $1::uuid,"
    " attempts = d.attempts + 1,"
    " first_attempt_at = coalesce(d.first_attempt_at, clock_timestamp()),"
    " next_at = clock_timestamp() + $4::bigint * interval '1 ms'"
    " FROM seen v WHERE v.kind = 'claimed' AND d.tenant_id = v.tenant_id AND d.id = v.id),"
    " over AS (UPDATE deliveries d SET reason = v.kind, worker = NULL,"
    " state = CASE WHEN v.kind = 'waiting' THEN 'parked' ELSE 'suppressed' END,"
    " settled_at = clock_timestamp()"
    " FROM seen v WHERE v.kind IN ('channel', 'epoch', 'opt_out', 'late', 'waiting')"
    " AND d.tenant_id = v.tenant_id AND d.id = v.id),"
    " tried AS (INSERT INTO delivery_attempts (tenant_id, delivery_id, number, worker)"
    " SELECT tenant_id, id, attempts + 1, $1::uuid FROM seen WHERE kind = 'claimed')"
    " SELECT v.tenant_id, v.id, v.kind, v.attempts + 1, m.body, v.traceparent, " ROUTE_SQL
    " FROM seen v"
    " JOIN channel_sessions s ON s.tenant_id = v.tenant_id AND s.id = v.session_id"
    " JOIN channels ch ON ch.tenant_id = s.tenant_id AND ch.id = s.channel_id"
    " JOIN messages m ON m.tenant_id = v.tenant_id AND m.id = v.message_id ORDER BY v.n";

/* What the sessions of settled ones wait for now. */
static const char next_sql[] =
    "SELECT f.tenant_id, f.id FROM (SELECT DISTINCT ON (d.tenant_id, d.session_id) d.tenant_id,"
    " d.id, d.state, d.next_at FROM deliveries d WHERE (d.tenant_id, d.session_id) IN"
    " (SELECT x.tenant_id, x.session_id FROM deliveries x"
    " JOIN unnest($1::uuid[], $2::uuid[]) AS i (tenant_id, id)"
    " ON x.tenant_id = i.tenant_id AND x.id = i.id AND NOT x.state = ANY ('" DELIVERY_UNSETTLED
    "'))"
    " AND d.state = ANY ('" DELIVERY_UNSETTLED "') ORDER BY d.tenant_id, d.session_id, d.seq) AS f"
    " WHERE f.state = 'pending' OR (f.state = 'deferred' AND f.next_at <= clock_timestamp())";

/* How far the provider's own word has come: an earlier word never replaces a later one. */
#define RANK_SQL(word)                                                                             \
    "CASE " word " WHEN 'accepted' THEN 0 WHEN 'scheduled' THEN 0 WHEN 'queued' THEN 1"            \
    " WHEN 'sending' THEN 2 WHEN 'sent' THEN 3 WHEN 'delivered' THEN 4 WHEN 'undelivered' THEN 4"  \
    " WHEN 'failed' THEN 4 WHEN 'canceled' THEN 4 WHEN 'read' THEN 5 ELSE -1 END"

#define LATER_WORD_SQL                                                                             \
    "CASE WHEN " RANK_SQL("j.provider_status") " > " RANK_SQL(                                     \
        "d.provider_status") " THEN j.provider_status ELSE d.provider_status END"

/* A late yes that came while a newer attempt was being sent is in its attempt's row only. When that
 * newer one did not make a message either, the older one is what the customer has: `sent`, or the
 * next attempt would be a second copy. */
#define TAKEN_SQL                                                                                  \
    "SELECT a.provider_sid FROM delivery_attempts a WHERE a.tenant_id = d.tenant_id"               \
    " AND a.delivery_id = d.id AND a.number <> i.attempt AND a.outcome = 'accepted'"               \
    " AND d.provider_sid IS NULL AND i.target IN ('pending', 'deferred', 'unknown', 'parked',"     \
    " 'failed') ORDER BY a.number LIMIT 1"

/* Where nothing ever left, the time to wait for the provider has not begun: first_attempt_at goes
 * back to NULL. `tried`: an attempt keeps its first outcome, except that a message which failed
 * while a newer attempt was being sent is no longer one that the customer has. */
static const char change_sql[] =
    "WITH input AS (SELECT * FROM unnest($1::uuid[], $2::uuid[], $3::integer[], $4::text[],"
    " $5::text[], $6::boolean[], $7::text[], $8::text[], $9::text[], $10::text[], $11::text[],"
    " $12::integer[], $13::bigint[], $14::text[], $15::integer[]) WITH ORDINALITY"
    " AS t (tenant_id, id, attempt, sources, target, latest_only, reason, error_code, sid,"
    " provider_status, encoding, segments, next_ms, outcome, http_status, n)),"
    " judged AS (SELECT i.*, d.state AS was, t.provider_sid AS taken_as, CASE WHEN d.id IS NULL "
    "THEN 'missing'"
    " WHEN i.attempt < 1 OR i.attempt > d.attempts THEN 'bad_attempt'"
    " WHEN d.provider_sid <> i.sid THEN 'other_message'"
    " WHEN d.state <> ALL (i.sources::text[]) THEN 'unchanged'"
    " WHEN i.attempt <> d.attempts AND (d.state = 'sending'"
    " OR (i.latest_only AND d.provider_sid IS DISTINCT FROM coalesce(i.sid, ''))) THEN 'unchanged'"
    " ELSE 'changed' END AS kind"
    " FROM input i LEFT JOIN deliveries d ON d.tenant_id = i.tenant_id AND d.id = i.id"
    " LEFT JOIN LATERAL (" TAKEN_SQL ") t ON true),"
    " decided AS (SELECT j.*, CASE WHEN j.taken_as IS NULL THEN j.target ELSE 'sent' END"
    " AS becomes, CASE WHEN j.taken_as IS NULL THEN j.reason END AS why,"
    " CASE WHEN j.taken_as IS NULL THEN j.error_code END AS code FROM judged j),"
    " written AS (UPDATE deliveries d SET"
    " state = CASE WHEN j.kind = 'changed' THEN j.becomes ELSE d.state END,"
    " worker = CASE WHEN j.kind = 'changed' THEN NULL ELSE d.worker END,"
    " reason = CASE WHEN j.kind = 'changed' THEN j.why ELSE d.reason END,"
    " error_code = CASE WHEN j.kind = 'changed' THEN j.code ELSE d.error_code END,"
    " first_attempt_at = CASE WHEN j.kind = 'changed' AND j.outcome = 'not_sent'"
    " AND NOT EXISTS (SELECT FROM delivery_attempts a WHERE a.tenant_id = d.tenant_id"
    " AND a.delivery_id = d.id AND a.number <> j.attempt"
    " AND a.outcome IS DISTINCT FROM 'not_sent') THEN NULL ELSE d.first_attempt_at END,"
    " next_at = CASE WHEN j.kind = 'changed' AND j.next_ms >= 0"
    " THEN clock_timestamp() + j.next_ms * interval '1 ms' ELSE d.next_at END,"
    " settled_at = CASE WHEN j.kind <> 'changed' THEN d.settled_at"
    " WHEN j.becomes = ANY ('" DELIVERY_UNSETTLED "') THEN NULL"
    " ELSE coalesce(d.settled_at, clock_timestamp()) END,"
    " provider_sid = coalesce(d.provider_sid, j.taken_as, j.sid),"
    " provider_status = " LATER_WORD_SQL ","
    " segments = coalesce(j.segments, d.segments), encoding = coalesce(j.encoding, d.encoding)"
    " FROM decided j WHERE j.kind IN ('changed', 'unchanged')"
    " AND (j.kind = 'changed' OR d.state IN ('sent', 'delivered', 'failed', 'bounced'))"
    " AND d.tenant_id = j.tenant_id AND d.id = j.id),"
    " tried AS (UPDATE delivery_attempts a SET outcome = j.outcome,"
    " http_status = coalesce(j.http_status, a.http_status),"
    " error_code = coalesce(j.error_code, a.error_code),"
    " provider_sid = coalesce(a.provider_sid, j.sid), finished_at = clock_timestamp()"
    " FROM judged j WHERE j.kind IN ('changed', 'unchanged') AND j.outcome IS NOT NULL"
    " AND a.tenant_id = j.tenant_id AND a.delivery_id = j.id AND a.number = j.attempt"
    " AND (coalesce(a.outcome, 'unknown') = 'unknown' OR (a.outcome = 'accepted'"
    " AND j.outcome = 'refused' AND j.kind = 'unchanged' AND j.was = 'sending'"
    " AND a.provider_sid = j.sid)))"
    " SELECT n, kind FROM judged ORDER BY n";

/* As of when we asked, not of when we got to write it: a "START" that came in between is newer. */
static const char opt_out_sql[] =
    "INSERT INTO consents AS o (tenant_id, sender, address, state, source, changed_at)"
    " SELECT d.tenant_id, ch.address, s.remote_address, 'opted_out', 'provider',"
    " max(a.started_at) FROM unnest($1::uuid[], $2::uuid[], $3::integer[])"
    " AS i (tenant_id, id, attempt)"
    " JOIN deliveries d ON d.tenant_id = i.tenant_id AND d.id = i.id"
    " JOIN delivery_attempts a ON a.tenant_id = d.tenant_id AND a.delivery_id = d.id"
    " AND a.number = i.attempt"
    " JOIN channel_sessions s ON s.tenant_id = d.tenant_id AND s.id = d.session_id"
    " JOIN channels ch ON ch.tenant_id = s.tenant_id AND ch.id = s.channel_id"
    " GROUP BY d.tenant_id, ch.address, s.remote_address"
    " ON CONFLICT (tenant_id, sender, address) DO UPDATE SET state = EXCLUDED.state,"
    " source = EXCLUDED.source, changed_at = EXCLUDED.changed_at"
    " WHERE o.changed_at <= EXCLUDED.changed_at";

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
    " AND d.first_attempt_at < statement_timestamp() - $1::bigint * interval '1 ms'"
    " ORDER BY d.tenant_id, d.id FOR NO KEY UPDATE SKIP LOCKED),"
    " gone AS (UPDATE deliveries d SET state = 'parked', reason = 'waiting',"
    " settled_at = clock_timestamp() FROM old o"
    " WHERE d.tenant_id = o.tenant_id AND d.id = o.id RETURNING 1)"
    " SELECT count(*) FROM gone";

static const char due_sql[] =
    "SELECT d.tenant_id, d.id FROM deliveries d"
    " WHERE d.state = ANY ('" DELIVERY_WAITING "') AND d.worker IS NULL"
    " AND d.next_at <= statement_timestamp()"
    " AND (d.state = 'deferred'"
    " OR d.next_at <= statement_timestamp() - $2::bigint * interval '1 ms')"
    " AND d.id NOT IN (SELECT unnest($1::uuid[]))"
    " AND (SELECT released_for = database_identity() FROM installation)"
    " AND NOT EXISTS (SELECT FROM deliveries e WHERE e.tenant_id = d.tenant_id"
    " AND e.session_id = d.session_id AND e.seq < d.seq AND e.state = ANY ('" DELIVERY_UNSETTLED
    "'))"
    " ORDER BY d.next_at LIMIT $3::integer";

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
    " RETURNING d.tenant_id, d.id, d.session_id, d.message_id, d.attempts)"
    " SELECT t.tenant_id, t.id, t.attempts, (extract(epoch FROM a.started_at) * 1000)::bigint,"
    " u.count, (extract(epoch FROM coalesce(u.since, a.started_at)) * 1000)::bigint, m.body,"
    " " ROUTE_SQL " FROM taken t"
    " CROSS JOIN LATERAL (SELECT count(*), min(o.started_at) AS since FROM delivery_attempts o"
    " WHERE o.tenant_id = t.tenant_id AND o.delivery_id = t.id"
    " AND coalesce(o.outcome, 'unknown') = 'unknown') u"
    " JOIN delivery_attempts a ON a.tenant_id = t.tenant_id AND a.delivery_id = t.id"
    " AND a.number = t.attempts"
    " JOIN channel_sessions s ON s.tenant_id = t.tenant_id AND s.id = t.session_id"
    " JOIN channels ch ON ch.tenant_id = s.tenant_id AND ch.id = s.channel_id"
    " JOIN messages m ON m.tenant_id = t.tenant_id AND m.id = t.message_id";

static const char channel_sql[] =
    "SELECT ch.id, ch.address, '', ch.account_sid, coalesce(ch.messaging_service_sid, ''),"
    " encode(ch.credentials, 'hex'), ch.credentials_version FROM channels ch"
    " WHERE ch.tenant_id = $1::uuid AND ch.id = $2::uuid AND ch.removed_at IS NULL";

/* Attempts only within the session: it holds whatever went between the two numbers. */
static const char used_sids_sql[] =
    "SELECT provider_sid FROM deliveries WHERE tenant_id = $1::uuid"
    " AND provider_sid = ANY ($3::text[]) AND id <> $2::uuid"
    " UNION SELECT a.provider_sid FROM deliveries d JOIN deliveries o"
    " ON o.tenant_id = d.tenant_id AND o.session_id = d.session_id AND o.id <> d.id"
    " JOIN delivery_attempts a ON a.tenant_id = o.tenant_id AND a.delivery_id = o.id"
    " WHERE d.tenant_id = $1::uuid AND d.id = $2::uuid AND a.provider_sid = ANY ($3::text[])";

/* It parks when it has waited too long, and been unknown for long enough that the provider's own
 * troubles, and not only our outage, were in its way. */
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
    " RETURNING d.state = 'parked'";

static const char release_sql[] = "UPDATE deliveries SET worker = NULL, next_at = clock_timestamp()"
                                  " WHERE worker = $1::uuid AND state = 'unknown'";

/* ---- writing units ---- */

static const char *number(struct arena *arena, int64_t value)
{
    return arena_printf(arena, "%lld", (long long)value);
}

static const char *uuid_text(struct arena *arena, const struct uuid *id)
{
    char text[UUID_TEXT_SIZE];
    return arena_strdup(arena, uuid_format(id, text));
}

static void add_locks(struct pg_unit *unit, const char *const *sqls, size_t count,
                      const char *const keys[2])
{
    for (size_t i = 0; i < count; i++) {
        struct pg_statement *statement = pg_add(unit, sqls[i]);
        pg_param(statement, keys[0]);
        pg_param(statement, keys[1]);
    }
}

static void add_next(struct pg_unit *unit, const char *const keys[2])
{
    add_locks(unit, (const char *const[]){next_sql}, 1, keys);
}

enum { CLAIM_STATEMENT = 3, CHANGE_STATEMENT = 1 };

void delivery_add_claim(struct pg_unit *unit, struct arena *arena, const char *worker,
                        const struct delivery_timing *timing, const struct delivery_ref *refs,
                        size_t count)
{
    struct pg_array tenants, ids;
    pg_array_init(&tenants);
    pg_array_init(&ids);
    for (size_t i = 0; i < count; i++) {
        pg_array_add_uuid(&tenants, &refs[i].tenant);
        pg_array_add_uuid(&ids, &refs[i].id);
    }
    const char *keys[2] = {pg_array_take(&tenants, arena), pg_array_take(&ids, arena)};
    pg_array_fini(&tenants);
    pg_array_fini(&ids);
    const char *const locks[] = {lock_conversations_sql, lock_sessions_sql, lock_deliveries_sql};
    add_locks(unit, locks, CLAIM_STATEMENT, keys);
    struct pg_statement *statement = pg_add(unit, claim_sql);
    pg_param(statement, worker);
    pg_param(statement, keys[0]);
    pg_param(statement, keys[1]);
    pg_param(statement, number(arena, timing->lookup_after_ms));
    pg_param(statement, number(arena, timing->park_after_ms));
    add_next(unit, keys);
}

enum { CHANGE_COLUMNS = 15 };

static void add_number_or_null(struct pg_array *array, bool known, int64_t value)
{
    if (known)
        pg_array_add_int(array, value);
    else
        pg_array_add(array, NULL);
}

/* In the order of change_sql's parameters. */
static void add_change_row(struct pg_array *columns, const struct delivery_change *change)
{
    pg_array_add_uuid(&columns[0], &change->ref.tenant);
    pg_array_add_uuid(&columns[1], &change->ref.id);
    pg_array_add_int(&columns[2], change->attempt);
    pg_array_add(&columns[3], delivery_sources(change->event));
    pg_array_add(&columns[4], delivery_target(change->event));
    pg_array_add_bool(&columns[5], delivery_latest_only(change->event));
    pg_array_add(&columns[6], change->reason);
    pg_array_add(&columns[7], change->error_code);
    pg_array_add(&columns[8], change->sid);
    pg_array_add(&columns[9], change->provider_status);
    pg_array_add(&columns[10], change->segments > 0 ? change->encoding : NULL);
    add_number_or_null(&columns[11], change->segments > 0, change->segments);
    pg_array_add_int(&columns[12], change->next_in_ms);
    pg_array_add(&columns[13], change->outcome);
    add_number_or_null(&columns[14], change->http_status > 0, change->http_status);
}

static void add_opt_outs(struct pg_unit *unit, struct arena *arena,
                         const struct delivery_change *changes, size_t count)
{
    struct pg_array columns[3];
    for (int i = 0; i < 3; i++)
        pg_array_init(&columns[i]);
    for (size_t i = 0; i < count; i++)
        if (changes[i].opted_out) {
            pg_array_add_uuid(&columns[0], &changes[i].ref.tenant);
            pg_array_add_uuid(&columns[1], &changes[i].ref.id);
            pg_array_add_int(&columns[2], changes[i].attempt);
        }
    if (columns[0].count > 0) {
        struct pg_statement *statement = pg_add(unit, opt_out_sql);
        for (int i = 0; i < 3; i++)
            pg_param(statement, pg_array_take(&columns[i], arena));
    }
    for (int i = 0; i < 3; i++)
        pg_array_fini(&columns[i]);
}

void delivery_add_change(struct pg_unit *unit, struct arena *arena,
                         const struct delivery_change *changes, size_t count)
{
    struct pg_array columns[CHANGE_COLUMNS];
    const char *literals[CHANGE_COLUMNS];
    for (int i = 0; i < CHANGE_COLUMNS; i++)
        pg_array_init(&columns[i]);
    for (size_t i = 0; i < count; i++)
        add_change_row(columns, &changes[i]);
    for (int i = 0; i < CHANGE_COLUMNS; i++) {
        literals[i] = pg_array_take(&columns[i], arena);
        pg_array_fini(&columns[i]);
    }
    add_locks(unit, (const char *const[]){lock_deliveries_sql}, CHANGE_STATEMENT, literals);
    struct pg_statement *statement = pg_add(unit, change_sql);
    for (int i = 0; i < CHANGE_COLUMNS; i++)
        pg_param(statement, literals[i]);
    add_next(unit, literals);
    add_opt_outs(unit, arena, changes, count);
}

enum { POLL_EXPIRED = 1, POLL_PARKED, POLL_DUE, POLL_LOOK_UPS };

void delivery_add_poll(struct pg_unit *unit, struct arena *arena, const struct delivery_poll *poll)
{
    worker_add_mark_dead(unit, arena, "responder", poll->worker, poll->lease_ms);
    struct pg_statement *expire = pg_add(unit, expire_sql);
    pg_param(expire, poll->worker);
    pg_param(expire, poll->held);
    pg_param(expire, number(arena, poll->lease_ms));
    pg_param(pg_add(unit, park_sql), number(arena, poll->park_after_ms));
    struct pg_statement *due = pg_add(unit, due_sql);
    pg_param(due, poll->held);
    pg_param(due, number(arena, poll->grace_ms));
    pg_param(due, number(arena, poll->limit));
    struct pg_statement *look_up = pg_add(unit, look_up_sql);
    pg_param(look_up, poll->worker);
    pg_param(look_up, poll->held);
    pg_param(look_up, number(arena, poll->look_up_limit));
}

void delivery_add_used_sids(struct pg_unit *unit, struct arena *arena,
                            const struct delivery_ref *ref, const char *sids)
{
    struct pg_statement *statement = pg_add(unit, used_sids_sql);
    pg_param(statement, uuid_text(arena, &ref->tenant));
    pg_param(statement, uuid_text(arena, &ref->id));
    pg_param(statement, sids);
}

void delivery_add_channel(struct pg_unit *unit, struct arena *arena, const struct uuid *tenant,
                          const struct uuid *channel)
{
    struct pg_statement *statement = pg_add(unit, channel_sql);
    pg_param(statement, uuid_text(arena, tenant));
    pg_param(statement, uuid_text(arena, channel));
}

void delivery_add_look_up_again(struct pg_unit *unit, struct arena *arena,
                                const struct delivery_ref *ref, int64_t after_ms,
                                int64_t park_after_ms)
{
    struct pg_statement *statement = pg_add(unit, look_up_again_sql);
    pg_param(statement, uuid_text(arena, &ref->tenant));
    pg_param(statement, uuid_text(arena, &ref->id));
    pg_param(statement, number(arena, after_ms));
    pg_param(statement, number(arena, park_after_ms));
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

static void read_ref(const struct pg_answer *answer, int statement, int row,
                     struct delivery_ref *out)
{
    out->tenant = pg_uuid(answer->results, statement, row, 0);
    out->id = pg_uuid(answer->results, statement, row, 1);
}

/* ROUTE_SQL's columns, from `first` on. */
static struct delivery_route read_route(const struct pg_answer *answer, int statement, int row,
                                        int first)
{
    const struct pg_result *r = answer->results;
    return (struct delivery_route){
        .channel = pg_uuid(r, statement, row, first),
        .from = pg_text(r, statement, row, first + 1),
        .to = pg_text(r, statement, row, first + 2),
        .account_sid = pg_text(r, statement, row, first + 3),
        .service_sid = pg_text(r, statement, row, first + 4),
        .credentials_hex = pg_text(r, statement, row, first + 5),
        .credentials_version = pg_int(r, statement, row, first + 6),
    };
}

bool delivery_read_channel(const struct pg_answer *answer, struct delivery_route *out)
{
    if (pg_rows(answer->results, 0) == 0)
        return false;
    *out = read_route(answer, 0, 0, 0);
    return true;
}

static const struct {
    const char *word;
    enum delivery_claim_kind kind;
} claim_kinds[] = {
    {"claimed", DELIVERY_CLAIMED},
    {"not_due", DELIVERY_NOT_DUE},
    {"not_released", DELIVERY_NOT_RELEASED},
    {"not_in_order", DELIVERY_NOT_IN_ORDER},
};

bool delivery_read_claimed(const struct pg_answer *answer, int row, struct delivery_claimed *out)
{
    const int statement = CLAIM_STATEMENT;
    const struct pg_result *r = answer->results;
    if (row >= pg_rows(r, statement))
        return false;
    *out = (struct delivery_claimed){.kind = DELIVERY_REFUSED,
                                     .reason = pg_text(r, statement, row, 2),
                                     .attempt = (int)pg_int(r, statement, row, 3),
                                     .body = pg_text(r, statement, row, 4),
                                     .traceparent = pg_text(r, statement, row, 5),
                                     .route = read_route(answer, statement, row, 6)};
    read_ref(answer, statement, row, &out->ref);
    for (size_t i = 0; i < sizeof claim_kinds / sizeof *claim_kinds; i++)
        if (strcmp(out->reason, claim_kinds[i].word) == 0)
            out->kind = claim_kinds[i].kind;
    return true;
}

bool delivery_read_changed(const struct pg_answer *answer, int row, struct delivery_changed *out)
{
    static const char *const kinds[] = {"changed", "unchanged", "missing", "bad_attempt",
                                        "other_message"};
    const int statement = CHANGE_STATEMENT;
    if (row >= pg_rows(answer->results, statement))
        return false;
    const char *word = pg_text(answer->results, statement, row, 1);
    out->index = (size_t)pg_int(answer->results, statement, row, 0) - 1;
    out->kind = DELIVERY_UNCHANGED;
    for (size_t i = 0; i < sizeof kinds / sizeof *kinds; i++)
        if (strcmp(word, kinds[i]) == 0)
            out->kind = (enum delivery_change_kind)i;
    return true;
}

bool delivery_read_next(const struct pg_answer *answer, int row, struct delivery_ref *out)
{
    /* it follows the statement that judges: the fifth of a claim, the third of a change */
    const int statement =
        answer->count > CLAIM_STATEMENT + 1 ? CLAIM_STATEMENT + 1 : CHANGE_STATEMENT + 1;
    if (row >= pg_rows(answer->results, statement))
        return false;
    read_ref(answer, statement, row, out);
    return true;
}

int64_t delivery_poll_expired(const struct pg_answer *answer)
{
    return pg_int(answer->results, POLL_EXPIRED, 0, 0);
}

int64_t delivery_poll_parked(const struct pg_answer *answer)
{
    return pg_int(answer->results, POLL_PARKED, 0, 0);
}

bool delivery_read_due(const struct pg_answer *answer, int row, struct delivery_ref *out)
{
    if (row >= pg_rows(answer->results, POLL_DUE))
        return false;
    read_ref(answer, POLL_DUE, row, out);
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
                                     .body = pg_text(r, statement, row, 6),
                                     .route = read_route(answer, statement, row, 7)};
    read_ref(answer, statement, row, &out->ref);
    return true;
}

const char *const delivery_statements[] = {lock_conversations_sql,
                                           lock_sessions_sql,
                                           lock_deliveries_sql,
                                           claim_sql,
                                           next_sql,
                                           change_sql,
                                           opt_out_sql,
                                           expire_sql,
                                           park_sql,
                                           due_sql,
                                           look_up_sql,
                                           used_sids_sql,
                                           NULL};
