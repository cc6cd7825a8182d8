/* The blocking connection of deskctl: migrations and operators' questions. */
#include "pg/inside.h"

#include "base/mem.h"

#include <stdlib.h>

struct pg_session {
    PGconn *db;
};

int pg_session_open(const char *url, const char *name, struct pg_session **session, struct err *err)
{
    char why[PG_TEXT_MAX];
    struct pg_target *target = pg_target_new(url, name);
    PGconn *db = pg_target_connect_blocking(target);
    pg_target_free(&target);
    if (db == NULL)
        return err_set(err, ERR_PERMANENT, "pg.url", "the database URL cannot be parsed; check it");
    if (PQstatus(db) != CONNECTION_OK) {
        pg_first_line(PQerrorMessage(db), why);
        PQfinish(db);
        return err_set(err, ERR_RETRY_LATER, "pg.connection", "cannot connect: %s", why);
    }
    *session = xcalloc(1, sizeof **session);
    (*session)->db = db;
    return 0;
}

void pg_session_close(struct pg_session **session)
{
    if (*session == NULL)
        return;
    PQfinish((*session)->db);
    free(*session);
    *session = NULL;
}

/* Judges and takes a result; NULL counts as a lost connection. */
static int judge(const struct pg_session *session, PGresult *result, struct err *err)
{
    ExecStatusType status = PQresultStatus(result); /* of NULL: PGRES_FATAL_ERROR */
    char why[PG_TEXT_MAX];
    if (status == PGRES_TUPLES_OK || status == PGRES_COMMAND_OK || status == PGRES_EMPTY_QUERY)
        return 0;
    if (PQstatus(session->db) != CONNECTION_OK) {
        pg_first_line(PQerrorMessage(session->db), why);
        return err_set(err, ERR_RETRY_LATER, "pg.lost", "connection lost, outcome unknown: %s",
                       why);
    }
    if (status != PGRES_FATAL_ERROR)
        return err_set(err, ERR_BUG, "pg.results", "COPY is not supported here");
    struct err found;
    pg_err_from_result(result, 0, &found);
    if (err != NULL)
        *err = found;
    return -1;
}

int pg_session_query(struct pg_session *session, const struct pg_statement *statement,
                     struct pg_result **result, struct err *err)
{
    PGresult *native = PQexecParams(session->db, statement->sql, statement->param_count, NULL,
                                    statement->params, NULL, NULL, 0);
    if (judge(session, native, err) != 0) {
        PQclear(native);
        return -1;
    }
    *result = xcalloc(1, sizeof **result);
    (*result)->native = native;
    return 0;
}

int pg_session_count(struct pg_session *session, const struct pg_statement *statement, int *rows,
                     struct err *err)
{
    struct pg_result *result = NULL;
    if (pg_session_query(session, statement, &result, err) != 0)
        return -1;
    *rows = pg_rows(result, 0);
    pg_result_free(&result);
    return 0;
}

int pg_session_describe(struct pg_session *session, const char *sql, PGresult **described,
                        struct err *err)
{
    PGresult *prepared = PQprepare(session->db, "", sql, 0, NULL);
    int failed = judge(session, prepared, err);
    PQclear(prepared);
    if (failed != 0)
        return -1;
    *described = PQdescribePrepared(session->db, "");
    if (judge(session, *described, err) == 0)
        return 0;
    PQclear(*described);
    return -1;
}

int pg_session_script(struct pg_session *session, const char *sql, struct err *err)
{
    PGresult *native = PQexec(session->db, sql);
    int failed = judge(session, native, err);
    PQclear(native);
    return failed;
}
