/* Statements of `deskctl tenant`, `directory publish` and of whoever writes an audit row. */
#include "store/tenant.h"

#include "store/job.h"

#include <stdio.h>
#include <string.h>

static int run(struct pg_session *session, const struct pg_statement *statement, struct err *err)
{
    struct pg_result *result = NULL;
    if (pg_session_query(session, statement, &result, err) != 0)
        return -1;
    pg_result_free(&result);
    return 0;
}

int tenant_lock_all(struct pg_session *session, struct err *err)
{
    static const struct pg_statement statement = {
        .sql = "SELECT pg_advisory_xact_lock(hashtextextended('frontdesk.tenants', 0))"};
    return run(session, &statement, err);
}

/* ---- channels ---- */

#define CHANNEL_COLUMNS                                                                            \
    "c.tenant_id, c.id, c.kind, c.address, c.account_sid, c.messaging_service_sid, "               \
    "encode(c.credentials, 'hex'), c.edge_keys::text, c.directory_version, c.published_version, "  \
    "c.removed_at IS NOT NULL, t.name"
#define CHANNEL_TABLES "channels c JOIN tenants t ON t.id = c.tenant_id"

static const char *text_or_null(const struct pg_result *result, struct arena *arena, int row,
                                int column)
{
    return pg_is_null(result, 0, row, column)
               ? NULL
               : arena_strdup(arena, pg_text(result, 0, row, column));
}

static struct tenant_channel read_channel(const struct pg_result *result, struct arena *arena,
                                          int row)
{
    return (struct tenant_channel){
        .tenant = pg_uuid(result, 0, row, 0),
        .id = pg_uuid(result, 0, row, 1),
        .kind = text_or_null(result, arena, row, 2),
        .address = text_or_null(result, arena, row, 3),
        .account_sid = text_or_null(result, arena, row, 4),
        .messaging_service_sid = text_or_null(result, arena, row, 5),
        .credentials_hex = text_or_null(result, arena, row, 6),
        .edge_keys = text_or_null(result, arena, row, 7),
        .directory_version = pg_int(result, 0, row, 8),
        .published_version = pg_int(result, 0, row, 9),
        .removed = pg_bool(result, 0, row, 10),
        .tenant_name = text_or_null(result, arena, row, 11),
    };
}

static int query_channels(struct pg_session *session, struct arena *arena,
                          const struct pg_statement *statement, struct tenant_channel **channels,
                          size_t *count, struct err *err)
{
    struct pg_result *result = NULL;
    if (pg_session_query(session, statement, &result, err) != 0)
        return -1;
    size_t rows = (size_t)pg_rows(result, 0);
    struct tenant_channel *list = arena_alloc(arena, (rows + 1) * sizeof *list);
    for (size_t i = 0; i < rows; i++)
        list[i] = read_channel(result, arena, (int)i);
    pg_result_free(&result);
    *channels = list;
    *count = rows;
    return 0;
}

#define DIRECTORY_MAX "1000000"

int tenant_list_directory(struct pg_session *session, struct arena *arena,
                          struct directory_row **rows, size_t *count, struct err *err)
{
    const struct pg_statement statement = {
        .sql = directory_all_sql, .params = {DIRECTORY_MAX}, .param_count = 1};
    struct pg_result *result = NULL;
    if (pg_session_query(session, &statement, &result, err) != 0)
        return -1;
    size_t found = (size_t)pg_rows(result, 0), used = 0;
    struct directory_row *list = arena_alloc(arena, (found + 1) * sizeof *list);
    while (directory_read_result(result, (int)used, arena, &list[used]))
        used++;
    pg_result_free(&result);
    *rows = list;
    *count = used;
    return 0;
}

int tenant_find_channel(struct pg_session *session, struct arena *arena, const char *kind,
                        const char *address, struct tenant_channel **channel, struct err *err)
{
    const struct pg_statement statement = {
        .sql = "SELECT " CHANNEL_COLUMNS " FROM " CHANNEL_TABLES
               " WHERE c.kind = $1::text AND c.address = $2::text AND c.removed_at IS NULL",
        .params = {kind, address},
        .param_count = 2};
    struct tenant_channel *list = NULL;
    size_t count = 0;
    if (query_channels(session, arena, &statement, &list, &count, err) != 0)
        return -1;
    *channel = count > 0 ? list : NULL;
    return 0;
}

