/* The SQL of `deskctl escalation`: see escalation_admin.h. */
#include "store/escalation_admin.h"

#include "store/delivery_state.h"
#include "store/job.h"

#include <stdio.h>
#include <string.h>

#define ISO "'YYYY-MM-DD\"T\"HH24:MI:SS\"Z\"'"

static const char list_sql[] =
    "SELECT e.id, t.name, e.conversation_id, e.reason, e.state, e.summary,"
    " to_char(e.created_at AT TIME ZONE 'UTC', " ISO "), e.caller, e.call_back, e.accepted_by,"
    " nullif(replace(e.rota, '_', ' '), 'none'), (SELECT n.name FROM escalation_notices n"
    " WHERE n.tenant_id = e.tenant_id AND n.escalation_id = e.id ORDER BY n.sent_at DESC LIMIT 1)"
    " FROM escalations e JOIN tenants t ON t.id = e.tenant_id"
    " WHERE ($1::text IS NULL OR t.name = $1::text) AND ($2::boolean OR e.state <> 'closed')"
    " ORDER BY e.created_at, e.id LIMIT $3::bigint";

static const char left_sql[] =
    "SELECT t.name, count(*) FILTER (WHERE e.rota = 'nobody_accepted'),"
    " count(*) FILTER (WHERE e.rota = 'parked'),"
    " to_char(min(e.created_at) AT TIME ZONE 'UTC', " ISO ")"
    " FROM escalations e JOIN tenants t ON t.id = e.tenant_id WHERE e.state = 'open'"
    " AND e.rota IN ('nobody_accepted', 'parked') GROUP BY t.name ORDER BY t.name";

static const char show_sql[] =
    "SELECT json_build_object('id', e.id, 'tenant', t.name, 'conversation', e.conversation_id,"
    " 'created_at', to_char(e.created_at AT TIME ZONE 'UTC', f.iso), 'reason', e.reason,"
    " 'state', e.state, 'rota', nullif(replace(e.rota, '_', ' '), 'none'), 'summary', e.summary,"
    " 'caller', e.caller, 'call_back', e.call_back, 'promised', e.promised,"
    " 'transfer', e.transfer_to || ': ' || replace(e.transfer, '_', ' '),"
    " 'accepted_by', e.accepted_by,"
    " 'accepted_at', to_char(e.accepted_at AT TIME ZONE 'UTC', f.iso), 'closed_by', e.closed_by,"
    " 'closed_at', to_char(e.closed_at AT TIME ZONE 'UTC', f.iso),"
    " 'recording', CASE r.state WHEN 'kept' THEN 'kept, ' || r.duration_s || ' s, '"
    " || r.size_bytes || ' bytes' WHEN 'waiting' THEN 'not fetched yet'"
    " || coalesce(', tried ' || r.tries || ' times: ' || r.last_error, '')"
    " ELSE replace(r.state, '_', ' ') || coalesce(': ' || r.last_error, '') END,"
    " 'transcript', CASE r.transcript_state WHEN 'failed' THEN 'could not be written down'"
    " ELSE r.transcript END,"
    " 'call_ordered', to_char(e.call_ordered_at AT TIME ZONE 'UTC', f.iso)"
    " || coalesce(' by ' || e.call_ordered_by, ''), 'call_error', (SELECT b.last_error FROM jobs b"
    " WHERE b.tenant_id = e.tenant_id AND b.kind = '" JOB_CALL_BACK "' AND b.subject = e.id::text),"
    " 'called', (SELECT string_agg(to_char(d.created_at AT TIME ZONE 'UTC', f.iso) || ': '"
    " || CASE WHEN k.answered_by = 'human' THEN 'a person answered'"
    " WHEN k.answered_by = 'machine' THEN 'a machine answered' WHEN d.state = 'deferred'"
    " THEN CASE d.reason WHEN 'hours' THEN 'waits for the calling hours' ELSE 'is tried again' END"
    " || ', ' || to_char(d.next_at AT TIME ZONE 'UTC', f.iso)"
    " WHEN d.state IN ('suppressed', 'parked') THEN 'not placed: ' || coalesce(d.reason, d.state)"
    " ELSE coalesce(d.provider_status, d.state) END, '; ' ORDER BY d.created_at)"
    " FROM delivery_calls k JOIN deliveries d ON d.tenant_id = k.tenant_id AND d.id = k.delivery_id"
    " WHERE k.tenant_id = e.tenant_id AND k.escalation_id = e.id AND k.purpose = 'back'),"
    " 'next_at', to_char(j.due_at AT TIME ZONE 'UTC', f.iso), 'error', j.last_error,"
    " 'notices', coalesce((SELECT json_agg(json_build_object('name', n.name, 'sms', n.sms,"
    " 'round', n.round, 'state', n.state,"
    " 'sent_at', to_char(n.sent_at AT TIME ZONE 'UTC', f.iso),"
    " 'until', to_char(n.until_at AT TIME ZONE 'UTC', f.iso), 'delivery', d.state,"
    " 'why', coalesce(d.reason, CASE d.via WHEN 'call' THEN d.provider_status END)) ORDER BY "
    "n.sent_at, n.id) FROM escalation_notices n"
    " JOIN deliveries d ON d.tenant_id = n.tenant_id AND d.id = n.delivery_id"
    " WHERE n.tenant_id = e.tenant_id AND n.escalation_id = e.id), '[]'))"
    " FROM escalations e JOIN tenants t ON t.id = e.tenant_id"
    " CROSS JOIN (VALUES (" ISO ")) AS f (iso)"
    " LEFT JOIN jobs j ON j.tenant_id = e.tenant_id AND j.kind = '" JOB_ESCALATION "'"
    " AND j.subject = e.id::text"
    " LEFT JOIN recordings r ON r.tenant_id = e.tenant_id AND r.id = e.id WHERE e.id = $1::uuid";

