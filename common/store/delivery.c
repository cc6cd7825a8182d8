/* The delivery's SQL: see delivery.h and docs/PROTOCOL.md. Used by the responder only. The state
 * changes of a claim (and in delivery_due.c of expiry and parking) are literal in their statements,
 * all others take source and target from the table in delivery_state.c. */
#include "store/delivery.h"

#include "store/delivery_call.h"
#include "store/delivery_inside.h"

#include <string.h>

#define LOCK_SQL(table, column, mode)                                                              \
    "SELECT 1 FROM " table " x WHERE (x.tenant_id, x.id) IN (SELECT d.tenant_id, d." column        \
    " FROM deliveries d JOIN unnest($1::uuid[], $2::uuid[]) AS i (tenant_id, id)"                  \
    " ON d.tenant_id = i.tenant_id AND d.id = i.id) ORDER BY x.tenant_id, x.id FOR " mode

static const char lock_conversations_sql[] = LOCK_SQL("conversations", "conversation_id", "SHARE");
static const char lock_sessions_sql[] = LOCK_SQL("channel_sessions", "session_id", "SHARE");
static const char lock_deliveries_sql[] = LOCK_SQL("deliveries", "id", "NO KEY UPDATE");

static const char claim_sql[] =
    "WITH input AS (SELECT * FROM unnest($2::uuid[], $3::uuid[]) WITH ORDINALITY"
    " AS t (tenant_id, id, n)),"
    " seen AS (SELECT i.n, d.tenant_id, d.id, d.session_id, d.message_id, d.attempts, d.via,"
    " d.traceparent, ch.account_sid, k.purpose, k.ring_s, k.leave, k.opens_at, CASE"
    " WHEN NOT d.state = ANY ('" DELIVERY_WAITING "')"
    " OR (d.state = 'deferred' AND d.next_at > clock_timestamp()) THEN 'not_due'"
    " WHEN (SELECT released_for IS DISTINCT FROM database_identity() FROM installation)"
    " THEN 'not_released'"
    " WHEN ch.removed_at IS NOT NULL THEN 'channel'"
    " WHEN d.author = 'ai' AND d.epoch <> c.epoch THEN 'epoch'"
    " WHEN d.author = 'system' AND EXISTS (SELECT FROM escalation_notices w"
    " WHERE w.tenant_id = d.tenant_id AND w.delivery_id = d.id AND w.state = 'ended')"
    " THEN 'accepted'"
    " WHEN o.state = 'opted_out' OR k.opted_out THEN 'opt_out'"
    " WHEN k.blocked THEN 'blocked' WHEN k.closed THEN 'closed'"
    " WHEN d.answer_by <= clock_timestamp() THEN 'late'"
    " WHEN EXISTS (SELECT FROM deliveries e WHERE e.tenant_id = d.tenant_id"
    " AND e.session_id = d.session_id AND e.seq < d.seq AND e.state = ANY ('" DELIVERY_UNSETTLED
    "'))"
    " THEN 'not_in_order'"
    " WHEN d.first_attempt_at < clock_timestamp() - CASE WHEN d.via = 'mail' THEN $7::bigint"
    " ELSE $5::bigint END * interval '1 ms' THEN 'waiting'"
    " WHEN k.opens_at > clock_timestamp() THEN 'hours'"
    " ELSE 'claimed' END AS kind"
    " FROM input i JOIN deliveries d ON d.tenant_id = i.tenant_id AND d.id = i.id"
    " JOIN conversations c ON c.tenant_id = d.tenant_id AND c.id = d.conversation_id"
    " JOIN channel_sessions s ON s.tenant_id = d.tenant_id AND s.id = d.session_id"
    " JOIN channels ch ON ch.tenant_id = s.tenant_id AND ch.id = s.channel_id"
    " LEFT JOIN consents o ON o.tenant_id = d.tenant_id AND o.sender = ch.address"
    " AND o.address = s.remote_address"
    " LEFT JOIN LATERAL (" DELIVERY_CALL_SQL ") k ON true),"
    " taken AS (UPDATE deliveries d SET state = 'sending', reason = NULL, worker = $1::uuid,"
    " attempts = d.attempts + 1,"
    " first_attempt_at = coalesce(d.first_attempt_at, clock_timestamp()),"
    " next_at = clock_timestamp() + CASE WHEN v.via = 'mail' THEN $6::bigint ELSE $4::bigint END"
    " * interval '1 ms' FROM seen v WHERE v.kind = 'claimed' AND d.tenant_id = v.tenant_id AND "
    "d.id = v.id),"
    " over AS (UPDATE deliveries d SET reason = v.kind, worker = NULL,"
    " state = CASE WHEN v.kind = 'waiting' THEN 'parked' ELSE 'suppressed' END,"
    " settled_at = clock_timestamp()"
    " FROM seen v WHERE v.kind IN ('channel', 'epoch', 'accepted', 'opt_out', 'blocked', 'closed',"
    " 'late', 'waiting')"
    " AND d.tenant_id = v.tenant_id AND d.id = v.id),"
    " later AS (UPDATE deliveries d SET state = 'deferred', reason = 'hours', worker = NULL,"
    " next_at = v.opens_at, first_attempt_at = NULL FROM seen v WHERE v.kind = 'hours'"
    " AND d.tenant_id = v.tenant_id AND d.id = v.id),"
    " tried AS (INSERT INTO delivery_attempts (tenant_id, delivery_id, number, worker, account_sid)"
    " SELECT tenant_id, id, attempts + 1, $1::uuid, account_sid FROM seen WHERE kind = 'claimed')"
    " SELECT v.tenant_id, v.id, v.kind, v.attempts + 1, m.body, v.traceparent, " DELIVERY_ROUTE_SQL
    ", coalesce(v.purpose, ''), coalesce(v.ring_s, 0), coalesce(v.leave, '') FROM seen v"
    " JOIN channel_sessions s ON s.tenant_id = v.tenant_id AND s.id = v.session_id"
    " JOIN channels ch ON ch.tenant_id = s.tenant_id AND ch.id = s.channel_id"
    " CROSS JOIN LATERAL (SELECT x.body FROM messages x WHERE x.tenant_id = v.tenant_id"
    " AND x.id = v.message_id OFFSET 0) AS m ORDER BY v.n";

