/* Statements on roles, migrations and the catalogue. deskctl's db and doctor commands call them,
 * and its transactions begin here. */
#include "store/schema.h"

#include <poll.h>
#include <stdio.h>
#include <string.h>

#include "base/clock.h"

static int query(struct pg_session *session, const struct pg_statement *statement,
                 struct pg_result **result, struct err *err)
{
    return pg_session_query(session, statement, result, err);
}

/* Runs a statement whose rows do not matter. */
static int run(struct pg_session *session, const struct pg_statement *statement, struct err *err)
{
    struct pg_result *result = NULL;
    if (query(session, statement, &result, err) != 0)
        return -1;
    pg_result_free(&result);
    return 0;
}

static void roll_back(struct pg_session *session)
{
    struct err ignored;
    (void)pg_session_script(session, "ROLLBACK", &ignored);
}

int schema_begin_as_ops(struct pg_session *session, struct err *err)
{
    static const struct pg_statement become = {
        .sql = "SELECT set_config('role', 'frontdesk_ops', true), "
               "set_config('lock_timeout', '3s', true), "
               "set_config('statement_timeout', '60s', true), "
               /* who holds rows here holds up customers: a laptop that sleeps must not */
               "set_config('idle_in_transaction_session_timeout', '10s', true), "
               "set_config('TimeZone', 'UTC', true)"};
    if (pg_session_script(session, "BEGIN", err) != 0)
        return -1;
    struct err why;
    if (run(session, &become, &why) == 0)
        return 0;
    roll_back(session);
    if (err_is_retryable(&why))
        return err_set(err, why.class, why.code, "%s", why.message);
    return err_set(err, ERR_PERMANENT, "schema.ops",
                   "this login cannot act as frontdesk_ops: run `deskctl db migrate`, then GRANT "
                   "frontdesk_ops to it (%.100s)",
                   why.message);
}

int schema_wait_for_person(struct pg_session *session, struct err *err)
{
    static const struct pg_statement patience = {
        .sql = "SELECT set_config('idle_in_transaction_session_timeout', '10min', true)"};
    return run(session, &patience, err);
}

/* ---- migrations ---- */

int schema_exists(struct pg_session *session, bool *exists, struct err *err)
{
    static const struct pg_statement statement = {
        .sql = "SELECT to_regclass('schema_migrations') IS NOT NULL"};
    struct pg_result *result = NULL;
    if (query(session, &statement, &result, err) != 0)
        return -1;
    *exists = pg_bool(result, 0, 0, 0);
    pg_result_free(&result);
    return 0;
}

int schema_prepare(struct pg_session *session, struct err *err)
{
    return pg_session_script(session,
                             "CREATE TABLE IF NOT EXISTS schema_migrations ("
                             "number integer PRIMARY KEY CHECK (number > 0), "
                             "name text NOT NULL UNIQUE, checksum text NOT NULL, "
                             "applied_at timestamptz NOT NULL DEFAULT clock_timestamp(), "
                             "applied_by text NOT NULL DEFAULT session_user, "
                             "took_ms bigint NOT NULL); "
                             "GRANT SELECT ON schema_migrations TO PUBLIC",
                             err);
}

/* "FRONTDSK" in ASCII: one lock per database, whoever migrates. */
#define MIGRATION_LOCK "5067212905452884811"
#define LOCK_PAUSE_MS  100

/* Asked for again and again: a statement that waits for it would have a snapshot, and CREATE INDEX
 * CONCURRENTLY of the session that holds it waits for the end of every older one. */
static int try_lock(struct pg_session *session, bool *taken, struct err *err)
{
    static const struct pg_statement lock = {.sql =
                                                 "SELECT pg_try_advisory_lock(" MIGRATION_LOCK ")"};
    struct pg_result *result = NULL;
    if (query(session, &lock, &result, err) != 0)
        return -1;
    *taken = pg_bool(result, 0, 0, 0);
    pg_result_free(&result);
    return 0;
}

