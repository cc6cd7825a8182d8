/* The SQL of calls that the desk places: see delivery_call.h. Behind the change of deliveries,
 * whose locks it has. */
#include "store/delivery_call.h"

#include "store/delivery_state.h"
#include "store/job.h"

/* Only timers that wait are brought forward: what stands still stays so. The newest notice decides:
 * a word of an older call says nothing of the one that rings. */
static const char over_sql[] =
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
    struct pg_statement *statement = pg_add(unit, over_sql);
    pg_param(statement, keys[0]);
    pg_param(statement, keys[1]);
}

const char *const delivery_call_statements[] = {over_sql, NULL};
