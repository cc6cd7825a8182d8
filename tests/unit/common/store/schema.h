/* A private server with our schema, and how a test empties it. */
#ifndef DESK_TESTS_SCHEMA_H
#define DESK_TESTS_SCHEMA_H

#include <glob.h>
#include <string.h>

#include "unit/common/pg/rig.h"

/* Deletes every tenant's rows. TRUNCATE would make new files for some hundred tables and indexes: a
 * second of work before each test, where the deletion of a few rows takes some milliseconds. */
#define SCHEMA_EMPTY "SELECT test_empty();"

static const char schema_empty_sql[] =
    "CREATE FUNCTION test_empty() RETURNS void LANGUAGE plpgsql"
    " SET session_replication_role = replica AS $$ DECLARE name regclass; BEGIN"
    " FOR name IN SELECT attrelid FROM pg_attribute a JOIN pg_class c ON c.oid = a.attrelid"
    " WHERE a.attname = 'tenant_id' AND c.relkind = 'r' LOOP"
    " EXECUTE 'DELETE FROM ' || name; END LOOP;"
    " DELETE FROM tenants; DELETE FROM workers; END $$;"
    "ALTER ROLE frontdesk_engine LOGIN;"
    /* Joined as written. Our tables all meet in tenant_id: trying every order takes the planner
     * up to a second a statement, and these statements come once. */
    "ALTER DATABASE postgres SET join_collapse_limit = 1;"
    "ALTER DATABASE postgres SET from_collapse_limit = 1";

/* As `deskctl db migrate` does: what cannot run in a transaction goes statement by statement. */
static inline bool migrate_sql(char *sql)
{
    if (strncmp(sql, "-- no transaction\n", 18) != 0)
        return test_server_sql(&rig_server, sql);
    bool good = true;
    for (char *end; good && (end = strstr(sql, ";\n")) != NULL; sql = end + 2) {
        *end = '\0';
        good = test_server_sql(&rig_server, sql);
    }
    return good;
}

static inline bool migrate(const char *path)
{
    char *sql = NULL;
    size_t size = 0;
    FILE *file = fopen(path, "r");
    if (file == NULL)
        return false;
    ssize_t length = getdelim(&sql, &size, '\0', file);
    fclose(file);
    bool good = length > 0 && migrate_sql(sql);
    free(sql);
    return good;
}

static inline bool migrate_all(void)
{
    glob_t files;
    if (glob("schema/migrations/*.sql", 0, NULL, &files) != 0)
        return false;
    bool good = true;
    for (size_t i = 0; i < files.gl_pathc; i++)
        good = good && migrate(files.gl_pathv[i]);
    globfree(&files);
    return good;
}

/* Starts rig_server, migrated; frontdesk_engine may log in. 0, or 1 as CUnit wants it. */
static inline int open_server(void)
{
    if (!test_server_start_from(&rig_server, "migrated"))
        return 1;
    const bool good = getenv("FRONTDESK_TEST_CLUSTERS") != NULL || migrate_all();
    return good && test_server_sql(&rig_server, schema_empty_sql) ? 0 : 1;
}

#endif
