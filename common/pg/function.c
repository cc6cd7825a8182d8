/* Statements as functions of the database. PostgreSQL plans an unnamed statement each time it is
 * sent: 2 to 6 ms for one of ours, ten times what running it takes, and behind a transaction pooler
 * there is no statement of one's own to prepare. A PL/pgSQL function keeps its plan for the life of
 * a server connection, whoever uses that. `deskctl db migrate` makes one of each frequent
 * statement, named by a hash of its text; the pool calls it, and sends the text itself where it is
 * not there. Inside a function that is volatile a statement has a snapshot of its own, as it has in
 * a unit, so that statements which always follow each other are one function: each call that is
 * saved spares some 60 to 90 us (parsing the call, its settings), where the shortest of them run
 * for 20. */
#include "pg/inside.h"

#include <assert.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#define DEFINITION_MAX ((size_t)64 * 1024)
#define OID_UNKNOWN    705 /* a literal without type */
#define OID_TEXT       25

/* One plan for good, made before the tables have grown: each statement finds its rows by key, from
 * the few that it is given, so the plan must be nested index look-ups whatever the statistics say.
 * A page that lies elsewhere costs little more than the next one: with the default of 4, reading
 * all sessions of a tenant, which lie together, looks cheaper than finding one by its key.
 * A row that is read and not wanted costs: with the default of 0.01 an index that finds two rows of
 * a tenant looks as good as the key that finds one, and later it finds thousands.
 * A sequential scan that cannot be avoided must not look expensive enough to be compiled. */
#define SETTINGS                                                                                   \
    "SET plan_cache_mode = force_generic_plan SET enable_seqscan = off SET enable_hashjoin = off"  \
    " SET enable_mergejoin = off SET random_page_cost = 1.1 SET jit = off"                         \
    " SET join_collapse_limit = 1 SET from_collapse_limit = 1 SET enable_material = off"           \
    " SET cpu_tuple_cost = 1"

/* FNV-1a: of our own texts, nobody's input. */
static uint64_t hash_on(uint64_t hash, const char *text)
{
    for (; *text != '\0'; text++)
        hash = (hash ^ (unsigned char)*text) * 1099511628211u;
    return hash;
}

void pg_function_name(const char *const *statements, char name[PG_FUNCTION_NAME_SIZE])
{
    uint64_t hash = hash_on(14695981039346656037u, SETTINGS);
    for (int i = 0; statements[i] != NULL; i++)
        hash = hash_on(hash, statements[i]);
    snprintf(name, PG_FUNCTION_NAME_SIZE, PG_FUNCTION_PREFIX "%s_%016llx",
             statements[1] != NULL ? "s" : "", (unsigned long long)hash);
}

