/* The SQL of callers who are taken out of a voicemail: see transfer_back.h. The job itself is made
 * with the outcome (transfer.c). The responder's bring_back.c adds it. */
#include "store/transfer_back.h"

static const char read_sql[] =
    "SELECT ch.id, ch.address, '', ch.account_sid, coalesce(ch.messaging_service_sid, ''),"
    " encode(ch.credentials, 'hex'), ch.credentials_version, ch.kind, s.call_sid, s.step"
    " FROM escalations e JOIN turns t ON t.tenant_id = e.tenant_id AND t.id = e.turn_id"
    " JOIN channel_sessions s ON s.tenant_id = t.tenant_id AND s.id = t.session_id"
    " JOIN channels ch ON ch.tenant_id = s.tenant_id AND ch.id = s.channel_id"
    " WHERE e.tenant_id = $1::uuid AND e.id = $2::uuid AND e.transfer = 'voicemail'"
    " AND e.transfer_cold AND e.promised IS NULL AND s.ended_at IS NULL";

static const char *id_text(struct arena *arena, const struct uuid *id)
{
    return uuid_format(id, arena_alloc(arena, UUID_TEXT_SIZE));
}

void transfer_back_add_read(struct pg_unit *unit, struct arena *arena, const struct job *job)
{
    struct pg_statement *statement = pg_add(unit, read_sql);
    pg_param(statement, id_text(arena, &job->tenant));
    pg_param(statement, id_text(arena, &job->subject));
}

bool transfer_back_read(const struct pg_answer *answer, struct transfer_back *out)
{
    if (!delivery_read_channel(answer, &out->route))
        return false;
    out->call_sid = pg_text(answer->results, 0, 0, 8);
    out->step = pg_int(answer->results, 0, 0, 9);
    return true;
}