int tenant_list_account(struct pg_session *session, struct arena *arena, const struct uuid *tenant,
                        const char *account_sid, struct tenant_channel **channels, size_t *count,
                        struct err *err)
{
    char text[UUID_TEXT_SIZE];
    const struct pg_statement statement = {
        .sql = "SELECT " CHANNEL_COLUMNS " FROM " CHANNEL_TABLES
               " WHERE c.tenant_id = $1::uuid AND c.account_sid = $2::text"
               " AND c.removed_at IS NULL ORDER BY c.id",
        .params = {uuid_format(tenant, text), account_sid},
        .param_count = 2};
    return query_channels(session, arena, &statement, channels, count, err);
}

/* ---- tenants ---- */

#define TENANT_SELECT                                                                              \
    "SELECT t.id, t.name, t.display_name, t.timezone, t.language, t.settings::text, a.id, "        \
    "coalesce(a.current_version, 0), v.config::text, "                                             \
    "to_char(t.updated_at AT TIME ZONE 'UTC', 'YYYY-MM-DD\"T\"HH24:MI:SS\"Z\"') "                  \
    "FROM tenants t LEFT JOIN assistants a ON a.tenant_id = t.id AND a.name = 'main' "             \
    "LEFT JOIN assistant_versions v ON v.tenant_id = t.id AND v.assistant_id = a.id "              \
    "AND v.version = a.current_version "

static struct tenant_row read_tenant(const struct pg_result *result, struct arena *arena, int row)
{
    return (struct tenant_row){
        .id = pg_uuid(result, 0, row, 0),
        .name = text_or_null(result, arena, row, 1),
        .display_name = text_or_null(result, arena, row, 2),
        .timezone = text_or_null(result, arena, row, 3),
        .language = text_or_null(result, arena, row, 4),
        .settings = text_or_null(result, arena, row, 5),
        .assistant = pg_uuid(result, 0, row, 6),
        .version = pg_int(result, 0, row, 7),
        .config = text_or_null(result, arena, row, 8),
        .updated_at = text_or_null(result, arena, row, 9),
    };
}

static int add_channels(struct pg_session *session, struct arena *arena, struct tenant_row *row,
                        struct err *err)
{
    char id[UUID_TEXT_SIZE];
    const struct pg_statement statement = {
        .sql = "SELECT " CHANNEL_COLUMNS " FROM " CHANNEL_TABLES
               " WHERE c.tenant_id = $1::uuid ORDER BY c.address, c.created_at",
        .params = {uuid_format(&row->id, id)},
        .param_count = 1};
    return query_channels(session, arena, &statement, &row->channels, &row->channel_count, err);
}

static int query_tenants(struct pg_session *session, struct arena *arena,
                         const struct pg_statement *statement, struct tenant_row **rows,
                         size_t *count, struct err *err)
{
    struct pg_result *result = NULL;
    if (pg_session_query(session, statement, &result, err) != 0)
        return -1;
    size_t found = (size_t)pg_rows(result, 0);
    struct tenant_row *list = arena_alloc(arena, (found + 1) * sizeof *list);
    for (size_t i = 0; i < found; i++)
        list[i] = read_tenant(result, arena, (int)i);
    pg_result_free(&result);
    for (size_t i = 0; i < found; i++)
        if (add_channels(session, arena, &list[i], err) != 0)
            return -1;
    *rows = list;
    *count = found;
    return 0;
}

int tenant_find(struct pg_session *session, struct arena *arena, const char *name,
                struct tenant_row **row, struct err *err)
{
    const struct pg_statement statement = {
        .sql = TENANT_SELECT "WHERE t.name = $1::text", .params = {name}, .param_count = 1};
    struct tenant_row *rows = NULL;
    size_t count = 0;
    if (query_tenants(session, arena, &statement, &rows, &count, err) != 0)
        return -1;
    *row = count > 0 ? rows : NULL;
    return 0;
}

int tenant_list(struct pg_session *session, struct arena *arena, struct tenant_row **rows,
                size_t *count, struct err *err)
{
    static const struct pg_statement statement = {.sql = TENANT_SELECT "ORDER BY t.name"};
    return query_tenants(session, arena, &statement, rows, count, err);
}

/* The list of zones is read from hundreds of files each time, a tenth of a second: not for a zone
 * that a business has already. */
