/* The SQL that opens escalations: see escalation.h. The engine's tools and commits call it. */
#include "store/escalation.h"

#include "store/columns.h"
#include "store/job.h"

/* The timer is the row in jobs: its id is the escalation's, and so is its subject. */
#define TIMER_SQL                                                                                  \
    " INSERT INTO jobs (tenant_id, id, kind, subject, due_at)"                                     \
    " SELECT m.tenant_id, m.id, '" JOB_ESCALATION "', m.id::text, clock_timestamp() FROM made m"   \
    " WHERE m.rota = 'running' ON CONFLICT DO NOTHING"

static const char open_sql[] =
    "WITH made AS (INSERT INTO escalations (tenant_id, id, conversation_id, turn_id, reason,"
    " summary, caller, call_back, promised, rota) SELECT k.tenant_id, k.id, t.conversation_id,"
    " k.turn_id, $3::text, $4::text, $5::text, $6::text, $7::text,"
    " CASE WHEN $8::boolean THEN 'running' ELSE 'none' END FROM tool_calls k"
    " JOIN turns t ON t.tenant_id = k.tenant_id AND t.id = k.turn_id"
    " WHERE k.tenant_id = $1::uuid AND k.id = $2::uuid AND k.state = 'started'"
    " AND k.xmin = pg_current_xact_id_if_assigned()::xid" /* begun in this transaction: round.h */
    " ON CONFLICT DO NOTHING RETURNING tenant_id, id, rota)" TIMER_SQL;

void escalation_add_open(struct pg_unit *unit, struct arena *arena,
                         const struct escalation_opening *opening)
{
    struct pg_statement *statement = pg_add(unit, open_sql);
    pg_param(statement, opening->tenant);
    pg_param(statement, uuid_format(&opening->id, arena_alloc(arena, UUID_TEXT_SIZE)));
    pg_param(statement, opening->reason);
    pg_param(statement, opening->summary);
    pg_param(statement, opening->caller);
    pg_param(statement, opening->call_back);
    pg_param(statement, opening->promised);
    pg_param(statement, opening->calls ? "true" : "false");
}

/* ---- what a commit opens ---- */

/* A policy word is the customer's and comes first; two turns without an answer say more than one.
 */
#define REASON_SQL                                                                                 \
    "CASE WHEN i.reason = 'policy_word' THEN i.reason"                                             \
    " WHEN i.if_repeated AND t.outcome IN ('fallback', 'degraded')"                                \
    " AND (SELECT p.outcome IN ('fallback', 'degraded') FROM turns p"                              \
    " WHERE p.tenant_id = t.tenant_id AND p.conversation_id = t.conversation_id AND p.id <> t.id"  \
    " AND p.state <> 'running' ORDER BY p.started_at DESC LIMIT 1) THEN 'repeated_failure'"        \
    " ELSE i.reason END"

static const char of_turns_sql[] =
    "WITH seen AS (SELECT i.*, t.conversation_id, " REASON_SQL " AS why"
    " FROM unnest($2::uuid[], $3::uuid[], $4::bigint[], $5::text[], $6::boolean[], $7::uuid[],"
    " $8::text[], $9::text[], $10::boolean[]) AS i (tenant_id, turn_id, fence, reason, if_repeated,"
    " id, summary, promised, calls)"
    " JOIN turns t ON t.tenant_id = i.tenant_id AND t.id = i.turn_id AND t.fence = i.fence"
    " AND t.worker = $1::uuid AND t.state <> 'running'"
    " WHERE NOT EXISTS (SELECT FROM escalations o WHERE o.tenant_id = t.tenant_id"
    " AND o.conversation_id = t.conversation_id"
    " AND (o.state = 'accepted' OR (o.state = 'open' AND o.rota = 'running')))),"
    " judged AS (SELECT s.*, s.calls AND (s.why <> 'provider_outage'"
    " OR (row_number() OVER (PARTITION BY s.tenant_id, s.why ORDER BY s.id) = 1"
    " AND NOT EXISTS (SELECT FROM escalations o WHERE o.tenant_id = s.tenant_id"
    " AND o.reason = 'provider_outage' AND o.rota <> 'none' AND o.state <> 'closed'"
    " AND o.created_at > clock_timestamp() - interval '1 h'))) AS told FROM seen s"
    " WHERE s.why IS NOT NULL),"
    " made AS (INSERT INTO escalations (tenant_id, id, conversation_id, turn_id, reason, summary,"
    " promised, rota) SELECT tenant_id, id, conversation_id, turn_id, why, summary, promised,"
    " CASE WHEN told THEN 'running' ELSE 'none' END FROM judged"
    " ON CONFLICT DO NOTHING RETURNING tenant_id, id, rota)" TIMER_SQL;

void escalation_add_of_turns(struct pg_unit *unit, struct arena *arena, const char *worker,
                             const struct escalation_of_turn *rows, size_t count)
{
    static const struct column kinds[] = {
        {offsetof(struct escalation_of_turn, tenant), COLUMN_TEXT},
        {offsetof(struct escalation_of_turn, turn), COLUMN_UUID},
        {offsetof(struct escalation_of_turn, fence), COLUMN_INT},
        {offsetof(struct escalation_of_turn, trigger.reason), COLUMN_TEXT},
        {offsetof(struct escalation_of_turn, trigger.if_repeated), COLUMN_BOOL},
        {offsetof(struct escalation_of_turn, trigger.id), COLUMN_UUID},
        {offsetof(struct escalation_of_turn, trigger.summary), COLUMN_TEXT},
        {offsetof(struct escalation_of_turn, trigger.promised), COLUMN_TEXT},
        {offsetof(struct escalation_of_turn, trigger.calls), COLUMN_BOOL},
    };
    struct pg_statement *statement = pg_add(unit, of_turns_sql);
    pg_param(statement, worker);
    columns_add(statement, arena, &(struct column_rows){rows, sizeof *rows, count}, kinds,
                COLUMNS(kinds));
}

const char *const escalation_statements[] = {open_sql, NULL};
