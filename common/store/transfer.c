/* The SQL of transfers: see transfer.h. The engine's tool and its voice lane add it. Records come
 * twice, or again much later: an outcome counts whenever it comes, what it sets off happens once.
 */
#include "store/transfer.h"

#include "store/job.h"

/* The rota's timer, of the rows that `from` has put to 'running' just now. A caller who has hung up
 * may, in truth, have been put through, and who was taken for a machine may press the key: the
 * record that says so is waited for. */
#define TIMER_SQL(from)                                                                            \
    "INSERT INTO jobs (tenant_id, id, kind, subject, due_at) SELECT m.tenant_id, m.id,"            \
    " '" JOB_ESCALATION "', m.id::text, clock_timestamp() + CASE WHEN m.transfer IN ("             \
    "'hung_up', 'voicemail') THEN interval '20 s' ELSE interval '0' END FROM " from                \
    " m WHERE m.rota = 'running'"                                                                  \
    " ON CONFLICT DO NOTHING"

#define ROTA_SQL                                                                                   \
    "CASE WHEN e.state = 'open' AND e.transfer_calls AND e.rota = 'none' THEN 'running'"           \
    " ELSE e.rota END"

static const char open_sql[] =
    "WITH begun AS (SELECT k.tenant_id, k.id, k.turn_id, t.session_id, t.conversation_id,"
    " now() AT TIME ZONE z.timezone AS local FROM tool_calls k"
    " JOIN turns t ON t.tenant_id = k.tenant_id AND t.id = k.turn_id"
    " JOIN tenants z ON z.id = k.tenant_id"
    " WHERE k.tenant_id = $1::uuid AND k.id = $2::uuid AND k.state = 'started'"
    " AND k.xmin = pg_current_xact_id_if_assigned()::xid)," /* in this transaction: round.h */
    " who AS (SELECT p.name FROM begun b CROSS JOIN LATERAL unnest($6::text[], $7::jsonb[])"
    " WITH ORDINALITY AS p (name, hours, n) WHERE p.hours IS NULL OR EXISTS (SELECT"
    " FROM jsonb_array_elements(p.hours -> lower(to_char(b.local, 'dy'))) AS h (span)"
    " WHERE to_char(b.local, 'HH24:MI') >= h.span ->> 0"
    " AND to_char(b.local, 'HH24:MI') < h.span ->> 1) ORDER BY p.n LIMIT 1),"
    " dropped AS (UPDATE escalations e SET transfer = 'dropped', state = 'closed',"
    " closed_by = 'desk', closed_at = clock_timestamp() FROM begun b JOIN turns u"
    " ON u.tenant_id = b.tenant_id AND u.session_id = b.session_id WHERE e.tenant_id = u.tenant_id"
    " AND e.turn_id = u.id AND e.id <> b.id AND e.transfer = 'asked' AND e.state = 'open'),"
    " made AS (INSERT INTO escalations (tenant_id, id, conversation_id, turn_id, reason, summary,"
    " transfer, transfer_to, transfer_words, transfer_calls, transfer_cold) SELECT b.tenant_id,"
    " b.id, b.conversation_id, b.turn_id, 'customer_asks', $3::text, 'asked', w.name, $4::text,"
    " $5::boolean, $8::boolean FROM begun b CROSS JOIN who w ON CONFLICT DO NOTHING)"
    " SELECT coalesce((SELECT e.transfer_to FROM escalations e WHERE e.tenant_id = $1::uuid"
    " AND e.id = $2::uuid), (SELECT name FROM who), '')";

/* Whoever has accepted or closed it meanwhile has it. That the legs of a cold transfer were joined
 * says nothing once a machine is known to have been at the other end. */