int tenant_zone_is_known(struct pg_session *session, const char *zone, bool *known, struct err *err)
{
    const struct pg_statement statement = {
        .sql = "SELECT EXISTS (SELECT FROM tenants WHERE timezone = $1::text) OR"
               " EXISTS (SELECT FROM pg_timezone_names WHERE name = $1::text)",
        .params = {zone},
        .param_count = 1};
    struct pg_result *result = NULL;
    if (pg_session_query(session, &statement, &result, err) != 0)
        return -1;
    *known = pg_bool(result, 0, 0, 0);
    pg_result_free(&result);
    return 0;
}

/* ---- changes ---- */

int tenant_put(struct pg_session *session, const struct tenant_row *row, struct err *err)
{
    char id[UUID_TEXT_SIZE];
    const struct pg_statement statement = {
        .sql = "INSERT INTO tenants (id, name, display_name, timezone, language, settings) "
               "VALUES ($1::uuid, $2::text, $3::text, $4::text, $5::text, $6::jsonb) "
               "ON CONFLICT (id) DO UPDATE SET name = excluded.name, "
               "display_name = excluded.display_name, timezone = excluded.timezone, "
               "language = excluded.language, settings = excluded.settings, updated_at = now()",
        .params = {uuid_format(&row->id, id), row->name, row->display_name, row->timezone,
                   row->language, row->settings},
        .param_count = 6};
    return run(session, &statement, err);
}

int tenant_put_assistant(struct pg_session *session, const struct tenant_row *row,
                         const char *created_by, struct err *err)
{
    char tenant[UUID_TEXT_SIZE], assistant[UUID_TEXT_SIZE], version[32];
    snprintf(version, sizeof version, "%lld", (long long)row->version);
    uuid_format(&row->id, tenant);
    uuid_format(&row->assistant, assistant);
    const struct pg_statement current = {
        .sql = "INSERT INTO assistants (tenant_id, id, name, current_version) "
               "VALUES ($1::uuid, $2::uuid, 'main', $3::integer) "
               "ON CONFLICT (tenant_id, id) DO UPDATE "
               "SET current_version = excluded.current_version",
        .params = {tenant, assistant, version},
        .param_count = 3};
    const struct pg_statement config = {
        .sql = "INSERT INTO assistant_versions (tenant_id, assistant_id, version, config, "
               "created_by) VALUES ($1::uuid, $2::uuid, $3::integer, $4::jsonb, $5::text)",
        .params = {tenant, assistant, version, row->config, created_by},
        .param_count = 5};
    /* How calls are answered is the assistant's: the edge must learn it. */
    const struct pg_statement edge = {
        .sql = "UPDATE channels SET directory_version = directory_version + 1 "
               "WHERE tenant_id = $1::uuid AND assistant_id = $2::uuid AND kind = 'voice' "
               "AND removed_at IS NULL",
        .params = {tenant, assistant},
        .param_count = 2};
    return run(session, &current, err) == 0 && run(session, &config, err) == 0
               ? run(session, &edge, err)
               : -1;
}

/* A number that moved here must not be taken away by the tombstone of its former row, should that
 * not be published yet. */
static int forget_removals(struct pg_session *session, const struct tenant_channel *channel,
                           struct err *err)
{
    const struct pg_statement statement = {
        .sql = "UPDATE channels SET published_version = directory_version "
               "WHERE kind = $1::text AND address = $2::text AND removed_at IS NOT NULL",
        .params = {channel->kind, channel->address},
        .param_count = 2};
    return run(session, &statement, err);
}

/* Its answer: whether the row was there and removed. Another may have had the number meanwhile, so
 * its audit begins anew. */
static const char put_channel_sql[] =
    "WITH was AS (SELECT o.removed_at FROM channels o "
    "WHERE o.tenant_id = $1::uuid AND o.id = $2::uuid) "
    "INSERT INTO channels AS c (tenant_id, id, kind, address, account_sid, "
    "messaging_service_sid, credentials, edge_keys, assistant_id, directory_version) "
    "VALUES ($1::uuid, $2::uuid, $3::text, $4::text, $5::text, $6::text, "
    "decode($7::text, 'hex'), $8::jsonb, $9::uuid, "
    "1 + coalesce((SELECT max(o.directory_version) FROM channels o "
    "WHERE o.kind = $3::text AND o.address = $4::text), 0)) "
    "ON CONFLICT (tenant_id, id) DO UPDATE SET account_sid = excluded.account_sid, "
    "messaging_service_sid = excluded.messaging_service_sid, "
    "credentials = excluded.credentials, "
    "credentials_version = c.credentials_version + "
    "(c.credentials <> excluded.credentials)::integer, "
    "edge_keys = excluded.edge_keys, assistant_id = excluded.assistant_id, "
    "removed_at = NULL, directory_version = CASE WHEN $10::boolean "
    "THEN greatest(c.directory_version + 1, excluded.directory_version) "
    "ELSE c.directory_version END "
    "RETURNING coalesce((SELECT was.removed_at IS NOT NULL FROM was), false)";

