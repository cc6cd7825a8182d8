/* The SQL of codes that are texted or mailed back: see rota_reply.h. The claims add it (inbox.c).
 */
#include "store/rota_reply.h"

#include "store/columns.h"
#include "store/delivery_state.h"
#include "store/job.h"

/* What a code `m` in session `e` is about: a text's of its number, a mail's of its thread, which OK
 * alone accepts, and of all codes only its own. */
#define NOTICE_SQL                                                                                 \
    "SELECT a.* FROM escalation_notices a WHERE a.tenant_id = m.tenant_id"                         \
    " AND m.channel = 'sms' AND a.sms = m.address AND a.code = m.code"                             \
    " UNION ALL SELECT b.* FROM escalation_notices b WHERE b.tenant_id = m.tenant_id"              \
    " AND m.channel = 'mail' AND b.id = e.session_id AND m.code IN ('OK', b.code)"

/* Two people who accept at once, here or in another claim, are told one after the other. */
static const char lock_sql[] =
    "SELECT 1 FROM escalations e WHERE (e.tenant_id, e.id) IN (SELECT n.tenant_id, n.escalation_id"
    " FROM unnest($1::uuid[], $2::text[], $3::text[], $4::text[], $5::text[])"
    " AS m (tenant_id, channel, provider_id, address, code) LEFT JOIN inbox_events e"
    " ON e.tenant_id = m.tenant_id AND e.channel = m.channel AND e.provider_id = m.provider_id"
    " JOIN LATERAL (" NOTICE_SQL ") n ON true) ORDER BY e.tenant_id, e.id FOR NO KEY UPDATE";

/* What a code means, in this order. */
#define KIND_SQL                                                                                   \
    "CASE WHEN f.wrong + f.nth > $12::bigint + 1 THEN 'silent'"                                    \
    " WHEN f.wrong + f.nth > $12::bigint THEN 'many' WHEN f.notice_id IS NULL THEN 'wrong'"        \
    " WHEN f.escalation_state = 'closed' THEN 'closed'"                                            \
    " WHEN f.escalation_state = 'accepted' AND f.accepted_by = f.name THEN 'yours'"                \
    " WHEN f.escalation_state = 'accepted' THEN 'taken'"                                           \
    " WHEN f.notice_state = 'open' AND f.until_at > clock_timestamp()"                             \
    " THEN CASE WHEN f.within THEN 'only' ELSE 'accept' END"                                       \
    " ELSE 'expired' END"

/* Each is true when it is written: the transaction accepts and answers at once. */
#define WORDS_SQL                                                                                  \
    "CASE j.kind WHEN 'accept' THEN j.code || ' is yours, thank you. Nobody else is asked.'"       \
    " WHEN 'only' THEN 'Nothing was accepted yet. To take it, text only OK ' || j.code || '.'"     \
    " WHEN 'yours' THEN j.code || ' is yours already.'"                                            \
    " WHEN 'taken' THEN j.code || ' is taken: ' || coalesce(j.accepted_by, 'a colleague')"         \
    " || ' has it.' WHEN 'closed' THEN j.code || ' is settled already.'"                           \
    " WHEN 'expired' THEN 'The time for ' || j.code || ' is over and it was not accepted."         \
    " It is still on the desk''s list.' WHEN 'many' THEN"                                          \
    " 'Too many wrong codes. Codes from this number count again in an hour.'"                      \
    " ELSE j.code || CASE j.channel WHEN 'mail' THEN ' is not the code of this mail.'"             \
    " ELSE ' is no code that was sent to this number.' END || ' Nothing was accepted.' END"