static const char outcome_sql[] =
    "WITH judged AS (SELECT e.tenant_id, e.id, CASE WHEN (e.transfer = 'dropped'"
    " AND e.closed_by = 'desk') OR (e.transfer = 'accepted' AND e.state = 'accepted'"
    " AND e.accepted_by = e.transfer_to) THEN 'open' ELSE e.state END AS now,"
    " CASE WHEN e.transfer = 'voicemail' AND ($3::text <> 'accepted' OR e.transfer_cold)"
    " THEN 'voicemail' ELSE $3::text END AS told FROM escalations e"
    " WHERE e.tenant_id = $1::uuid AND e.id = $2::uuid AND e.transfer IS NOT NULL"
    " AND (e.transfer <> 'accepted' OR (e.transfer_cold AND $3::text = 'voicemail'))"
    " FOR NO KEY UPDATE),"
    " m AS (UPDATE escalations e SET transfer = j.told,"
    " state = CASE WHEN j.now = 'open' AND j.told = 'accepted' THEN 'accepted' ELSE j.now END,"
    " accepted_by = CASE WHEN j.now = 'open' AND j.told = 'accepted' THEN e.transfer_to"
    " WHEN j.now = 'open' THEN NULL ELSE e.accepted_by END,"
    " accepted_at = CASE WHEN j.now = 'open' AND j.told = 'accepted' THEN clock_timestamp()"
    " WHEN j.now = 'open' THEN NULL ELSE e.accepted_at END,"
    " closed_by = CASE WHEN j.now = 'closed' THEN e.closed_by END,"
    " closed_at = CASE WHEN j.now = 'closed' THEN e.closed_at END,"
    " rota = CASE WHEN j.told = 'accepted' AND (e.rota <> 'none' OR e.transfer_calls) THEN 'over'"
    " WHEN j.now = 'open' AND j.told <> 'accepted' AND e.transfer_calls"
    " AND (e.rota = 'none' OR e.state = 'accepted') THEN 'running' ELSE e.rota END"
    " FROM judged j WHERE e.tenant_id = j.tenant_id AND e.id = j.id RETURNING e.*),"
    " noted AS (INSERT INTO audit_log (tenant_id, id, actor, action, subject)"
    " SELECT m.tenant_id, gen_random_uuid(), 'rota:' || m.transfer_to, 'escalation.accept',"
    " m.id::text FROM m JOIN judged j ON j.id = m.id WHERE m.state = 'accepted'"
    " AND j.now = 'open'),"
    " back AS (INSERT INTO jobs (tenant_id, id, kind, subject, due_at) SELECT m.tenant_id,"
    " gen_random_uuid(), '" JOB_TRANSFER_BACK "', m.id::text, clock_timestamp() FROM m"
    " WHERE m.transfer = 'voicemail' AND m.transfer_cold ON CONFLICT DO NOTHING) " TIMER_SQL("m");

/* Nobody has the call in hand, it is this very record that says that the caller is back, and he has
 * heard nothing since. */
static const char return_sql[] =
    "WITH back AS MATERIALIZED (SELECT e.tenant_id, e.id, e.transfer_words, s.id AS session_id,"
    " s.conversation_id, s.fence, s.turn_number, s.delivery_seq, c.epoch,"
    " gen_random_uuid() AS turn_id, gen_random_uuid() AS message_id"
    " FROM channel_sessions s JOIN conversations c ON c.tenant_id = s.tenant_id"
    " AND c.id = s.conversation_id AND c.held_by IS NULL"
    " CROSS JOIN LATERAL (SELECT x.tenant_id, x.id, x.transfer, x.transfer_words, x.promised,"
    " u.number, u.state, u.heard_reason FROM turns u JOIN escalations x"
    " ON x.tenant_id = u.tenant_id AND x.turn_id = u.id AND x.transfer IS NOT NULL"
    " WHERE u.tenant_id = s.tenant_id AND u.session_id = s.id"
    " ORDER BY u.number DESC, x.created_at DESC LIMIT 1) AS e"
    " WHERE s.tenant_id = $1::uuid AND s.id = $2::uuid AND s.ended_at IS NULL AND s.due_at IS NULL"
    " AND e.promised IS NULL AND (e.transfer IN ('refused', 'no_answer', 'busy', 'failed',"
    " 'voicemail') OR (e.transfer = 'asked' AND e.number = s.turn_number AND e.state <> 'running'"
    " AND e.heard_reason IS DISTINCT FROM 'interrupt'))"
    " AND NOT EXISTS (SELECT FROM turns n WHERE n.tenant_id = s.tenant_id AND n.session_id = s.id"
    " AND (n.state = 'running' OR (n.number > e.number AND coalesce(n.heard, '') <> '')))"
    " AND EXISTS (SELECT FROM inbox_events i WHERE i.tenant_id = s.tenant_id"
    " AND i.channel = 'voice' AND i.provider_id = $3::text"
    " AND i.xmin = pg_current_xact_id_if_assigned()::xid)"
    " AND NOT EXISTS (SELECT FROM inbox_events i WHERE i.tenant_id = s.tenant_id"
    " AND i.channel = 'voice' AND i.provider_id = $4::text)),"
    " turn AS (INSERT INTO turns (tenant_id, id, session_id, conversation_id, number, state,"
    " outcome, fence, epoch, deadline_at, finished_at, heard, heard_reason)"
    " SELECT tenant_id, turn_id, session_id, conversation_id, turn_number + 1, 'finished',"
    " 'transfer', fence, epoch, clock_timestamp(), clock_timestamp(), '', 'close' FROM back),"
    " said AS (INSERT INTO messages (tenant_id, id, conversation_id, session_id, direction, author,"
    " body, turn_id, event_time) SELECT tenant_id, message_id, conversation_id, session_id, 'out',"
    " 'ai', transfer_words, turn_id, clock_timestamp() FROM back),"
    " gone AS (INSERT INTO deliveries (tenant_id, id, conversation_id, session_id, seq, message_id,"
    " turn_id, author, via, epoch, state, answer_by) SELECT tenant_id, gen_random_uuid(),"
    " conversation_id, session_id, delivery_seq + 1, message_id, turn_id, 'ai', 'stream', epoch,"
    " 'sending', clock_timestamp() FROM back),"
    " place AS (UPDATE channel_sessions s SET turn_number = s.turn_number + 1,"
    " delivery_seq = s.delivery_seq + 1 FROM back b WHERE s.tenant_id = b.tenant_id"
    " AND s.id = b.session_id),"
    " m AS (UPDATE escalations e SET promised = b.transfer_words,"
    " transfer = CASE e.transfer WHEN 'asked' THEN 'failed' ELSE e.transfer END, rota = " ROTA_SQL
    " FROM back b WHERE e.tenant_id = b.tenant_id AND e.id = b.id RETURNING e.*) " TIMER_SQL("m");