/* What the sessions of settled ones wait for now. */
static const char next_sql[] =
    "SELECT f.tenant_id, f.id, f.via = 'mail' FROM (SELECT DISTINCT ON (d.tenant_id, d.session_id)"
    " d.tenant_id, d.id, d.via, d.state, d.next_at FROM deliveries d WHERE (d.tenant_id, "
    "d.session_id) IN"
    " (SELECT x.tenant_id, x.session_id FROM deliveries x"
    " JOIN unnest($1::uuid[], $2::uuid[]) AS i (tenant_id, id)"
    " ON x.tenant_id = i.tenant_id AND x.id = i.id AND NOT x.state = ANY ('" DELIVERY_UNSETTLED
    "'))"
    " AND d.state = ANY ('" DELIVERY_UNSETTLED "') ORDER BY d.tenant_id, d.session_id, d.seq) AS f"
    " WHERE f.state = 'pending' OR (f.state = 'deferred' AND f.next_at <= clock_timestamp())";

/* How far the provider's own word has come: an earlier word never replaces a later one. */
#define RANK_SQL(word)                                                                             \
    "CASE " word " WHEN 'accepted' THEN 0 WHEN 'scheduled' THEN 0 WHEN 'queued' THEN 1"            \
    " WHEN 'initiated' THEN 2 WHEN 'ringing' THEN 3 WHEN 'in-progress' THEN 4"                     \
    " WHEN 'completed' THEN 5 WHEN 'busy' THEN 5 WHEN 'no-answer' THEN 5"                          \
    " WHEN 'sending' THEN 2 WHEN 'sent' THEN 3 WHEN 'delivered' THEN 5 WHEN 'undelivered' THEN 5"  \
    " WHEN 'failed' THEN 5 WHEN 'canceled' THEN 5 WHEN 'bounced' THEN 5 WHEN 'read' THEN 6"        \
    " ELSE -1 END"

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

/* After a fail-over or a restore the row may not know of an attempt that its process and the
 * provider do know of. What names a message (the number comes from our own process or from a URL
 * that we signed) counts all the same, or the text would be sent again; only while a newer history
 * of the row is being sent it cannot be told apart. Bounded, so that no number uses up those to
 * come. */
#define LOST_ATTEMPTS_MAX "1000"
#define DELIVERY_ANY_COPY "-1" /* DELIVERY_ATTEMPT_ANY */
#define NO_SUCH_ATTEMPT_SQL                                                                        \
    "i.attempt < 1 OR (i.attempt > d.attempts AND (i.sid IS NULL OR d.state = 'sending'"           \
    " OR i.attempt > d.attempts + " LOST_ATTEMPTS_MAX "))"

/* Which copy of mail `g` a server speaks of: what it says is of one that has left. While another is
 * about to leave that is an older one, and the newer one stays in flight for all who ask, as a
 * takeover (reference/protocol.md, V4). */