static const char reply_sql[] =
    "WITH input AS (SELECT * FROM unnest($2::uuid[], $3::text[], $4::text[], $5::text[],"
    " $6::text[], $7::uuid[], $8::uuid[], $9::uuid[], $10::bigint[], $11::boolean[]) AS t "
    "(tenant_id,"
    " channel, provider_id, address, code, message_id, delivery_id, audit_id, place, within)),"
    " mine AS (SELECT i.*, e.session_id, e.event_time, s.conversation_id, c.epoch, (SELECT count(*)"
    " FROM inbox_events w WHERE w.tenant_id = i.tenant_id AND w.address_hash = e.address_hash"
    " AND w.reason = 'rota_wrong' AND w.claimed_at > clock_timestamp() - interval '1 h') AS wrong,"
    " row_number() OVER (PARTITION BY i.tenant_id, i.address ORDER BY i.place) AS nth"
    " FROM input i JOIN inbox_events e ON e.tenant_id = i.tenant_id AND e.channel = i.channel"
    " AND e.provider_id = i.provider_id AND e.claim_id = $1::uuid AND e.reason = 'rota'"
    " JOIN channel_sessions s ON s.tenant_id = i.tenant_id AND s.id = e.session_id"
    " JOIN conversations c ON c.tenant_id = s.tenant_id AND c.id = s.conversation_id),"
    " found AS (SELECT m.*, n.code AS notice_code, n.id AS notice_id, n.escalation_id, n.name, "
    "n.until_at,"
    " n.state AS notice_state, x.state AS escalation_state, x.accepted_by FROM mine m"
    " CROSS JOIN LATERAL (SELECT m.session_id) AS e"
    " LEFT JOIN LATERAL (" NOTICE_SQL
    ") n ON true LEFT JOIN escalations x ON x.tenant_id = n.tenant_id"
    " AND x.id = n.escalation_id),"
    " kinds AS (SELECT f.*, " KIND_SQL " AS kind FROM found f),"
    " judged AS (SELECT tenant_id, channel, provider_id, session_id, conversation_id, epoch,"
    " event_time, message_id, delivery_id, audit_id, place,"
    " coalesce(notice_code, code) AS code, notice_id, escalation_id, name, accepted_by,"
    " CASE WHEN kind = 'accept' AND row_number() OVER (PARTITION BY tenant_id, escalation_id, kind"
    " ORDER BY place) > 1 THEN 'taken' ELSE kind END AS kind FROM kinds),"
    " won AS (SELECT * FROM judged WHERE kind = 'accept'),"
    " accepted AS (UPDATE escalations e SET state = 'accepted', rota = 'over',"
    " accepted_by = w.name, accepted_at = clock_timestamp() FROM won w"
    " WHERE e.tenant_id = w.tenant_id AND e.id = w.escalation_id),"
    " told AS (UPDATE escalation_notices n SET ended_at = clock_timestamp(),"
    " state = CASE WHEN n.id = w.notice_id THEN 'accepted' ELSE 'ended' END FROM won w"
    " WHERE n.tenant_id = w.tenant_id AND n.escalation_id = w.escalation_id AND n.state = 'open'),"
    " waiting AS (SELECT d.tenant_id, d.id FROM won w JOIN escalation_notices n"
    " ON n.tenant_id = w.tenant_id AND n.escalation_id = w.escalation_id"
    " JOIN deliveries d ON d.tenant_id = n.tenant_id AND d.id = n.delivery_id"
    " AND d.state = ANY ('" DELIVERY_WAITING "') ORDER BY d.tenant_id, d.id"
    " FOR NO KEY UPDATE OF d),"
    " unsent AS (UPDATE deliveries d SET state = 'suppressed', reason = 'accepted',"
    " settled_at = clock_timestamp() FROM waiting x"
    " WHERE d.tenant_id = x.tenant_id AND d.id = x.id),"
    " timer AS (UPDATE jobs j SET due_at = NULL, worker = NULL FROM won w"
    " WHERE j.tenant_id = w.tenant_id AND j.kind = '" JOB_ESCALATION "'"
    " AND j.subject = w.escalation_id::text),"
    " noted AS (INSERT INTO audit_log (tenant_id, id, actor, action, subject) SELECT w.tenant_id,"
    " w.audit_id, 'rota:' || w.name, 'escalation.accept', w.escalation_id::text FROM won w),"
    " wrong AS (UPDATE inbox_events e SET reason = 'rota_wrong' FROM judged j"
    " WHERE j.kind IN ('wrong', 'many', 'silent') AND e.tenant_id = j.tenant_id"
    " AND e.channel = j.channel AND e.provider_id = j.provider_id),"
    " places AS (UPDATE channel_sessions s SET delivery_seq = s.delivery_seq + k.count"
    " FROM (SELECT tenant_id, session_id, count(*) FROM judged WHERE kind <> 'silent'"
    " GROUP BY tenant_id, session_id) k WHERE s.tenant_id = k.tenant_id AND s.id = k.session_id"
    " RETURNING s.tenant_id, s.id, s.delivery_seq - k.count AS before),"
    " said AS (INSERT INTO messages (tenant_id, id, conversation_id, session_id, direction, author,"
    " body, event_time) SELECT j.tenant_id, j.message_id, j.conversation_id, j.session_id, 'out',"
    " 'system', " WORDS_SQL ", clock_timestamp() FROM judged j WHERE j.kind <> 'silent'"
    " ORDER BY j.place)"
    " INSERT INTO deliveries (tenant_id, id, conversation_id, session_id, seq, message_id, author,"
    " via, epoch, state, answer_by) SELECT j.tenant_id, j.delivery_id, j.conversation_id,"
    " j.session_id, p.before + row_number() OVER (PARTITION BY j.tenant_id, j.session_id"
    " ORDER BY j.place), j.message_id, 'system', j.channel, j.epoch, 'pending',"
    " j.event_time + interval '24 h' FROM judged j JOIN places p ON p.tenant_id = j.tenant_id"
    " AND p.id = j.session_id WHERE j.kind <> 'silent' RETURNING tenant_id, session_id, id";

void rota_add_replies(struct pg_unit *unit, struct arena *arena, const char *claim,
                      const struct rota_code *codes, size_t count)
{
    static const struct column kinds[] = {
        {offsetof(struct rota_code, tenant), COLUMN_TEXT},
        {offsetof(struct rota_code, channel), COLUMN_TEXT},
        {offsetof(struct rota_code, provider_id), COLUMN_TEXT},
        {offsetof(struct rota_code, address), COLUMN_TEXT},
        {offsetof(struct rota_code, code), COLUMN_TEXT},
        {offsetof(struct rota_code, message), COLUMN_UUID},
        {offsetof(struct rota_code, delivery), COLUMN_UUID},
        {offsetof(struct rota_code, audit), COLUMN_UUID},
        {offsetof(struct rota_code, place), COLUMN_INT},
        {offsetof(struct rota_code, within), COLUMN_BOOL},
    };
    const struct column_rows rows = {codes, sizeof *codes, count};
    columns_add(pg_add(unit, lock_sql), arena, &rows, kinds, 5);
    struct pg_statement *statement = pg_add(unit, reply_sql);
    pg_param(statement, claim);
    columns_add(statement, arena, &rows, kinds, COLUMNS(kinds));
    pg_param(statement, arena_printf(arena, "%d", ROTA_WRONG_MAX));
}

bool rota_read_answer(const struct pg_answer *answer, int first, int row, struct rota_answer *out)
{
    const int s = first + 1;
    if (answer->count <= s || row >= pg_rows(answer->results, s))
        return false;
    *out = (struct rota_answer){.tenant = pg_uuid(answer->results, s, row, 0),
                                .session = pg_uuid(answer->results, s, row, 1),
                                .delivery = pg_uuid(answer->results, s, row, 2)};
    return true;
}
