/* The SQL of the reception's notes: see reception_record.h. turn.c adds it to commits, the engine's
 * poll looks for what is overdue. */
#include "store/reception_record.h"

#include "store/columns.h"

/* A later statement than the commit's, so that it sees which turns are over; the session, locked
 * before both, has no younger turn. */
static const char keep_sql[] =
    "WITH input AS (SELECT * FROM unnest($1::uuid[], $2::uuid[], $3::uuid[], $4::uuid[],"
    " $5::bigint[], $6::text[], $7::bigint[], $8::text[], $9::text[], $10::text[], $11::uuid[],"
    " $12::text[], $13::bigint[], $14::bigint[]) AS t (tenant_id, session_id, conversation_id, "
    "turn_id, fence,"
    " asked, tries, caller, reason, call_back, escalation_id, summary, due_ms,"
    " read_position)),"
    " g AS (SELECT i.* FROM input i JOIN channel_sessions s ON s.tenant_id = i.tenant_id"
    " AND s.id = i.session_id AND s.fence = i.fence"
    " CROSS JOIN LATERAL (SELECT FROM turns t WHERE t.tenant_id = i.tenant_id"
    " AND t.id = i.turn_id AND t.fence = i.fence AND t.state <> 'running' OFFSET 0) AS t),"
    " task AS (INSERT INTO escalations (tenant_id, id, conversation_id, turn_id, reason, summary,"
    " caller, call_back) SELECT g.tenant_id, g.escalation_id, g.conversation_id, g.turn_id,"
    " 'message', g.summary, g.caller, g.call_back FROM g WHERE g.summary IS NOT NULL"
    " ON CONFLICT (tenant_id, id) DO UPDATE SET summary = EXCLUDED.summary,"
    " caller = EXCLUDED.caller, call_back = EXCLUDED.call_back, closed_by = NULL, closed_at = NULL,"
    " state = CASE escalations.state WHEN 'closed' THEN 'open' ELSE escalations.state END)"
    " INSERT INTO receptions AS r (tenant_id, conversation_id, session_id, asked, tries, caller,"
    " reason, call_back, escalation_id, read_position, due_at) SELECT g.tenant_id, "
    "g.conversation_id,"
    " g.session_id, g.asked, g.tries::integer, g.caller, g.reason, g.call_back, g.escalation_id,"
    " g.read_position,"
    " CASE WHEN g.due_ms > 0 THEN clock_timestamp() + g.due_ms * interval '1 ms' END FROM g"
    " ON CONFLICT (tenant_id, conversation_id, session_id) DO UPDATE SET asked = EXCLUDED.asked,"
    " tries = EXCLUDED.tries, caller = EXCLUDED.caller, reason = EXCLUDED.reason,"
    " call_back = EXCLUDED.call_back, escalation_id = EXCLUDED.escalation_id,"
    " read_position = EXCLUDED.read_position, (updated_at, due_at) = (SELECT CASE WHEN g.due_ms < 0"
    " THEN r.updated_at ELSE clock_timestamp() END, CASE WHEN g.due_ms < 0 THEN r.due_at"
    " ELSE EXCLUDED.due_at END FROM g"
    " WHERE g.tenant_id = r.tenant_id AND g.session_id = r.session_id)";

/* The conversation is locked first, as everywhere; who is locked is looked at the next time. What a
 * takeover or a reply decides meanwhile makes one task more, which a person closes. */
static const char overdue_sql[] =
    "WITH due AS MATERIALIZED (SELECT r.tenant_id, r.conversation_id, r.session_id,"
    " r.escalation_id, r.caller, r.reason, r.call_back, r.updated_at, c.held_by FROM receptions r"
    " JOIN conversations c ON c.tenant_id = r.tenant_id AND c.id = r.conversation_id"
    " WHERE r.due_at <= statement_timestamp() ORDER BY r.due_at LIMIT $1::integer"
    " FOR KEY SHARE OF c SKIP LOCKED FOR UPDATE OF r SKIP LOCKED),"
    " over AS (UPDATE receptions r SET due_at = CASE WHEN d.held_by IS NOT NULL"
    " THEN clock_timestamp() + $2::bigint * interval '1 ms' END FROM due d"
    " WHERE r.tenant_id = d.tenant_id AND r.conversation_id = d.conversation_id"
    " AND r.session_id = d.session_id),"
    " task AS (INSERT INTO escalations (tenant_id, id, conversation_id, reason, summary, caller,"
    " call_back) SELECT d.tenant_id, d.escalation_id, d.conversation_id, 'message',"
    " coalesce(d.reason, '-'), d.caller, d.call_back FROM due d WHERE d.held_by IS NULL"
    " AND d.escalation_id IS NOT NULL AND NOT EXISTS (SELECT FROM messages m"
    " WHERE m.tenant_id = d.tenant_id AND m.conversation_id = d.conversation_id"
    " AND m.author = 'operator' AND m.created_at > d.updated_at)"
    " ON CONFLICT (tenant_id, id) DO UPDATE SET summary = EXCLUDED.summary,"
    " caller = EXCLUDED.caller, call_back = EXCLUDED.call_back, closed_by = NULL, closed_at = NULL,"
    " state = CASE escalations.state WHEN 'closed' THEN 'open' ELSE escalations.state END"
    " RETURNING 1) SELECT count(*) FROM task";

void reception_record_add_keep(struct pg_unit *unit, struct arena *arena,
                               const struct reception_keep *rows, size_t count)
{
    static const struct column kinds[] = {
        {offsetof(struct reception_keep, tenant), COLUMN_TEXT},
        {offsetof(struct reception_keep, session), COLUMN_UUID},
        {offsetof(struct reception_keep, conversation), COLUMN_UUID},
        {offsetof(struct reception_keep, turn), COLUMN_UUID},
        {offsetof(struct reception_keep, fence), COLUMN_INT},
        {offsetof(struct reception_keep, record.asked), COLUMN_TEXT},
        {offsetof(struct reception_keep, record.tries), COLUMN_INT},
        {offsetof(struct reception_keep, record.caller), COLUMN_TEXT},
        {offsetof(struct reception_keep, record.reason), COLUMN_TEXT},
        {offsetof(struct reception_keep, record.call_back), COLUMN_TEXT},
        {offsetof(struct reception_keep, record.escalation), COLUMN_TEXT},
        {offsetof(struct reception_keep, record.summary), COLUMN_TEXT},
        {offsetof(struct reception_keep, record.due_ms), COLUMN_INT},
        {offsetof(struct reception_keep, record.position), COLUMN_INT},
    };
    columns_add(pg_add(unit, keep_sql), arena, &(struct column_rows){rows, sizeof *rows, count},
                kinds, COLUMNS(kinds));
}

void reception_record_add_overdue(struct pg_unit *unit, struct arena *arena, int limit,
                                  int64_t again_ms)
{
    struct pg_statement *statement = pg_add(unit, overdue_sql);
    pg_param(statement, arena_printf(arena, "%d", limit));
    pg_param(statement, arena_printf(arena, "%lld", (long long)again_ms));
}

int64_t reception_record_read_overdue(const struct pg_answer *answer)
{
    return pg_int(answer->results, 0, 0, 0);
}

const char *const reception_record_statements[] = {keep_sql, overdue_sql, NULL};
