/* Statements as functions of the database. PostgreSQL plans an unnamed statement each time it is
 * sent: 2 to 6 ms for one of ours, ten times what running it takes, and behind a transaction pooler
 * there is no statement of one's own to prepare. A PL/pgSQL function keeps its plan for the life of
 * a server connection, whoever uses that. `deskctl db migrate` makes one of each frequent
 * statement, named by a hash of its text; the pool calls it, and sends the text itself where it is
 * not there. Inside a function that is volatile a statement has a snapshot of its own, as it has in
 * a unit. */
#include "pg/inside.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#define DEFINITION_MAX ((size_t)64 * 1024)
#define OID_UNKNOWN    705 /* a literal without type */
#define OID_TEXT       25

/* One plan for good, made before the tables have grown: each statement finds its rows by key, from
 * the few that it is given, so the plan must be nested index look-ups whatever the statistics say.
 * A sequential scan that cannot be avoided must not look expensive enough to be compiled. */
#define SETTINGS                                                                                   \
    "SET plan_cache_mode = force_generic_plan SET enable_seqscan = off SET enable_hashjoin = off"  \
    " SET enable_mergejoin = off SET jit = off"

/* FNV-1a: of our own texts, nobody's input. */
static uint64_t hash_on(uint64_t hash, const char *text)
{
    for (; *text != '\0'; text++)
        hash = (hash ^ (unsigned char)*text) * 1099511628211u;
    return hash;
}

void pg_function_name(const char *sql, char name[PG_FUNCTION_NAME_SIZE])
{
    uint64_t hash = hash_on(hash_on(14695981039346656037u, SETTINGS), sql);
    snprintf(name, PG_FUNCTION_NAME_SIZE, PG_FUNCTION_PREFIX "%016llx", (unsigned long long)hash);
}

void pg_function_call(const char *sql, int params, char call[PG_FUNCTION_CALL_SIZE])
{
    char name[PG_FUNCTION_NAME_SIZE];
    pg_function_name(sql, name);
    int used = snprintf(call, PG_FUNCTION_CALL_SIZE, "SELECT * FROM %s(", name);
    for (int i = 1; i <= params; i++)
        used += snprintf(call + used, (size_t)(PG_FUNCTION_CALL_SIZE - used),
                         i > 1 ? ",$%d" : "$%d", i);
    snprintf(call + used, (size_t)(PG_FUNCTION_CALL_SIZE - used), ")");
}

/* ---- making them: blocking, for deskctl ---- */

/* "uuid,text[]" of the types, or "c1 uuid,c2 text[]" as a table's columns. */
static int type_names(struct pg_session *session, const struct strbuf *oids, bool columns,
                      struct strbuf *out, struct err *err)
{
    struct pg_result *result = NULL;
    const struct pg_statement statement = {
        .sql = "SELECT coalesce(string_agg(CASE WHEN $2::boolean THEN 'c' || n || ' ' ELSE '' END"
               " || format_type(t, NULL), ',' ORDER BY n), '')"
               " FROM unnest($1::oid[]) WITH ORDINALITY AS i (t, n)",
        .params = {oids->data, columns ? "t" : "f"},
        .param_count = 2};
    if (pg_session_query(session, &statement, &result, err) != 0)
        return -1;
    strbuf_add_text(out, pg_text(result, 0, 0, 0));
    pg_result_free(&result);
    return 0;
}

/* Writes the definition of the described statement. */
static int define(struct pg_session *session, const PGresult *described, const char *sql,
                  struct strbuf *out, struct err *err)
{
    char name[PG_FUNCTION_NAME_SIZE];
    struct strbuf oids;
    int fields = PQnfields(described);
    strbuf_init(&oids, 4096);
    pg_function_name(sql, name);
    strbuf_printf(out, "CREATE FUNCTION %s(", name);
    strbuf_add_text(&oids, "{");
    for (int i = 0; i < PQnparams(described); i++)
        strbuf_printf(&oids, i > 0 ? ",%u" : "%u", PQparamtype(described, i));
    strbuf_add_text(&oids, "}");
    int rc = type_names(session, &oids, false, out, err);
    strbuf_clear(&oids);
    strbuf_add_text(&oids, "{");
    for (int i = 0; i < fields; i++) {
        unsigned type = PQftype(described, i);
        strbuf_printf(&oids, i > 0 ? ",%u" : "%u", type == OID_UNKNOWN ? OID_TEXT : type);
    }
    strbuf_add_text(&oids, "}");
    strbuf_add_text(out, fields > 0 ? ") RETURNS TABLE (" : ") RETURNS SETOF integer");
    if (rc == 0 && fields > 0)
        rc = type_names(session, &oids, true, out, err);
    strbuf_printf(out,
                  "%s LANGUAGE plpgsql " SETTINGS
                  " AS $function$\n#variable_conflict use_column\nBEGIN %s",
                  fields > 0 ? ")" : "", fields > 0 ? "RETURN QUERY " : "");
    strbuf_add_text(out, sql);
    strbuf_add_text(out, "; END $function$");
    strbuf_fini(&oids);
    return rc;
}

static int exists(struct pg_session *session, const char *sql, bool *found, struct err *err)
{
    char name[PG_FUNCTION_NAME_SIZE];
    struct pg_result *result = NULL;
    struct pg_statement statement = {.sql = "SELECT FROM pg_proc WHERE proname = $1::text"
                                            " AND pronamespace = current_schema()::regnamespace"};
    pg_function_name(sql, name);
    pg_param(&statement, name);
    if (pg_session_query(session, &statement, &result, err) != 0)
        return -1;
    *found = pg_rows(result, 0) > 0;
    pg_result_free(&result);
    return 0;
}

int pg_session_define(struct pg_session *session, const char *sql, struct err *err)
{
    bool found = false;
    PGresult *described = NULL;
    struct strbuf definition;
    if (exists(session, sql, &found, err) != 0)
        return -1;
    if (found)
        return 0;
    if (pg_session_describe(session, sql, &described, err) != 0)
        return -1;
    strbuf_init(&definition, DEFINITION_MAX);
    int rc = define(session, described, sql, &definition, err);
    PQclear(described);
    if (rc == 0)
        rc = pg_session_script(session, definition.data, err);
    strbuf_fini(&definition);
    return rc;
}

int pg_session_drop_functions(struct pg_session *session, const char *const *kept, size_t count,
                              struct err *err)
{
    char name[PG_FUNCTION_NAME_SIZE];
    struct pg_array names;
    struct pg_result *result = NULL;
    struct arena *arena = arena_new();
    pg_array_init(&names);
    for (size_t i = 0; i < count; i++) {
        pg_function_name(kept[i], name);
        pg_array_add(&names, name);
    }
    struct pg_statement statement = {
        .sql =
            "SELECT coalesce(string_agg('DROP FUNCTION ' || oid::regprocedure, ';'), '')"
            " FROM pg_proc WHERE proname LIKE '" PG_FUNCTION_PREFIX "%'"
            " AND pronamespace = current_schema()::regnamespace AND proname <> ALL ($1::text[])"};
    pg_param(&statement, pg_array_take(&names, arena));
    pg_array_fini(&names);
    int rc = pg_session_query(session, &statement, &result, err);
    if (rc == 0 && pg_text(result, 0, 0, 0)[0] != '\0')
        rc = pg_session_script(session, pg_text(result, 0, 0, 0), err);
    pg_result_free(&result);
    arena_free(&arena);
    return rc;
}