/* The caller said something behind the transfer's turn: he had stayed, and nobody was rung up. */
static const char end_sql[] =
    "WITH mine AS (SELECT e.tenant_id, e.id, EXISTS (SELECT FROM turns n"
    " WHERE n.tenant_id = u.tenant_id AND n.session_id = u.session_id AND n.number > u.number)"
    " AS stayed FROM turns u JOIN escalations e ON e.tenant_id = u.tenant_id AND e.turn_id = u.id"
    " AND e.transfer = 'asked' WHERE u.tenant_id = $1::uuid AND u.session_id = $2::uuid"
    " FOR NO KEY UPDATE OF e),"
    " m AS (UPDATE escalations e SET transfer = CASE WHEN x.stayed THEN 'dropped'"
    " ELSE 'hung_up' END,"
    " state = CASE WHEN x.stayed AND e.state = 'open' THEN 'closed' ELSE e.state END,"
    " closed_by = CASE WHEN x.stayed AND e.state = 'open' THEN 'desk' ELSE e.closed_by END,"
    " closed_at = CASE WHEN x.stayed AND e.state = 'open' THEN clock_timestamp()"
    " ELSE e.closed_at END, rota = CASE WHEN x.stayed THEN e.rota ELSE " ROTA_SQL " END"
    " FROM mine x WHERE e.tenant_id = x.tenant_id AND e.id = x.id RETURNING e.*) " TIMER_SQL("m");

static const char *id_text(struct arena *arena, const struct uuid *id)
{
    return uuid_format(id, arena_alloc(arena, UUID_TEXT_SIZE));
}

void transfer_add_open(struct pg_unit *unit, struct arena *arena,
                       const struct transfer_opening *opening)
{
    struct pg_array names, hours;
    pg_array_init(&names);
    pg_array_init(&hours);
    for (size_t i = 0; i < opening->count; i++) {
        pg_array_add(&names, opening->people[i].name);
        pg_array_add(&hours, opening->people[i].hours);
    }
    struct pg_statement *statement = pg_add(unit, open_sql);
    pg_param(statement, opening->tenant);
    pg_param(statement, id_text(arena, &opening->id));
    pg_param(statement, opening->summary);
    pg_param(statement, opening->words);
    pg_param(statement, opening->calls ? "true" : "false");
    pg_param(statement, pg_array_take(&names, arena));
    pg_param(statement, pg_array_take(&hours, arena));
    pg_param(statement, opening->cold ? "true" : "false");
    pg_array_fini(&names);
    pg_array_fini(&hours);
}

const char *transfer_read_opened(const struct pg_answer *answer, int s)
{
    return pg_text(answer->results, s, 0, 0);
}

void transfer_add_outcome(struct pg_unit *unit, struct arena *arena,
                          const struct transfer_outcome *outcome)
{
    struct pg_statement *statement = pg_add(unit, outcome_sql);
    pg_param(statement, outcome->tenant);
    pg_param(statement, id_text(arena, &outcome->id));
    pg_param(statement, outcome->outcome);
}

void transfer_add_return(struct pg_unit *unit, struct arena *arena,
                         const struct transfer_return *back)
{
    struct pg_statement *statement = pg_add(unit, return_sql);
    pg_param(statement, back->tenant);
    pg_param(statement, id_text(arena, &back->session));
    pg_param(statement, back->record);
    pg_param(statement, back->prompt);
}

void transfer_add_end(struct pg_unit *unit, struct arena *arena, const char *tenant,
                      const struct uuid *session)
{
    struct pg_statement *statement = pg_add(unit, end_sql);
    pg_param(statement, tenant);
    pg_param(statement, id_text(arena, session));
}
