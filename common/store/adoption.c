/* The SQL of adoption: see adoption.h. The engine's poll calls it. */
#include "store/adoption.h"

#include "store/worker.h"

/* What the dead held, due or not, is nobody's. */
static const char free_sql[] =
    "UPDATE channel_sessions s SET worker = NULL FROM (SELECT f.tenant_id, f.id"
    " FROM channel_sessions f WHERE f.due_at IS NOT NULL"
    " AND f.worker = ANY (ARRAY(SELECT id FROM workers WHERE dead))"
    " ORDER BY f.due_at LIMIT 5000 FOR UPDATE SKIP LOCKED) AS f"
    " WHERE s.tenant_id = f.tenant_id AND s.id = f.id";

/* Of enum adopted_kind. */
#define ADOPTION_KIND(kind) "CASE " kind " WHEN 'voice' THEN 0 WHEN 'mail' THEN 2 ELSE 1 END"

/* Calls first, whose callers hear the wait, and mails last. Else fair by tenant: everybody's oldest
 * first, then everybody's second, so that one tenant's backlog holds up no other. The tenants are
 * found by skipping through the index from one to the next: what is read grows with the tenants
 * that have work, not with the backlog. Those of $3 have no room left. */
#define FAIR_SQL(of)                                                                               \
    "WITH RECURSIVE tenants (id) AS (SELECT '00000000-0000-0000-0000-000000000000'::uuid"          \
    " UNION ALL SELECT (SELECT s.tenant_id FROM channel_sessions s WHERE " of                      \
    " AND s.due_at IS NOT NULL AND s.tenant_id > t.id ORDER BY s.tenant_id LIMIT 1)"               \
    " FROM tenants t WHERE t.id IS NOT NULL),"                                                     \
    " picked AS (SELECT d.* FROM tenants t CROSS JOIN LATERAL (SELECT o.*, row_number()"           \
    " OVER (ORDER BY o.due_at) AS place FROM (SELECT s.tenant_id, s.id, s.conversation_id,"        \
    " s.claimed, s.due_at, " ADOPTION_KIND(                                                        \
        "s.kind") " AS waits FROM channel_sessions s"                                              \
                  " WHERE s.tenant_id = t.id AND " of " AND s.due_at <= statement_timestamp()"     \
                  " AND s.id NOT IN (SELECT unnest($4::uuid[])) ORDER BY s.due_at LIMIT "          \
                  "$2::integer) AS o) AS d"                                                        \
                  " WHERE t.id IS NOT NULL AND t.id <> ALL ($3::uuid[]))"

/* Others may pick the same at the same time: four times as many are looked at, those that they hold
 * are left out. */
#define IDLE "s.worker IS NULL"
static const char adopt_sql[] = FAIR_SQL(
    IDLE) ", many AS (SELECT * FROM picked ORDER BY waits, place, due_at LIMIT 4 * $2::integer),"
          " due AS (SELECT s.tenant_id, s.id FROM many p JOIN channel_sessions s"
          " ON s.tenant_id = p.tenant_id AND s.id = p.id WHERE " IDLE
          " AND s.due_at <= statement_timestamp() ORDER BY p.waits, p.place, p.due_at LIMIT "
          "$2::integer"
          " FOR UPDATE OF s SKIP LOCKED)"
          " UPDATE channel_sessions s SET worker = $1::uuid FROM due d"
          " WHERE s.tenant_id = d.tenant_id AND s.id = d.id"
          " RETURNING s.tenant_id, s.id, s.conversation_id, s.claimed, " ADOPTION_KIND("s.kind");

static const char mine_sql[] = FAIR_SQL(
    "s.worker = $1::uuid") " SELECT tenant_id, id, conversation_id, claimed, waits FROM picked "
                           "ORDER BY waits, place, due_at"
                           " LIMIT $2::integer";

static void add_fair(struct pg_unit *unit, const char *sql, const struct adoption *adoption,
                     const char *limit, const char *held)
{
    struct pg_statement *statement = pg_add(unit, sql);
    pg_param(statement, adoption->worker);
    pg_param(statement, limit);
    pg_param(statement, adoption->full);
    pg_param(statement, held);
}

void adoption_add(struct pg_unit *unit, struct arena *arena, const struct adoption *adoption)
{
    const char *limit = arena_printf(arena, "%d", adoption->limit);
    worker_add_mark_dead(unit, arena, "engine", adoption->worker, adoption->lease_ms);
    pg_add(unit, free_sql);
    add_fair(unit, mine_sql, adoption, limit, adoption->held); /* not those adopted below */
    add_fair(unit, adopt_sql, adoption, limit, "{}");
}

bool adoption_read(const struct pg_answer *answer, int row, struct adopted *out)
{
    int statement = 2;
    if (row >= pg_rows(answer->results, 2)) {
        row -= pg_rows(answer->results, 2);
        statement = 3;
        if (row >= pg_rows(answer->results, 3))
            return false;
    }
    struct uuid tenant = pg_uuid(answer->results, statement, row, 0);
    uuid_format(&tenant, out->tenant);
    out->session = pg_uuid(answer->results, statement, row, 1);
    out->conversation = pg_uuid(answer->results, statement, row, 2);
    out->claimed = pg_int(answer->results, statement, row, 3);
    out->kind = (enum adopted_kind)pg_int(answer->results, statement, row, 4);
    return true;
}

const char *const adoption_statements[] = {free_sql, adopt_sql, mine_sql, NULL};
