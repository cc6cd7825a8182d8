/* `deskctl db migrate` and `db status`. Forward only: one transaction per file under the migration
 * lock, so that two deployments at once apply each file once and a failed file leaves nothing. */
#include <inttypes.h>
#include <poll.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "base/clock.h"
#include "command.h"
#include "files.h"
#include "migrations.h"
#include "store/schema.h"
#include "store/statements.h"

#define MIGRATION_LOCK_WAIT_MS 120000 /* another migration may be running: wait for its end */
#define STATEMENT_LOCK_MS      1000   /* traffic queues up behind our own wait: far below a lease */
#define LOCK_PAUSE_MS          2000   /* and is let through between the tries */
#define LOCK_TRIES             20

static int load(struct desk *desk, const struct words *words, struct migration **items,
                size_t *count, struct err *err)
{
    const char *dir = words_option(words, "migrations"), *schema = NULL;
    if (dir == NULL) {
        if (files_schema_dir(desk->arena, desk->settings.schema_dir, &schema, err) != 0)
            return -1;
        dir = arena_printf(desk->arena, "%s/migrations", schema);
    }
    return migrations_load(desk->arena, dir, items, count, err);
}

/* ---- applying ---- */

struct stepwise {
    struct pg_session *session;
    struct err *err;
    int result;
};

static bool run_statement(void *arg, const char *statement)
{
    struct stepwise *step = arg;
    step->result = pg_session_script(step->session, statement, step->err);
    return step->result == 0;
}

static int record(struct pg_session *session, const struct migration *item, int64_t began_ms,
                  struct err *err)
{
    const struct schema_applied applied = {.number = item->number,
                                           .name = item->name,
                                           .checksum = item->checksum,
                                           .took_ms = clock_mono_ms() - began_ms};
    return schema_record_applied(session, &applied, err);
}

/* A file that says "-- no transaction" (CREATE INDEX CONCURRENTLY) is run statement by statement
 * and must bear being run again after a failure. */
static int apply_stepwise(struct arena *arena, struct pg_session *session,
                          const struct migration *item, struct err *err)
{
    int64_t began_ms = clock_mono_ms();
    struct stepwise step = {.session = session, .err = err};
    migrations_split(arena, item->sql, run_statement, &step);
    return step.result == 0 ? record(session, item, began_ms, err) : -1;
}

static int apply_at_once(struct pg_session *session, const struct migration *item, struct err *err)
{
    int64_t began_ms = clock_mono_ms();
    struct err ignored;
    if (schema_begin_migration(session, STATEMENT_LOCK_MS, err) != 0)
        return -1;
    if (pg_session_script(session, item->sql, err) == 0 &&
        record(session, item, began_ms, err) == 0 && pg_session_script(session, "COMMIT", err) == 0)
        return 0;
    (void)pg_session_script(session, "ROLLBACK", &ignored);
    return -1;
}

/* Waits for a lock only briefly, several times: traffic flows between the tries. */
static int apply(struct arena *arena, struct pg_session *session, const struct migration *item,
                 struct err *err)
{
    struct err why;
    for (int tries = 1;; tries++) {
        int result = item->no_transaction ? apply_stepwise(arena, session, item, &why)
                                          : apply_at_once(session, item, &why);
        if (result == 0)
            return 0;
        bool in_use = strcmp(why.code, "pg.55P03") == 0 || strcmp(why.code, "pg.40P01") == 0;
        if (!in_use || tries == LOCK_TRIES)
            break;
        desk_note("%s: a table is in use, try %d of %d", item->name, tries + 1, LOCK_TRIES);
        poll(NULL, 0, LOCK_PAUSE_MS);
    }
    return err_set(err, why.class, "db.migration", "%s: %.180s (nothing of it was kept)%s",
                   item->name, why.message, item->no_transaction ? " unless it is repeatable" : "");
}

static int apply_pending(struct desk *desk, struct pg_session *session,
                         const struct migration *items, size_t count, size_t first, struct err *err)
{
    for (size_t i = first; i < count; i++) {
        int64_t began_ms = clock_mono_ms();
        if (apply(desk->arena, session, &items[i], err) != 0)
            return -1;
        desk_note("applied %s in %" PRId64 " ms", items[i].name, clock_mono_ms() - began_ms);
    }
    return 0;
}

static int read_applied(struct desk *desk, struct pg_session *session,
                        struct schema_applied **applied, size_t *count, struct err *err)
{
    bool exists = false;
    *count = 0;
    *applied = NULL;
    if (schema_exists(session, &exists, err) != 0)
        return -1;
    return exists ? schema_list_applied(session, desk->arena, applied, count, err) : 0;
}

static int login_roles(struct pg_session *session, struct err *err)
{
    if (schema_login_roles(session, getenv("FRONTDESK_ROLE_PASSWORD"), err) != 0)
        return -1;
    desk_note("the serving roles may log in");
    return 0;
}