#define COPY_SQL                                                                                   \
    "SELECT coalesce((SELECT max(a.number) FROM delivery_attempts a WHERE d.state = 'sending'"     \
    " AND a.tenant_id = d.tenant_id AND a.delivery_id = d.id AND a.number < d.attempts"            \
    " AND a.outcome IN ('unknown', 'accepted')), d.attempts) AS attempt, w.message_id AS sid"      \
    " FROM deliveries d JOIN delivery_mails w ON w.tenant_id = d.tenant_id"                        \
    " AND w.delivery_id = d.id WHERE g.told = " DELIVERY_ANY_COPY                                  \
    " AND d.tenant_id = g.tenant_id AND d.id = g.id AND d.via = 'mail' OFFSET 0"

/* Where nothing ever left, the time to wait for the provider has not begun: first_attempt_at goes
 * back to NULL. `tried`: an attempt keeps its first outcome, except that a message which failed
 * while a newer attempt was being sent is no longer one that the customer has. `recalled`: the row
 * of an attempt that the database had lost. */
static const char change_sql[] =
    "WITH given AS (SELECT * FROM unnest($1::uuid[], $2::uuid[], $3::integer[], $4::text[],"
    " $5::text[], $6::boolean[], $7::text[], $8::text[], $9::text[], $10::text[], $11::text[],"
    " $12::integer[], $13::bigint[], $14::text[], $15::integer[]) WITH ORDINALITY"
    " AS t (tenant_id, id, told, sources, target, latest_only, reason, error_code, told_sid,"
    " provider_status, encoding, segments, next_ms, outcome, http_status, n)),"
    " input AS (SELECT g.*, CASE WHEN g.told = " DELIVERY_ANY_COPY
    " THEN coalesce(m.attempt, 0) ELSE g.told END AS attempt, coalesce(g.told_sid, m.sid) AS sid"
    " FROM given g LEFT JOIN LATERAL (" COPY_SQL ") m ON true),"
    " judged AS (SELECT i.*, d.state AS was, d.attempts, t.provider_sid AS taken_as,"
    " CASE WHEN d.id IS NULL THEN 'missing'"
    " WHEN " NO_SUCH_ATTEMPT_SQL " THEN 'bad_attempt'"
    " WHEN d.provider_sid <> i.sid THEN 'other_message'"
    " WHEN d.state <> ALL (i.sources::text[]) THEN 'unchanged'"
    " WHEN i.attempt < d.attempts AND (d.state = 'sending'"
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
    " attempts = CASE WHEN j.kind = 'changed' THEN greatest(d.attempts, j.attempt)"
    " ELSE d.attempts END,"
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
    " AND a.provider_sid = j.sid))),"
    " recalled AS (INSERT INTO delivery_attempts (tenant_id, delivery_id, number, worker, outcome,"
    " http_status, error_code, provider_sid, finished_at) SELECT j.tenant_id, j.id, j.attempt,"
    " '00000000-0000-0000-0000-000000000000'::uuid, j.outcome, j.http_status, j.error_code, j.sid,"
    " clock_timestamp() FROM judged j WHERE j.kind = 'changed' AND j.attempt > j.attempts)"
    " SELECT n, kind FROM judged ORDER BY n";

/* As of when we asked, not of when we got to write it: a "START" that came in between is newer. */
static const char opt_out_sql[] =
    "INSERT INTO consents AS o (tenant_id, sender, address, state, source, changed_at)"
    " SELECT d.tenant_id, ch.address, s.remote_address, 'opted_out', 'provider',"
    " max(a.started_at) FROM unnest($1::uuid[], $2::uuid[], $3::integer[])"
    " AS i (tenant_id, id, attempt)"
    " JOIN deliveries d ON d.tenant_id = i.tenant_id AND d.id = i.id"
    " JOIN delivery_attempts a ON a.tenant_id = d.tenant_id AND a.delivery_id = d.id"
    " AND (a.number = i.attempt OR i.attempt = " DELIVERY_ANY_COPY ")"
    " JOIN channel_sessions s ON s.tenant_id = d.tenant_id AND s.id = d.session_id"
    " JOIN channels ch ON ch.tenant_id = s.tenant_id AND ch.id = s.channel_id"
    " GROUP BY d.tenant_id, ch.address, s.remote_address"
    " ON CONFLICT (tenant_id, sender, address) DO UPDATE SET state = EXCLUDED.state,"
    " source = EXCLUDED.source, changed_at = EXCLUDED.changed_at"
    " WHERE o.changed_at <= EXCLUDED.changed_at";

static const char channel_sql[] =
    "SELECT ch.id, ch.address, '', ch.account_sid, coalesce(ch.messaging_service_sid, ''),"
    " encode(ch.credentials, 'hex'), ch.credentials_version, ch.kind FROM channels ch"
    " WHERE ch.tenant_id = $1::uuid AND ch.id = $2::uuid AND ch.removed_at IS NULL";

/* ---- writing units ---- */

