/* The SQL of escalations: see escalation.h. The engine's tools call it. */
#include "store/escalation.h"

static const char open_sql[] =
    "INSERT INTO escalations (tenant_id, id, conversation_id, turn_id, reason, summary, caller,"
    " call_back, promised) SELECT k.tenant_id, k.id, t.conversation_id, k.turn_id, $3::text,"
    " $4::text, $5::text, $6::text, $7::text FROM tool_calls k"
    " JOIN turns t ON t.tenant_id = k.tenant_id AND t.id = k.turn_id"
    " WHERE k.tenant_id = $1::uuid AND k.id = $2::uuid AND k.state = 'started'"
    " AND k.xmin = pg_current_xact_id_if_assigned()::xid" /* begun in this transaction: round.h */
    " ON CONFLICT DO NOTHING";

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
}

const char *const escalation_statements[] = {open_sql, NULL};