/* The rota's timer stands still: nobody else is told. */
#define ROTA_OVER "rota = CASE rota WHEN 'none' THEN rota ELSE 'over' END"

static const char accept_sql[] =
    "UPDATE escalations SET state = 'accepted', accepted_by = $2::text,"
    " accepted_at = coalesce(accepted_at, clock_timestamp()), " ROTA_OVER " WHERE id = $1::uuid"
    " AND (state = 'open' OR (state = 'accepted' AND accepted_by = $2::text)) RETURNING tenant_id";

static const char close_sql[] =
    "UPDATE escalations SET state = 'closed', closed_by = $2::text, closed_at = clock_timestamp(),"
    " " ROTA_OVER " WHERE id = $1::uuid AND state <> 'closed' RETURNING tenant_id";

/* From the first person on, with all rounds. A timer that runs, or that nobody ever set, is left.
 */
static const char retry_sql[] =
    "UPDATE escalations SET rota = 'running', steps = 0 WHERE id = $1::uuid AND $2::text IS NOT "
    "NULL"
    " AND state = 'open' AND rota IN ('parked', 'nobody_accepted') RETURNING tenant_id";

static const char wake_sql[] =
    "UPDATE jobs SET due_at = clock_timestamp(), worker = NULL, tries = 0, last_error = NULL"
    " WHERE tenant_id = $1::uuid AND kind = '" JOB_ESCALATION "' AND subject = $2::uuid::text";

/* A notice that has not left by now never does, nor does the text that nobody accepted, which has
 * the escalation's id (rota.c). */
