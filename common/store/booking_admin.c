/* Statements of `deskctl tenant apply` on resources and of `deskctl appointment list`: see
 * booking_admin.h. */
#include "store/booking_admin.h"

#include "store/booking_rules.h"

/* By id, like the engine's bookings: who waits for whom is never a circle. */
static const char lock_sql[] =
    "SELECT 1 FROM resources WHERE tenant_id = $1::uuid ORDER BY id FOR NO KEY UPDATE";

static const char set_sql[] =
    "WITH wanted AS (SELECT DISTINCT ON (w.name) w.id, w.name"
    " FROM unnest($2::uuid[], $3::text[]) AS w (id, name) ORDER BY w.name),"
    " removed AS (UPDATE resources r SET removed_at = clock_timestamp()"
    " WHERE r.tenant_id = $1::uuid AND r.removed_at IS NULL"
    " AND r.name NOT IN (SELECT name FROM wanted) RETURNING r.id),"
    " revived AS (UPDATE resources r SET removed_at = NULL FROM wanted w"
    " WHERE r.tenant_id = $1::uuid AND r.name = w.name AND r.removed_at IS NOT NULL"
    " RETURNING r.id),"
    " made AS (INSERT INTO resources (tenant_id, id, name) SELECT $1::uuid, w.id, w.name"
    " FROM wanted w ON CONFLICT (tenant_id, name) DO NOTHING RETURNING id)"
    " SELECT (SELECT count(*) FROM made), (SELECT count(*) FROM revived),"
    " (SELECT count(*) FROM removed)";

static const char list_sql[] =
    "SELECT a.id, a.state, a.service, r.name, local_moment(a.starts_at, t.timezone),"
    " local_moment(a.ends_at, t.timezone),"
    " CASE WHEN a.state = 'held' THEN local_moment(a.hold_until, t.timezone) END,"
    " (SELECT min(c.address) FROM contact_addresses c WHERE c.tenant_id = a.tenant_id"
    " AND c.contact_id = a.contact_id), a.conversation_id, a.details::text"
    " FROM tenants t JOIN appointments a ON a.tenant_id = t.id"
    " JOIN resources r ON r.tenant_id = a.tenant_id AND r.id = a.resource_id"
    " CROSS JOIN LATERAL (SELECT coalesce($2::date, (now() AT TIME ZONE t.timezone)::date) AS day) "
    "f"
    " WHERE t.id = $1::uuid AND a.starts_at >= f.day::timestamp AT TIME ZONE t.timezone"
    " AND a.starts_at < (f.day + $3::integer)::timestamp AT TIME ZONE t.timezone"
    " AND ($4::boolean OR a.state = 'booked' OR (a.state = 'held' AND a.hold_until > now()))"
    " ORDER BY a.starts_at, a.id LIMIT $5::integer";

static int lock_resources(struct pg_session *session, const char *tenant, struct err *err)
{
    struct pg_result *result = NULL;
    const struct pg_statement statement = {.sql = lock_sql, .params = {tenant}, .param_count = 1};
    if (pg_session_query(session, &statement, &result, err) != 0)
        return -1;
    pg_result_free(&result);
    return 0;
}

static int set_resources(struct pg_session *session, struct arena *arena, const char *tenant,
                         const char *const *names, size_t count, struct pg_result **result,
                         struct err *err)
{
    struct pg_array ids, texts;
    pg_array_init(&ids);
    pg_array_init(&texts);
    for (size_t i = 0; i < count; i++) {
        struct uuid id = uuid_new();
        pg_array_add_uuid(&ids, &id);
        pg_array_add(&texts, names[i]);
    }
    const struct pg_statement statement = {
        .sql = set_sql,
        .params = {tenant, pg_array_take(&ids, arena), pg_array_take(&texts, arena)},
        .param_count = 3};
    pg_array_fini(&ids);
    pg_array_fini(&texts);
    return pg_session_query(session, &statement, result, err);
}

int booking_admin_set_resources(struct pg_session *session, const struct uuid *tenant,
                                const char *const *names, size_t count,
                                struct booking_resource_changes *changes, struct err *err)
{
    char id[UUID_TEXT_SIZE];
    struct pg_result *result = NULL;
    struct arena *arena = arena_new();
    uuid_format(tenant, id);
    int rc = lock_resources(session, id, err);
    if (rc == 0)
        rc = set_resources(session, arena, id, names, count, &result, err);
    if (rc == 0)
        *changes = (struct booking_resource_changes){.made = pg_int(result, 0, 0, 0),
                                                     .revived = pg_int(result, 0, 0, 1),
                                                     .removed = pg_int(result, 0, 0, 2)};
    pg_result_free(&result);
    arena_free(&arena);
    return rc;
}

static const char *text_or_null(const struct pg_result *result, struct arena *arena, int row,
                                int column)
{
    return pg_is_null(result, 0, row, column)
               ? NULL
               : arena_strdup(arena, pg_text(result, 0, row, column));
}

static struct booking_admin_row read_row(const struct pg_result *result, struct arena *arena,
                                         int row)
{
    return (struct booking_admin_row){
        .id = text_or_null(result, arena, row, 0),
        .state = text_or_null(result, arena, row, 1),
        .service = text_or_null(result, arena, row, 2),
        .resource = text_or_null(result, arena, row, 3),
        .starts_at = text_or_null(result, arena, row, 4),
        .ends_at = text_or_null(result, arena, row, 5),
        .hold_until = text_or_null(result, arena, row, 6),
        .address = text_or_null(result, arena, row, 7),
        .conversation = text_or_null(result, arena, row, 8),
        .details = text_or_null(result, arena, row, 9),
    };
}

int booking_admin_list(struct pg_session *session, struct arena *arena,
                       const struct booking_admin_query *query, struct booking_admin_row **rows,
                       size_t *count, struct err *err)
{
    char id[UUID_TEXT_SIZE];
    const struct pg_statement statement = {
        .sql = list_sql,
        .params = {uuid_format(&query->tenant, id), query->from_day,
                   arena_printf(arena, "%d", query->days), query->all ? "true" : "false",
                   arena_printf(arena, "%d", BOOKING_ADMIN_ROWS_MAX)},
        .param_count = 5};
    struct pg_result *result = NULL;
    if ((query->from_day != NULL && booking_check_day(query->from_day, err) != 0) ||
        pg_session_query(session, &statement, &result, err) != 0)
        return -1;
    size_t found = (size_t)pg_rows(result, 0);
    struct booking_admin_row *list = arena_alloc(arena, (found + 1) * sizeof *list);
    for (size_t i = 0; i < found; i++)
        list[i] = read_row(result, arena, (int)i);
    pg_result_free(&result);
    *rows = list;
    *count = found;
    return 0;
}