/* Returns an exit code, or -1 with *err. */
static int migrate(struct desk *desk, const struct words *words, struct err *err)
{
    struct migration *items = NULL;
    struct schema_applied *applied = NULL;
    struct pg_session *session = NULL;
    size_t count = 0, applied_count = 0, pending = 0, functions = 0;
    if (load(desk, words, &items, &count, err) != 0 || desk_owner(desk, &session, err) != 0 ||
        schema_lock(session, MIGRATION_LOCK_WAIT_MS, err) != 0 ||
        schema_prepare(session, err) != 0 ||
        read_applied(desk, session, &applied, &applied_count, err) != 0 ||
        migrations_plan(items, count, applied, applied_count, &pending, err) != 0 ||
        apply_pending(desk, session, items, count, pending, err) != 0 ||
        statements_define(session, &functions, err) != 0)
        return -1;
    desk_note("the schema is at %04zu, %zu of %zu applied now", count, count - pending, count);
    if (words_option(words, "login-roles") != NULL && login_roles(session, err) != 0)
        return -1;
    const struct desk_fact facts[] = {{"schema", NULL, (int64_t)count},
                                      {"applied", NULL, (int64_t)(count - pending)},
                                      {"statements", NULL, (int64_t)functions}};
    return desk_print_facts(desk, facts, sizeof facts / sizeof facts[0]);
}

/* ---- showing ---- */

static const struct table_column columns[] = {
    {"number", TABLE_INT},      {"name", TABLE_TEXT},   {"state", TABLE_TEXT},
    {"applied_at", TABLE_TEXT}, {"took_ms", TABLE_INT}, {"checksum", TABLE_TEXT},
};

static void add_migration(struct desk *desk, struct table *table, const struct migration *item,
                          const struct schema_applied *applied)
{
    const char *cells[] = {
        arena_printf(desk->arena, "%" PRId64, item->number),
        item->name,
        applied != NULL ? "applied" : "pending",
        applied != NULL ? applied->applied_at : NULL,
        applied != NULL ? arena_printf(desk->arena, "%" PRId64, applied->took_ms) : NULL,
        arena_strndup(desk->arena, item->checksum, desk->json ? 64 : 12),
    };
    table_add(table, cells);
}

static int show(struct desk *desk, const struct words *words, size_t *pending, struct err *err)
{
    struct migration *items = NULL;
    struct schema_applied *applied = NULL;
    struct pg_session *session = NULL;
    size_t count = 0, applied_count = 0;
    if (load(desk, words, &items, &count, err) != 0 || desk_owner(desk, &session, err) != 0 ||
        read_applied(desk, session, &applied, &applied_count, err) != 0 ||
        migrations_plan(items, count, applied, applied_count, pending, err) != 0)
        return -1;
    struct table *table = table_new(desk->arena, columns, sizeof columns / sizeof columns[0]);
    for (size_t i = 0; i < count; i++)
        add_migration(desk, table, &items[i], i < applied_count ? &applied[i] : NULL);
    *pending = count - *pending;
    return desk_print_table(desk, table, "no migration files") == DESK_OK ? 0 : -1;
}

static int run_status(struct desk *desk, const struct words *words)
{
    struct err err;
    size_t pending = 0;
    if (show(desk, words, &pending, &err) != 0)
        return desk_fail(&err);
    if (pending == 0)
        return DESK_OK;
    desk_note("%zu to apply: deskctl db migrate", pending);
    return DESK_DIFFERENT;
}

static int run_migrate(struct desk *desk, const struct words *words)
{
    struct err err;
    if (words_option(words, "dry-run") != NULL)
        return run_status(desk, words);
    int code = migrate(desk, words, &err);
    return code >= 0 ? code : desk_fail(&err);
}

static const struct option migrate_options[] = {
    {"dry-run", NULL, "show what would be applied, change nothing (exit 3 if something would)"},
    {"migrations", "DIR", "folder of the files (default: schema/migrations)"},
    {"login-roles", NULL, "let the serving roles log in (local use; FRONTDESK_ROLE_PASSWORD)"},
    {NULL, NULL, NULL},
};
static const struct option status_options[] = {
    {"migrations", "DIR", "folder of the files (default: schema/migrations)"},
    {NULL, NULL, NULL},
};

const struct command command_db[] = {
    {"db migrate", "", "bring the database schema up to date",
     "Applies schema/migrations/NNNN_name.sql in order, each in one transaction, over\n"
     "database_direct_url (not through a pooler). Two at once wait for each other. A file that "
     "was\n"
     "applied and has changed since is refused. A statement waits at most 4 s for a lock, then "
     "the\n"
     "file is rolled back and tried again, so that traffic never queues up behind it.",
     migrate_options, 0, 0, run_migrate},
    {"db status", "", "which migrations are applied", "Exits 3 when some are pending.",
     status_options, 0, 0, run_status},
    {.words = NULL},
};