static const char silence_sql[] =
    "WITH ended AS (UPDATE escalation_notices SET state = 'ended', ended_at = clock_timestamp()"
    " WHERE tenant_id = $1::uuid AND escalation_id = $2::uuid AND state = 'open'),"
    " timer AS (UPDATE jobs SET due_at = NULL, worker = NULL WHERE tenant_id = $1::uuid"
    " AND kind = '" JOB_ESCALATION "' AND subject = $2::uuid::text),"
    " waiting AS (SELECT d.tenant_id, d.id FROM deliveries d WHERE d.tenant_id = $1::uuid"
    " AND d.id IN (SELECT n.delivery_id FROM escalation_notices n WHERE n.tenant_id = $1::uuid"
    " AND n.escalation_id = $2::uuid UNION ALL SELECT $2::uuid)"
    " AND d.state = ANY ('" DELIVERY_WAITING "') ORDER BY d.tenant_id, d.id FOR NO KEY UPDATE OF d)"
    " UPDATE deliveries d SET state = 'suppressed', reason = 'accepted',"
    " settled_at = clock_timestamp() FROM waiting x"
    " WHERE d.tenant_id = x.tenant_id AND d.id = x.id";

static const char find_sql[] =
    "SELECT state, coalesce(accepted_by, ''), coalesce(closed_by, ''), rota FROM escalations"
    " WHERE id = $1::uuid";

static const char audit_sql[] = "INSERT INTO audit_log (tenant_id, id, actor, action, subject)"
                                " VALUES ($1::uuid, $2::uuid, $3::text, $4::text, $5::text)";

static const char *cell(const struct pg_result *result, struct arena *arena, int row, int column)
{
    return pg_is_null(result, 0, row, column)
               ? NULL
               : arena_strdup(arena, pg_text(result, 0, row, column));
}

int escalation_admin_list(struct pg_session *session, struct arena *arena, const char *tenant,
                          bool all, int64_t limit, struct escalation_row **rows, size_t *count,
                          struct err *err)
{
    const struct pg_statement statement = {
        .sql = list_sql,
        .params = {tenant, all ? "true" : "false", arena_printf(arena, "%lld", (long long)limit)},
        .param_count = 3};
    struct pg_result *result = NULL;
    if (pg_session_query(session, &statement, &result, err) != 0)
        return -1;
    *count = (size_t)pg_rows(result, 0);
    *rows = arena_alloc(arena, (*count + 1) * sizeof **rows);
    for (int i = 0; i < (int)*count; i++)
        (*rows)[i] = (struct escalation_row){
            .id = cell(result, arena, i, 0),
            .tenant = cell(result, arena, i, 1),
            .conversation = cell(result, arena, i, 2),
            .reason = cell(result, arena, i, 3),
            .state = cell(result, arena, i, 4),
            .summary = cell(result, arena, i, 5),
            .created_at = cell(result, arena, i, 6),
            .caller = cell(result, arena, i, 7),
            .call_back = cell(result, arena, i, 8),
            .accepted_by = cell(result, arena, i, 9),
            .rota = cell(result, arena, i, 10),
            .told = cell(result, arena, i, 11),
        };
    pg_result_free(&result);
    return 0;
}

int escalation_admin_left(struct pg_session *session, struct arena *arena,
                          struct escalation_left **rows, size_t *count, struct err *err)
{
    const struct pg_statement statement = {.sql = left_sql};
    struct pg_result *result = NULL;
    if (pg_session_query(session, &statement, &result, err) != 0)
        return -1;
    *count = (size_t)pg_rows(result, 0);
    *rows = arena_alloc(arena, (*count + 1) * sizeof **rows);
    for (int i = 0; i < (int)*count; i++)
        (*rows)[i] = (struct escalation_left){.tenant = cell(result, arena, i, 0),
                                              .unaccepted = pg_int(result, 0, i, 1),
                                              .parked = pg_int(result, 0, i, 2),
                                              .since = cell(result, arena, i, 3)};
    pg_result_free(&result);
    return 0;
}