int schema_lock(struct pg_session *session, int64_t wait_ms, struct err *err)
{
    char wait[32];
    snprintf(wait, sizeof wait, "%lld", (long long)wait_ms);
    struct pg_statement limit = {.sql = "SELECT set_config('lock_timeout', $1, false), "
                                        "set_config('statement_timeout', '0', false)",
                                 .params = {wait},
                                 .param_count = 1};
    if (run(session, &limit, err) != 0)
        return -1;
    bool taken = false;
    for (int64_t end_ms = clock_mono_ms() + wait_ms;; poll(NULL, 0, LOCK_PAUSE_MS)) {
        if (try_lock(session, &taken, err) != 0)
            return -1;
        if (taken)
            return 0;
        if (clock_mono_ms() >= end_ms)
            return err_set(err, ERR_RETRY_LATER, "schema.busy",
                           "another migration is running on this database; wait for it");
    }
}

int schema_list_applied(struct pg_session *session, struct arena *arena,
                        struct schema_applied **items, size_t *count, struct err *err)
{
    static const struct pg_statement statement = {
        .sql = "SELECT number, name, checksum, took_ms, "
               "to_char(applied_at AT TIME ZONE 'UTC', 'YYYY-MM-DD\"T\"HH24:MI:SS\"Z\"') "
               "FROM schema_migrations ORDER BY number"};
    struct pg_result *result = NULL;
    if (query(session, &statement, &result, err) != 0)
        return -1;
    size_t rows = (size_t)pg_rows(result, 0);
    struct schema_applied *list = arena_alloc(arena, (rows + 1) * sizeof *list);
    for (size_t i = 0; i < rows; i++)
        list[i] = (struct schema_applied){
            .number = pg_int(result, 0, (int)i, 0),
            .name = arena_strdup(arena, pg_text(result, 0, (int)i, 1)),
            .checksum = arena_strdup(arena, pg_text(result, 0, (int)i, 2)),
            .took_ms = pg_int(result, 0, (int)i, 3),
            .applied_at = arena_strdup(arena, pg_text(result, 0, (int)i, 4)),
        };
    pg_result_free(&result);
    *items = list;
    *count = rows;
    return 0;
}

int schema_record_applied(struct pg_session *session, const struct schema_applied *item,
                          struct err *err)
{
    char number[32], took[32];
    snprintf(number, sizeof number, "%lld", (long long)item->number);
    snprintf(took, sizeof took, "%lld", (long long)item->took_ms);
    struct pg_statement statement = {
        .sql = "INSERT INTO schema_migrations (number, name, checksum, took_ms) "
               "VALUES ($1::integer, $2::text, $3::text, $4::bigint)",
        .params = {number, item->name, item->checksum, took},
        .param_count = 4};
    return run(session, &statement, err);
}

int schema_begin_migration(struct pg_session *session, int64_t lock_ms, struct err *err)
{
    char limit[32];
    snprintf(limit, sizeof limit, "%lld", (long long)lock_ms);
    struct pg_statement statement = {
        .sql = "SELECT set_config('lock_timeout', $1, true)", .params = {limit}, .param_count = 1};
    if (pg_session_script(session, "BEGIN", err) != 0)
        return -1;
    if (run(session, &statement, err) == 0)
        return 0;
    roll_back(session);
    return -1;
}

int schema_login_roles(struct pg_session *session, const char *password, struct err *err)
{
    /* ALTER ROLE takes no parameters: the server itself quotes the text that it then runs. */
    struct pg_statement statement = {
        .sql = "SELECT string_agg(format('ALTER ROLE %I LOGIN', r.rolname) || "
               "CASE WHEN $1::text IS NULL THEN '' ELSE format(' PASSWORD %L', $1::text) END, "
               "'; ' ORDER BY r.rolname) || "
               "CASE WHEN pg_has_role('frontdesk_ops', 'MEMBER') THEN '' "
               "ELSE format('; GRANT frontdesk_ops TO %I', current_user) END "
               "FROM pg_roles r WHERE r.rolname IN ('frontdesk_engine', 'frontdesk_responder', "
               "'frontdesk_ops', 'frontdesk_console')",
        .params = {password},
        .param_count = 1};
    struct pg_result *result = NULL;
    if (query(session, &statement, &result, err) != 0)
        return -1;
    int done = pg_is_null(result, 0, 0, 0)
                   ? err_set(err, ERR_PERMANENT, "schema.roles", "the roles are not there yet")
                   : pg_session_script(session, pg_text(result, 0, 0, 0), err);
    pg_result_free(&result);
    return done;
}

