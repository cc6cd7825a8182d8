/* What PostgreSQL's error codes mean to a caller, as a table (the codes: PostgreSQL 15, appendix
 * A), and the text of an error without the data that it may quote. */
#include "pg/inside.h"

#include <stdio.h>
#include <string.h>

/* The longest prefix that matches stands first. */
static const struct {
    const char *prefix;
    enum err_class class;
} classes[] = {
    {"40001", ERR_RETRY_NOW},   /* serialization failure */
    {"40P01", ERR_RETRY_NOW},   /* deadlock */
    {"55P03", ERR_RETRY_NOW},   /* lock not available */
    {"57014", ERR_RETRY_LATER}, /* query cancelled: statement_timeout */
    {"57P", ERR_RETRY_LATER},   /* server going down or starting */
    {"53", ERR_RETRY_LATER},    /* out of disk, memory, connections */
    {"08", ERR_RETRY_LATER},    /* connection, also PgBouncer's own */
    {"25006", ERR_RETRY_LATER}, /* read-only: a fail-over is under way */
    {"55", ERR_RETRY_LATER},    /* not in the state that this needs */
    {"58", ERR_RETRY_LATER},    /* the server's disk or files */
    {"XX", ERR_RETRY_LATER},    /* internal error, damaged page or index: no row is to blame */
    {"0A000", ERR_RETRY_NOW},   /* a cached plan whose result type a migration changed */
    {"23", ERR_PERMANENT},      /* constraint */
    {"22", ERR_PERMANENT},      /* data */
    {"54", ERR_PERMANENT},      /* too large or too deep */
    /* Access, syntax, missing object: a migration or a GRANT is missing. No row can help it, so
     * nothing may be given up for it. */
    {"42", ERR_RETRY_LATER},
};

enum err_class pg_sqlstate_class(const char *sqlstate)
{
    for (size_t i = 0; i < sizeof classes / sizeof classes[0]; i++)
        if (strncmp(sqlstate, classes[i].prefix, strlen(classes[i].prefix)) == 0)
            return classes[i].class;
    return ERR_BUG;
}

void pg_first_line(const char *message, char out[PG_TEXT_MAX])
{
    size_t length = strcspn(message, "\n");
    if (length >= PG_TEXT_MAX)
        length = PG_TEXT_MAX - 1;
    memcpy(out, message, length);
    out[length] = '\0';
}

/* Data errors (class 22) quote the value: that may be what a customer wrote. */
static void message_without_data(const PGresult *result, const char *sqlstate,
                                 char out[PG_TEXT_MAX])
{
    const char *primary = PQresultErrorField(result, PG_DIAG_MESSAGE_PRIMARY);
    pg_first_line(primary != NULL ? primary : "no message", out);
    if (strncmp(sqlstate, "22", 2) != 0)
        return;
    out[strcspn(out, ":\"")] = '\0';
}

void pg_err_from_result(const PGresult *result, int index, struct err *err)
{
    const char *sqlstate = PQresultErrorField(result, PG_DIAG_SQLSTATE);
    const char *constraint = PQresultErrorField(result, PG_DIAG_CONSTRAINT_NAME);
    char code[ERR_CODE_MAX], text[PG_TEXT_MAX];
    if (sqlstate == NULL)
        sqlstate = "08000"; /* made by libpq: the connection failed */
    snprintf(code, sizeof code, "pg.%.5s", sqlstate);
    message_without_data(result, sqlstate, text);
    err_set(err, pg_sqlstate_class(sqlstate), code, "statement %d: %s%s%s", index + 1, text,
            constraint != NULL ? ", constraint " : "", constraint != NULL ? constraint : "");
}

void pg_ignore_notice(void *arg, const PGresult *result)
{
    (void)arg;
    (void)result;
}
