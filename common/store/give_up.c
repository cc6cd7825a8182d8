/* The SQL of giving up on a start: see give_up.h. It reads and writes as little as it can, since
 * what the start stumbles over is not known. Used by the engine only. */
#include "store/give_up.h"

static const char lock_conversation_sql[] = "SELECT 1 FROM conversations WHERE tenant_id ="
                                            " $1::uuid AND id = $2::uuid FOR NO KEY UPDATE";

static const char lock_session_sql[] = "SELECT 1 FROM channel_sessions s WHERE s.tenant_id ="
                                       " $1::uuid AND s.id = $2::uuid FOR NO KEY UPDATE";

/* A session that a claim has moved meanwhile is not touched: where it is now was not locked. Nor
 * one with a newer text than the start knew of, as when this was done before, its answer was lost,
 * and somebody wrote: that text has a start of its own. And a turn whose calls have begun stays
 * nobody's: what they did is not known (admin.c, HEARD_SQL). */
static const char give_up_sql[] =
    "WITH ours AS (SELECT s.tenant_id, s.id, s.conversation_id, s.turn_id, s.claimed,"
    " s.claimed <= $5::bigint AS known, c.held_by IS NULL AS free"
    " FROM channel_sessions s JOIN conversations c ON c.tenant_id = s.tenant_id"
    " AND c.id = s.conversation_id WHERE s.tenant_id = $1::uuid AND s.id = $2::uuid"
    " AND s.conversation_id = $3::uuid AND s.worker = $4::uuid),"
    " g AS (SELECT * FROM ours WHERE known AND free),"
    " over AS (UPDATE turns t SET state = 'failed', outcome = 'degraded',"
    " error_code = 'start.unfit', worker = NULL, reserved_day = NULL,"
    " finished_at = clock_timestamp() FROM g WHERE t.tenant_id = g.tenant_id AND t.id = g.turn_id"
    " AND t.state = 'running' RETURNING t.tenant_id, t.id),"
    " events AS (UPDATE inbox_events e SET state = 'failed', reason = 'start.unfit',"
    " turn_id = (SELECT id FROM over), settled_at = clock_timestamp() FROM g"
    " WHERE e.tenant_id = g.tenant_id AND e.session_id = g.id AND e.state = 'open' RETURNING 1),"
    " flag AS (UPDATE conversations c SET flagged = 'turn_failed' FROM g"
    " WHERE c.tenant_id = g.tenant_id AND c.id = g.conversation_id"
    " AND EXISTS (SELECT FROM events)),"
    " quiet AS (UPDATE channel_sessions s SET due_at = NULL, burst_at = NULL,"
    " turn_id = CASE WHEN o.free THEN NULL ELSE s.turn_id END FROM ours o"
    " WHERE o.known AND s.tenant_id = o.tenant_id AND s.id = o.id)"
    " SELECT known, claimed FROM ours";

#define LOCKS 2

void give_up_add(struct pg_unit *unit, struct arena *arena, const char *worker,
                 const struct turn_start *start, int64_t claimed)
{
    const char *session = uuid_format(&start->session, arena_alloc(arena, UUID_TEXT_SIZE));
    const char *conversation =
        uuid_format(&start->conversation, arena_alloc(arena, UUID_TEXT_SIZE));
    struct pg_statement *statement = pg_add(unit, lock_conversation_sql);
    pg_param(statement, start->tenant);
    pg_param(statement, conversation);
    statement = pg_add(unit, lock_session_sql);
    pg_param(statement, start->tenant);
    pg_param(statement, session);
    statement = pg_add(unit, give_up_sql);
    pg_param(statement, start->tenant);
    pg_param(statement, session);
    pg_param(statement, conversation);
    pg_param(statement, worker);
    pg_param(statement, arena_printf(arena, "%lld", (long long)claimed));
}

enum give_up_kind give_up_read(const struct pg_answer *answer, int64_t *claimed)
{
    if (pg_rows(answer->results, LOCKS) == 0)
        return GIVE_UP_LOST;
    *claimed = pg_int(answer->results, LOCKS, 0, 1);
    return pg_bool(answer->results, LOCKS, 0, 0) ? GIVE_UP_DONE : GIVE_UP_NEWER;
}
