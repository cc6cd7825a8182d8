/* The SQL of `deskctl escalation`: see escalation_admin.h. */
#include "store/escalation_admin.h"

#include <stdio.h>

#define ISO "'YYYY-MM-DD\"T\"HH24:MI:SS\"Z\"'"

static const char list_sql[] =
    "SELECT e.id, t.name, e.conversation_id, e.reason, e.state, e.summary,"
    " to_char(e.created_at AT TIME ZONE 'UTC', " ISO "), e.caller, e.call_back, e.accepted_by"
    " FROM escalations e JOIN tenants t ON t.id = e.tenant_id"
    " WHERE ($1::text IS NULL OR t.name = $1::text) AND ($2::boolean OR e.state <> 'closed')"
    " ORDER BY e.created_at, e.id LIMIT $3::bigint";

static const char accept_sql[] =
    "UPDATE escalations SET state = 'accepted', accepted_by = $2::text,"
    " accepted_at = coalesce(accepted_at, clock_timestamp()) WHERE id = $1::uuid"
    " AND (state = 'open' OR (state = 'accepted' AND accepted_by = $2::text)) RETURNING tenant_id";

static const char close_sql[] =
    "UPDATE escalations SET state = 'closed', closed_by = $2::text, closed_at = clock_timestamp()"
    " WHERE id = $1::uuid AND state <> 'closed' RETURNING tenant_id";

static const char find_sql[] =
    "SELECT state, coalesce(accepted_by, ''), coalesce(closed_by, '') FROM escalations"
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
        };
    pg_result_free(&result);
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
    else
        err_set(err, ERR_PERMANENT, "escalation.taken", "%s has accepted it",
                pg_text(result, 0, 0, 1));
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

int escalation_admin_step(struct pg_session *session, const struct uuid *id, const char *actor,
                          enum escalation_step step, struct err *err)
{
    static const struct {
        const char *sql, *action;
    } steps[] = {[ESCALATION_ACCEPT] = {accept_sql, "escalation.accept"},
                 [ESCALATION_CLOSE] = {close_sql, "escalation.close"}};
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
    return done ? audit(session, tenant, text, actor, steps[step].action, err)
                : explain(session, text, err);
}