int escalation_admin_show(struct pg_session *session, struct arena *arena, const struct uuid *id,
                          const char **json, struct err *err)
{
    char text[UUID_TEXT_SIZE];
    const struct pg_statement statement = {
        .sql = show_sql, .params = {uuid_format(id, text)}, .param_count = 1};
    struct pg_result *result = NULL;
    if (pg_session_query(session, &statement, &result, err) != 0)
        return -1;
    const char *found = pg_rows(result, 0) > 0 ? cell(result, arena, 0, 0) : NULL;
    pg_result_free(&result);
    if (found == NULL)
        return err_set(err, ERR_PERMANENT, "escalation.not_found", "there is no escalation %s",
                       text);
    *json = found;
    return 0;
}

/* Why the step touched no row. */
static int explain(struct pg_session *session, const char *id, struct err *err)
{
    const struct pg_statement statement = {.sql = find_sql, .params = {id}, .param_count = 1};
    struct pg_result *result = NULL;
    if (pg_session_query(session, &statement, &result, err) != 0)
        return -1;
    if (pg_rows(result, 0) == 0)
        err_set(err, ERR_PERMANENT, "escalation.not_found", "there is no escalation %s", id);
    else if (pg_text(result, 0, 0, 2)[0] != '\0')
        err_set(err, ERR_PERMANENT, "escalation.taken", "%s has closed it",
                pg_text(result, 0, 0, 2));
    else if (pg_text(result, 0, 0, 1)[0] != '\0')
        err_set(err, ERR_PERMANENT, "escalation.taken", "%s has accepted it",
                pg_text(result, 0, 0, 1));
    else if (strcmp(pg_text(result, 0, 0, 3), "running") == 0)
        err_set(err, ERR_PERMANENT, "escalation.running",
                "its rota is being asked: `deskctl escalation show` says who is next, and when");
    else
        err_set(err, ERR_PERMANENT, "escalation.no_rota", "it never had a rota: it is only listed");
    pg_result_free(&result);
    return -1;
}

static int audit(struct pg_session *session, const char *tenant, const char *id, const char *actor,
                 const char *action, struct err *err)
{
    char fresh[UUID_TEXT_SIZE];
    const struct uuid row = uuid_new();
    const struct pg_statement statement = {
        .sql = audit_sql,
        .params = {tenant, uuid_format(&row, fresh), actor, action, id},
        .param_count = 5};
    struct pg_result *result = NULL;
    if (pg_session_query(session, &statement, &result, err) != 0)
        return -1;
    pg_result_free(&result);
    return 0;
}

/* What the step means for notices and timer. */
static int follow(struct pg_session *session, const char *sql, const char *tenant, const char *id,
                  struct err *err)
{
    const struct pg_statement statement = {.sql = sql, .params = {tenant, id}, .param_count = 2};
    struct pg_result *result = NULL;
    if (pg_session_query(session, &statement, &result, err) != 0)
        return -1;
    pg_result_free(&result);
    return 0;
}

int escalation_admin_step(struct pg_session *session, const struct uuid *id, const char *actor,
                          enum escalation_step step, struct err *err)
{
    static const struct {
        const char *sql, *then, *action;
    } steps[] = {[ESCALATION_ACCEPT] = {accept_sql, silence_sql, "escalation.accept"},
                 [ESCALATION_CLOSE] = {close_sql, silence_sql, "escalation.close"},
                 [ESCALATION_RETRY] = {retry_sql, wake_sql, "escalation.retry"}};
    char text[UUID_TEXT_SIZE], tenant[UUID_TEXT_SIZE];
    const struct pg_statement statement = {
        .sql = steps[step].sql, .params = {uuid_format(id, text), actor}, .param_count = 2};
    struct pg_result *result = NULL;
    if (pg_session_query(session, &statement, &result, err) != 0)
        return -1;
    bool done = pg_rows(result, 0) > 0;
    if (done)
        snprintf(tenant, sizeof tenant, "%s", pg_text(result, 0, 0, 0));
    pg_result_free(&result);
    if (!done)
        return explain(session, text, err);
    return follow(session, steps[step].then, tenant, text, err) != 0
               ? -1
               : audit(session, tenant, text, actor, steps[step].action, err);
}
