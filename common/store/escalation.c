/* The SQL that opens escalations: see escalation.h. The engine's tools and commits call it. */
#include "store/escalation.h"

#include "store/job.h"
#include "store/turn_inside.h"

/* The timer is the row in jobs: its id is the escalation's, and so is its subject. */
#define TIMER_SQL                                                                                  \
    " INSERT INTO jobs (tenant_id, id, kind, subject, due_at)"                                     \
    " SELECT m.tenant_id, m.id, '" JOB_ESCALATION "', m.id::text, clock_timestamp() FROM made m"   \
    " WHERE m.rota = 'running' ON CONFLICT DO NOTHING"

/* Sessions of one conversation, which a customer has who writes to two numbers, run side by side:
 * who looks whether one is open must see what the other is opening. So each takes the same lock,
 * in a statement of its own in front. */
#define LOCK_KEY_SQL "hashtextextended('frontdesk.escalation.' || t.conversation_id::text, 0)"

static const char lock_call_sql[] =
    "SELECT pg_advisory_xact_lock(" LOCK_KEY_SQL ")::text FROM tool_calls k JOIN turns t"
    " ON t.tenant_id = k.tenant_id AND t.id = k.turn_id"
    " WHERE k.tenant_id = $1::uuid AND k.id = $2::uuid";

static const char lock_turns_sql[] =
    "SELECT pg_advisory_xact_lock(x.key)::text FROM (SELECT DISTINCT " LOCK_KEY_SQL " AS key"
    " FROM unnest($1::uuid[], $2::uuid[]) AS i (tenant_id, turn_id) JOIN turns t"
    " ON t.tenant_id = i.tenant_id AND t.id = i.turn_id ORDER BY 1) AS x";

/* A message opens always. A task stands in no wish's way, whoever has accepted it; nor does a call
 * that somebody took, for that talk is over. A wish for a person opens nothing where somebody has
 * accepted one, where people are being asked or this turn has asked them, and where nobody is to be
 * asked and one is listed. */
static const char open_sql[] =
    "WITH begun AS (SELECT k.tenant_id, k.id, k.turn_id, t.conversation_id FROM tool_calls k"
    " JOIN turns t ON t.tenant_id = k.tenant_id AND t.id = k.turn_id"
    " WHERE k.tenant_id = $1::uuid AND k.id = $2::uuid AND k.state = 'started'"
    " AND k.xmin = pg_current_xact_id_if_assigned()::xid)," /* in this transaction: round.h */
    " other AS (SELECT CASE WHEN o.state = 'accepted' THEN 'taken' WHEN o.rota = 'running'"
    " THEN 'asked' ELSE 'listed' END AS word FROM begun b"
    " JOIN escalations o ON o.tenant_id = b.tenant_id AND o.conversation_id = b.conversation_id"
    " AND o.id <> b.id WHERE $3::text <> 'message' AND o.reason NOT IN " ESCALATION_TASKS
    " AND ((o.state = 'accepted' AND o.transfer IS NULL) OR (o.state = 'open' AND (o.rota = "
    "'running' OR NOT $8::boolean"
    " OR (o.turn_id = b.turn_id AND o.rota <> 'none'))))"
    " ORDER BY o.state = 'accepted' DESC, o.rota = 'running' DESC LIMIT 1),"
    " made AS (INSERT INTO escalations (tenant_id, id, conversation_id, turn_id, reason,"
    " summary, caller, call_back, promised, rota) SELECT b.tenant_id, b.id, b.conversation_id,"
    " b.turn_id, $3::text, $4::text, $5::text, $6::text, $7::text,"
    " CASE WHEN $8::boolean THEN 'running' ELSE 'none' END FROM begun b"
    " WHERE NOT EXISTS (SELECT FROM other)"
    " ON CONFLICT DO NOTHING RETURNING tenant_id, id, rota),"
    " timer AS (" TIMER_SQL ")"
    " SELECT CASE WHEN EXISTS (SELECT FROM escalations e WHERE e.tenant_id = $1::uuid"
    " AND e.id = $2::uuid) THEN 'opened' ELSE coalesce((SELECT word FROM other), 'opened') END";