const char *delivery_number(struct arena *arena, int64_t value)
{
    return arena_printf(arena, "%lld", (long long)value);
}

const char *delivery_uuid(struct arena *arena, const struct uuid *id)
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
    pg_param(statement, delivery_number(arena, timing->lookup_after_ms));
    pg_param(statement, delivery_number(arena, timing->park_after_ms));
    pg_param(statement, delivery_number(arena, timing->mail_again_after_ms));
    pg_param(statement, delivery_number(arena, timing->mail_park_after_ms));
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
    bool has_calls = false;
    for (size_t i = 0; i < count; i++)
        has_calls |= changes[i].of_call;
    if (has_calls)
        delivery_call_add_over(unit, literals);
}

void delivery_add_channel(struct pg_unit *unit, struct arena *arena, const struct uuid *tenant,
                          const struct uuid *channel)
{
    struct pg_statement *statement = pg_add(unit, channel_sql);
    pg_param(statement, delivery_uuid(arena, tenant));
    pg_param(statement, delivery_uuid(arena, channel));
}

/* ---- reading answers ---- */

void delivery_read_ref(const struct pg_answer *answer, int statement, int row,
                       struct delivery_ref *out)
{
    out->tenant = pg_uuid(answer->results, statement, row, 0);
    out->id = pg_uuid(answer->results, statement, row, 1);
}

struct delivery_route delivery_read_route(const struct pg_answer *answer, int statement, int row,
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
        .is_mail = strcmp(pg_text(r, statement, row, first + 7), "mail") == 0,
        .is_call = strcmp(pg_text(r, statement, row, first + 7), "voice") == 0,
    };
}

bool delivery_read_channel(const struct pg_answer *answer, struct delivery_route *out)
{
    if (pg_rows(answer->results, 0) == 0)
        return false;
    *out = delivery_read_route(answer, 0, 0, 0);
    return true;
}

static const struct {
    const char *word;
    enum delivery_claim_kind kind;
} claim_kinds[] = {
    {"claimed", DELIVERY_CLAIMED},           {"not_due", DELIVERY_NOT_DUE},
    {"not_released", DELIVERY_NOT_RELEASED}, {"not_in_order", DELIVERY_NOT_IN_ORDER},
    {"hours", DELIVERY_OUT_OF_HOURS},
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
                                     .route = delivery_read_route(answer, statement, row, 6),
                                     .call = {.purpose = pg_text(r, statement, row, 14),
                                              .ring_s = (int)pg_int(r, statement, row, 15),
                                              .leave = pg_text(r, statement, row, 16)}};
    delivery_read_ref(answer, statement, row, &out->ref);
    for (size_t i = 0; i < sizeof claim_kinds / sizeof *claim_kinds; i++)
        if (strcmp(out->reason, claim_kinds[i].word) == 0)
            out->kind = claim_kinds[i].kind;
    return true;
}

static bool read_changed(const struct pg_answer *answer, int statement, int row,
                         struct delivery_changed *out)
{
    static const char *const kinds[] = {"changed", "unchanged", "missing", "bad_attempt",
                                        "other_message"};
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

bool delivery_read_changed(const struct pg_answer *answer, int row, struct delivery_changed *out)
{
    return read_changed(answer, CHANGE_STATEMENT, row, out);
}

static bool read_next(const struct pg_answer *answer, int statement, int row,
                      struct delivery_ref *out, bool *is_mail)
{
    if (row >= pg_rows(answer->results, statement))
        return false;
    delivery_read_ref(answer, statement, row, out);
    *is_mail = pg_bool(answer->results, statement, row, 2);
    return true;
}

bool delivery_read_next(const struct pg_answer *answer, int row, struct delivery_ref *out,
                        bool *is_mail)
{
    /* it follows the statement that judges: the fifth of a claim, the third of a change */
    const int statement =
        answer->count > CLAIM_STATEMENT + 1 ? CLAIM_STATEMENT + 1 : CHANGE_STATEMENT + 1;
    return read_next(answer, statement, row, out, is_mail);
}

bool delivery_read_changed_behind(const struct pg_answer *answer, int first, int row,
                                  struct delivery_changed *out)
{
    return read_changed(answer, first + CHANGE_STATEMENT, row, out);
}

bool delivery_read_next_behind(const struct pg_answer *answer, int first, int row,
                               struct delivery_ref *out, bool *is_mail)
{
    return read_next(answer, first + CHANGE_STATEMENT + 1, row, out, is_mail);
}

const char *const delivery_statements[] = {lock_conversations_sql,
                                           lock_sessions_sql,
                                           lock_deliveries_sql,
                                           claim_sql,
                                           next_sql,
                                           change_sql,
                                           opt_out_sql,
                                           NULL};
