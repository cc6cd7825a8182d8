/* The SQL of calls that the desk places: see delivery_call.h. The end is behind the change of
 * deliveries, whose locks it has. */
#include "store/delivery_call.h"

#include "store/delivery_inside.h"
#include "store/job.h"

/* Only timers that wait are brought forward: what stands still stays so. The newest notice decides:
 * a word of an older call says nothing of the one that rings. */
const char delivery_call_over_sql[] =
    "WITH over AS (SELECT k.tenant_id, k.escalation_id, d.id, CASE k.purpose WHEN 'rota' THEN"
    " '" JOB_ESCALATION "' ELSE '" JOB_CALL_BACK "' END AS kind"
    " FROM unnest($1::uuid[], $2::uuid[]) AS i (tenant_id, id)"
    " JOIN deliveries d ON d.tenant_id = i.tenant_id AND d.id = i.id AND d.via = 'call'"
    " AND NOT d.state = ANY ('" DELIVERY_UNSETTLED "') AND d.state <> 'sent'"
    " JOIN delivery_calls k ON k.tenant_id = d.tenant_id AND k.delivery_id = d.id"
    " WHERE k.purpose = 'back' OR EXISTS (SELECT FROM escalation_notices n"
    " WHERE n.tenant_id = d.tenant_id AND n.delivery_id = d.id AND n.state = 'open'))"
    " UPDATE jobs j SET due_at = clock_timestamp() FROM over o WHERE j.tenant_id = o.tenant_id"
    " AND j.kind = o.kind AND j.subject = o.escalation_id::text AND j.due_at > clock_timestamp()";

void delivery_call_add_over(struct pg_unit *unit, const char *const keys[2])
{
    struct pg_statement *statement = pg_add(unit, delivery_call_over_sql);
    pg_param(statement, keys[0]);
    pg_param(statement, keys[1]);
}

/* next_at of one that is `sent` is when nobody would have known of it, and then when it was asked
 * about last. */
static const char open_sql[] =
    "WITH due AS (SELECT d.tenant_id, d.id FROM deliveries d WHERE d.state = 'sent'"
    " AND d.via = 'call' AND d.provider_sid IS NOT NULL"
    " AND d.next_at <= statement_timestamp() - $1::bigint * interval '1 ms'"
    " ORDER BY d.next_at LIMIT $2::integer FOR NO KEY UPDATE SKIP LOCKED),"
    " taken AS (UPDATE deliveries d SET next_at = clock_timestamp() FROM due u"
    " WHERE d.tenant_id = u.tenant_id AND d.id = u.id"
    " RETURNING d.tenant_id, d.id, d.session_id, d.attempts, d.provider_sid, d.first_attempt_at)"
    " SELECT t.tenant_id, t.id, t.attempts, t.provider_sid, coalesce(extract(epoch"
    " FROM clock_timestamp() - t.first_attempt_at) * 1000, 0)::bigint, EXISTS (SELECT"
    " FROM delivery_attempts a WHERE a.tenant_id = t.tenant_id AND a.delivery_id = t.id"
    " AND a.provider_sid = t.provider_sid AND a.account_sid <> ch.account_sid), " DELIVERY_ROUTE_SQL
    " FROM taken t CROSS JOIN LATERAL (SELECT * FROM channel_sessions x"
    " WHERE x.tenant_id = t.tenant_id AND x.id = t.session_id OFFSET 0) AS s"
    " JOIN channels ch ON ch.tenant_id = s.tenant_id AND ch.id = s.channel_id";

void delivery_call_add_open(struct pg_unit *unit, struct arena *arena, int64_t after_ms, int limit)
{
    struct pg_statement *statement = pg_add(unit, open_sql);
    pg_param(statement, delivery_number(arena, after_ms));
    pg_param(statement, delivery_number(arena, limit));
}

bool delivery_call_read_open(const struct pg_answer *answer, int statement, int row,
                             struct delivery_call_open *out)
{
    const struct pg_result *r = answer->results;
    if (row >= pg_rows(r, statement))
        return false;
    *out = (struct delivery_call_open){.attempt = (int)pg_int(r, statement, row, 2),
                                       .sid = pg_text(r, statement, row, 3),
                                       .age_ms = pg_int(r, statement, row, 4),
                                       .moved = pg_bool(r, statement, row, 5),
                                       .route = delivery_read_route(answer, statement, row, 6)};
    delivery_read_ref(answer, statement, row, &out->ref);
    return true;
}

const char *const delivery_call_statements[] = {delivery_call_over_sql, open_sql, NULL};