void pg_function_call(const char *name, int params, char call[PG_FUNCTION_CALL_SIZE])
{
    assert(params <= PG_FUNCTION_PARAMS_MAX);
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

/* The types that a function takes and returns, as array literals of oids; and its body. */
struct signature {
    struct strbuf params, columns, body;
    int param_count, column_count;
};

static void add_oid(struct strbuf *out, unsigned type)
{
    strbuf_printf(out, out->length > 1 ? ",%u" : "%u", type);
}

static void signature_fini(struct signature *signature)
{
    strbuf_fini(&signature->params);
    strbuf_fini(&signature->columns);
    strbuf_fini(&signature->body);
}

/* Parameters are counted on from one statement to the next. */
static void add_body(struct signature *out, const char *text)
{
    for (; *text != '\0'; text++) {
        strbuf_add_char(&out->body, *text);
        if (*text != '$' || text[1] < '0' || text[1] > '9')
            continue;
        char *behind;
        strbuf_printf(&out->body, "%ld", strtol(text + 1, &behind, 10) + out->param_count);
        text = behind - 1;
    }
    strbuf_add_text(&out->body, "; ");
}

static int add_statement(struct pg_session *session, const char *sql, bool last,
                         struct signature *out, struct err *err)
{
    static const char select[] = "SELECT ", perform[] = "PERFORM ";
    PGresult *described = NULL;
    if (pg_session_describe(session, sql, &described, err) != 0)
        return -1;
    const int columns = PQnfields(described);
    const bool is_select = strncmp(sql, select, strlen(select)) == 0;
    if ((!last && columns > 0 && !is_select) ||
        out->param_count + PQnparams(described) > PG_FUNCTION_PARAMS_MAX) {
        PQclear(described);
        return err_set(err, ERR_BUG, "pg.function",
                       "no function can be made of statements with over %d parameters together, or "
                       "of one whose rows would be lost: %.60s",
                       PG_FUNCTION_PARAMS_MAX, sql);
    }
    if (last && columns > 0)
        strbuf_add_text(&out->body, "RETURN QUERY ");
    const bool unread = !last && columns > 0;
    if (unread)
        strbuf_add_text(&out->body, perform);
    add_body(out, unread ? sql + strlen(select) : sql);
    for (int i = 0; i < PQnparams(described); i++)
        add_oid(&out->params, PQparamtype(described, i));
    out->param_count += PQnparams(described);
    for (int i = 0; last && i < columns; i++) {
        unsigned type = PQftype(described, i);
        add_oid(&out->columns, type == OID_UNKNOWN ? OID_TEXT : type);
    }
    out->column_count = columns;
    PQclear(described);
    return 0;
}

static int signature_of(struct pg_session *session, const char *const *statements,
                        struct signature *out, struct err *err)
{
    int rc = 0;
    *out = (struct signature){.param_count = 0};
    strbuf_init(&out->params, 4096);
    strbuf_init(&out->columns, 4096);
    strbuf_init(&out->body, DEFINITION_MAX);
    strbuf_add_text(&out->params, "{");
    strbuf_add_text(&out->columns, "{");
    for (int i = 0; rc == 0 && statements[i] != NULL; i++)
        rc = add_statement(session, statements[i], statements[i + 1] == NULL, out, err);
    strbuf_add_text(&out->params, "}");
    strbuf_add_text(&out->columns, "}");
    return rc;
}

/* Writes the definition of the function. */
static int define(struct pg_session *session, const struct signature *types, const char *name,
                  struct strbuf *out, struct err *err)
{
    bool table = types->column_count > 0;
    strbuf_printf(out, "CREATE FUNCTION %s(", name);
    int rc = type_names(session, &types->params, false, out, err);
    strbuf_add_text(out, table ? ") RETURNS TABLE (" : ") RETURNS SETOF integer");
    if (rc == 0 && table)
        rc = type_names(session, &types->columns, true, out, err);
    strbuf_printf(out,
                  "%s LANGUAGE plpgsql " SETTINGS
                  " AS $function$\n#variable_conflict use_column\nBEGIN ",
                  table ? ")" : "");
    strbuf_add_text(out, types->body.data);
    strbuf_add_text(out, "END $function$");
    return rc;
}

/* Adds what drops a function of that name with other types: a migration may have changed those of
 * the columns. *same tells that there is one with the same. */
static int drop_other(struct pg_session *session, const char *name, const struct signature *types,
                      struct strbuf *out, bool *same, struct err *err)
{
    struct pg_result *result = NULL;
    struct pg_statement statement = {
        .sql = "SELECT coalesce(bool_or(is_same), false), coalesce(string_agg('DROP FUNCTION '"
               " || f || ';', '') FILTER (WHERE NOT is_same), '') FROM (SELECT oid::regprocedure"
               " AS f, proargtypes::oid[] = $2::oid[] AND coalesce(proallargtypes,"
               " proargtypes::oid[]) = $2::oid[] || $3::oid[] AS is_same FROM pg_proc"
               " WHERE proname = $1::text AND pronamespace = current_schema()::regnamespace) AS p"};
    pg_param(&statement, name);
    pg_param(&statement, types->params.data);
    pg_param(&statement, types->columns.data);
    if (pg_session_query(session, &statement, &result, err) != 0)
        return -1;
    *same = pg_bool(result, 0, 0, 0);
    strbuf_add_text(out, pg_text(result, 0, 0, 1));
    pg_result_free(&result);
    return 0;
}

int pg_session_define(struct pg_session *session, const char *const *statements, struct err *err)
{
    bool same = false;
    char name[PG_FUNCTION_NAME_SIZE];
    struct signature types;
    struct strbuf script;
    pg_function_name(statements, name);
    strbuf_init(&script, DEFINITION_MAX);
    int rc = signature_of(session, statements, &types, err);
    if (rc == 0)
        rc = drop_other(session, name, &types, &script, &same, err);
    if (rc == 0 && !same)
        rc = define(session, &types, name, &script, err);
    if (rc == 0 && script.length > 0)
        rc = pg_session_script(session, script.data, err);
    strbuf_fini(&script);
    signature_fini(&types);
    return rc;
}

int pg_session_drop_functions(struct pg_session *session, const char *const *const *kept,
                              size_t count, struct err *err)
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