/* ---- doctor ---- */

int schema_read_facts(struct pg_session *session, struct arena *arena, struct schema_facts *facts,
                      struct err *err)
{
    static const struct pg_statement statement = {
        .sql = "SELECT current_setting('server_version_num')::bigint, "
               "(extract(epoch FROM clock_timestamp()) * 1000)::bigint, "
               "database_identity(), "
               "coalesce((SELECT released_for FROM installation), ''), "
               "pg_has_role('frontdesk_ops', 'MEMBER')"};
    struct pg_result *result = NULL;
    if (query(session, &statement, &result, err) != 0)
        return -1;
    *facts = (struct schema_facts){
        .server_version = pg_int(result, 0, 0, 0),
        .clock_ms = pg_int(result, 0, 0, 1),
        .identity = arena_strdup(arena, pg_text(result, 0, 0, 2)),
        .released_for = arena_strdup(arena, pg_text(result, 0, 0, 3)),
        .can_be_ops = pg_bool(result, 0, 0, 4),
    };
    pg_result_free(&result);
    return 0;
}

/* Tables without a tenant by nature: the installation, its workers, the migrations; tenants is
 * keyed by its own id. */
#define FREE_TABLES "('schema_migrations', 'installation', 'workers')"

int schema_list_breaches(struct pg_session *session, struct arena *arena, const char ***sentences,
                         size_t *count, struct err *err)
{
    static const struct pg_statement statement = {
        .sql = "WITH t AS (SELECT c.oid, c.relname, c.relrowsecurity, c.relforcerowsecurity, "
               "c.relowner "
               "FROM pg_class c WHERE c.relnamespace = current_schema()::regnamespace "
               "AND c.relkind IN ('r', 'p') AND c.relname NOT IN " FREE_TABLES ") "
               "SELECT format('table %I has no tenant_id', relname) FROM t "
               "WHERE relname <> 'tenants' AND NOT EXISTS (SELECT 1 FROM pg_attribute a "
               "WHERE a.attrelid = t.oid AND a.attname = 'tenant_id' AND a.attnotnull) "
               "UNION ALL SELECT format('table %I does not enforce row security', relname) FROM t "
               "WHERE NOT relrowsecurity OR NOT relforcerowsecurity "
               "UNION ALL SELECT format('table %I has no policy for frontdesk_console', relname) "
               "FROM t WHERE NOT EXISTS (SELECT 1 FROM pg_policy p WHERE p.polrelid = t.oid AND "
               "'frontdesk_console'::regrole = ANY (p.polroles::oid[])) "
               "UNION ALL SELECT format('%I owns table %I', r.rolname, relname) FROM t "
               "JOIN pg_roles r ON r.oid = t.relowner WHERE r.rolname LIKE 'frontdesk\\_%' "
               "UNION ALL SELECT format('role %I by-passes row security', rolname) FROM pg_roles "
               "WHERE rolname LIKE 'frontdesk\\_%' AND (rolsuper OR rolbypassrls) "
               "ORDER BY 1"};
    struct pg_result *result = NULL;
    if (query(session, &statement, &result, err) != 0)
        return -1;
    size_t rows = (size_t)pg_rows(result, 0);
    const char **list = arena_alloc(arena, (rows + 1) * sizeof *list);
    for (size_t i = 0; i < rows; i++)
        list[i] = arena_strdup(arena, pg_text(result, 0, (int)i, 0));
    pg_result_free(&result);
    *sentences = list;
    *count = rows;
    return 0;
}