static int put_channel(struct pg_session *session, const struct tenant_channel *channel,
                       const struct uuid *assistant, bool edge_changed, bool *revived,
                       struct err *err)
{
    char tenant[UUID_TEXT_SIZE], id[UUID_TEXT_SIZE], assistant_id[UUID_TEXT_SIZE];
    const struct pg_statement statement = {
        .sql = put_channel_sql,
        .params = {uuid_format(&channel->tenant, tenant), uuid_format(&channel->id, id),
                   channel->kind, channel->address, channel->account_sid,
                   channel->messaging_service_sid, channel->credentials_hex, channel->edge_keys,
                   uuid_format(assistant, assistant_id), edge_changed ? "t" : "f"},
        .param_count = 10};
    struct pg_result *result = NULL;
    if (pg_session_query(session, &statement, &result, err) != 0)
        return -1;
    *revived = pg_bool(result, 0, 0, 0);
    pg_result_free(&result);
    return 0;
}

static int put_audit(struct pg_session *session, const struct tenant_channel *channel, bool revived,
                     struct err *err)
{
    return job_put(session, &channel->tenant, JOB_GAP_AUDIT, &channel->id, revived, err);
}

int tenant_put_channel(struct pg_session *session, const struct tenant_channel *channel,
                       const struct uuid *assistant, bool edge_changed, struct err *err)
{
    struct err why;
    bool revived = false;
    if (put_channel(session, channel, assistant, edge_changed, &revived, &why) == 0)
        return forget_removals(session, channel, err) == 0
                   ? put_audit(session, channel, revived, err)
                   : -1;
    if (strcmp(why.code, "pg.23505") == 0)
        return err_set(err, ERR_PERMANENT, "tenant.address",
                       "%s belongs to another tenant already; remove it there first",
                       channel->address);
    return err_set(err, why.class, why.code, "%s", why.message);
}

int tenant_remove_channel(struct pg_session *session, const struct tenant_channel *channel,
                          struct err *err)
{
    char tenant[UUID_TEXT_SIZE], id[UUID_TEXT_SIZE];
    const struct pg_statement statement = {
        .sql = "UPDATE channels SET removed_at = now(), directory_version = directory_version + 1 "
               "WHERE tenant_id = $1::uuid AND id = $2::uuid AND removed_at IS NULL",
        .params = {uuid_format(&channel->tenant, tenant), uuid_format(&channel->id, id)},
        .param_count = 2};
    return run(session, &statement, err);
}

int tenant_mark_published(struct pg_session *session, const struct directory_row *row,
                          struct err *err)
{
    char id[UUID_TEXT_SIZE], version[32];
    snprintf(version, sizeof version, "%lld", (long long)row->channel.version);
    const struct pg_statement statement = {
        .sql = "UPDATE channels SET published_version = $3::bigint "
               "WHERE tenant_id = $1::uuid AND id = $2::uuid AND published_version <> $3::bigint",
        .params = {row->channel.event.tenant, uuid_format(&row->channel.channel, id), version},
        .param_count = 3};
    return run(session, &statement, err);
}

int tenant_audit(struct pg_session *session, const struct uuid *tenant, const char *actor,
                 const char *action, const char *subject, const char *detail, struct err *err)
{
    struct uuid id = uuid_new();
    char id_text[UUID_TEXT_SIZE], tenant_text[UUID_TEXT_SIZE];
    const struct pg_statement statement = {
        .sql = "INSERT INTO audit_log (tenant_id, id, actor, action, subject, detail) "
               "VALUES ($1::uuid, $2::uuid, $3::text, $4::text, $5::text, $6::jsonb)",
        .params = {uuid_format(tenant, tenant_text), uuid_format(&id, id_text), actor, action,
                   subject, detail},
        .param_count = 6};
    return run(session, &statement, err);
}
