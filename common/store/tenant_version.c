/* Statements of `deskctl tenant history` and `tenant rollback`. */
#include "store/tenant_version.h"

#include <stdio.h>

#define VERSION_SELECT                                                                             \
    "SELECT v.version, v.created_by, "                                                             \
    "to_char(v.created_at AT TIME ZONE 'UTC', 'YYYY-MM-DD\"T\"HH24:MI:SS\"Z\"'), v.config::text "  \
    "FROM assistant_versions v WHERE v.tenant_id = $1::uuid AND v.assistant_id = $2::uuid "

static const char list_sql[] = VERSION_SELECT "ORDER BY v.version DESC LIMIT $3::bigint";
static const char find_sql[] = VERSION_SELECT "AND v.version = $3::bigint";

static int query(struct pg_session *session, struct arena *arena,
                 const struct pg_statement *statement, struct tenant_versions *versions,
                 struct err *err)
{
    struct pg_result *result = NULL;
    if (pg_session_query(session, statement, &result, err) != 0)
        return -1;
    size_t count = (size_t)pg_rows(result, 0);
    struct tenant_version *items = arena_alloc(arena, (count + 1) * sizeof *items);
    for (size_t i = 0; i < count; i++)
        items[i] = (struct tenant_version){
            .version = pg_int(result, 0, (int)i, 0),
            .created_by = arena_strdup(arena, pg_text(result, 0, (int)i, 1)),
            .created_at = arena_strdup(arena, pg_text(result, 0, (int)i, 2)),
            .config = arena_strdup(arena, pg_text(result, 0, (int)i, 3)),
        };
    pg_result_free(&result);
    *versions = (struct tenant_versions){items, count};
    return 0;
}

int tenant_version_list(struct pg_session *session, struct arena *arena,
                        const struct tenant_row *row, int64_t limit,
                        struct tenant_versions *versions, struct err *err)
{
    char tenant[UUID_TEXT_SIZE], assistant[UUID_TEXT_SIZE], number[32];
    snprintf(number, sizeof number, "%lld", (long long)limit);
    const struct pg_statement statement = {
        .sql = list_sql,
        .params = {uuid_format(&row->id, tenant), uuid_format(&row->assistant, assistant), number},
        .param_count = 3};
    return query(session, arena, &statement, versions, err);
}

int tenant_version_find(struct pg_session *session, struct arena *arena,
                        const struct tenant_row *row, int64_t version,
                        struct tenant_versions *versions, struct err *err)
{
    char tenant[UUID_TEXT_SIZE], assistant[UUID_TEXT_SIZE], number[32];
    snprintf(number, sizeof number, "%lld", (long long)version);
    const struct pg_statement statement = {
        .sql = find_sql,
        .params = {uuid_format(&row->id, tenant), uuid_format(&row->assistant, assistant), number},
        .param_count = 3};
    return query(session, arena, &statement, versions, err);
}