void escalation_add_open(struct pg_unit *unit, struct arena *arena,
                         const struct escalation_opening *opening)
{
    const char *id = uuid_format(&opening->id, arena_alloc(arena, UUID_TEXT_SIZE));
    struct pg_statement *statement = pg_add(unit, lock_call_sql);
    pg_param(statement, opening->tenant);
    pg_param(statement, id);
    statement = pg_add(unit, open_sql);
    pg_param(statement, opening->tenant);
    pg_param(statement, id);
    pg_param(statement, opening->reason);
    pg_param(statement, opening->summary);
    pg_param(statement, opening->caller);
    pg_param(statement, opening->call_back);
    pg_param(statement, opening->promised);
    pg_param(statement, opening->calls ? "true" : "false");
}

enum escalation_opened escalation_read_opened(const struct pg_answer *answer, int first)
{
    static const char *const words[] = {[ESCALATION_OPENED] = "opened",
                                        [ESCALATION_LISTED] = "listed",
                                        [ESCALATION_ASKED] = "asked",
                                        [ESCALATION_TAKEN] = "taken",
                                        NULL};
    return (enum escalation_opened)turn_word_index(words,
                                                   pg_text(answer->results, first + 1, 0, 0));
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

/* Two of a conversation in one batch open one: rather the one that is no outage. Of tools that are
 * away a conversation has one task until it is closed.
 *
 * `said`: of a commit that is sent again the reply may have left, or be on its way; no claim of it
 * is at work meanwhile, which would wait for the commit's lock of the session. */
static const char of_turns_sql[] =
    "WITH asked AS (SELECT i.*, t.conversation_id, " REASON_SQL " AS why"
    " FROM unnest($2::uuid[], $3::uuid[], $4::bigint[], $5::text[], $6::boolean[], $7::uuid[],"
    " $8::text[], $9::text[], $10::boolean[], $11::text[]) AS i (tenant_id, turn_id, fence, reason,"
    " if_repeated, id, summary, promised, calls, if_taken)"
    " JOIN turns t ON t.tenant_id = i.tenant_id AND t.id = i.turn_id AND t.fence = i.fence"
    " AND t.worker = $1::uuid AND t.state <> 'running'),"
    " known AS (SELECT a.*, EXISTS (SELECT FROM escalations o WHERE o.tenant_id = a.tenant_id"
    " AND o.conversation_id = a.conversation_id AND o.id <> a.id AND o.state = 'accepted'"
    " AND o.transfer IS NULL AND o.reason NOT IN " ESCALATION_TASKS ") AS taken FROM asked a),"
    " said AS (UPDATE messages m SET body = k.if_taken FROM known k WHERE k.taken"
    " AND k.if_taken IS NOT NULL AND m.tenant_id = k.tenant_id AND m.turn_id = k.turn_id"
    " AND m.direction = 'out' AND EXISTS (SELECT FROM deliveries d WHERE d.tenant_id = m.tenant_id"
    " AND d.message_id = m.id AND d.state = 'pending' AND d.attempts = 0)),"
    " seen AS (SELECT DISTINCT ON (k.tenant_id, k.conversation_id) k.* FROM known k"
    " WHERE NOT k.taken AND k.why IS NOT NULL"
    " AND NOT EXISTS (SELECT FROM escalations o WHERE o.tenant_id = k.tenant_id"
    " AND o.conversation_id = k.conversation_id AND ((o.state = 'open' AND o.rota = 'running')"
    " OR (k.why = 'tool_outage' AND o.reason = k.why AND o.state <> 'closed')))"
    " ORDER BY k.tenant_id, k.conversation_id, k.why IN ('provider_outage', 'tool_outage'), k.id),"
    " judged AS (SELECT s.*, s.calls AND (s.why <> 'provider_outage'"
    " OR (row_number() OVER (PARTITION BY s.tenant_id, s.why ORDER BY s.id) = 1"
    " AND NOT EXISTS (SELECT FROM escalations o WHERE o.tenant_id = s.tenant_id"
    " AND o.reason = 'provider_outage' AND o.rota NOT IN ('none', 'parked')"
    " AND o.state <> 'closed'"
    " AND o.created_at > clock_timestamp() - interval '1 h'))) AS told FROM seen s),"
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
        {offsetof(struct escalation_of_turn, trigger.if_taken), COLUMN_TEXT},
    };
    const struct column_rows all = {rows, sizeof *rows, count};
    columns_add(pg_add(unit, lock_turns_sql), arena, &all, kinds, 2);
    struct pg_statement *statement = pg_add(unit, of_turns_sql);
    pg_param(statement, worker);
    columns_add(statement, arena, &all, kinds, COLUMNS(kinds));
}

const char *const escalation_statements[] = {open_sql, NULL};
