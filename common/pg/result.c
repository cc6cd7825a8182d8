/* Reading rows. Used by the store's callbacks and by deskctl. */
#include "pg/inside.h"

#include <assert.h>
#include <stdlib.h>
#include <string.h>

int pg_rows(const struct pg_result *results, int statement)
{
    return PQntuples(results[statement].native);
}

static const char *field(const struct pg_result *results, int statement, int row, int column)
{
    const PGresult *native = results[statement].native;
    assert(row >= 0 && row < PQntuples(native) && column >= 0 && column < PQnfields(native));
    return PQgetvalue(native, row, column);
}

bool pg_is_null(const struct pg_result *results, int statement, int row, int column)
{
    (void)field(results, statement, row, column);
    return PQgetisnull(results[statement].native, row, column) != 0;
}

const char *pg_text(const struct pg_result *results, int statement, int row, int column)
{
    return field(results, statement, row, column); /* libpq gives "" for NULL */
}

int64_t pg_int(const struct pg_result *results, int statement, int row, int column)
{
    return strtoll(field(results, statement, row, column), NULL, 10);
}

bool pg_bool(const struct pg_result *results, int statement, int row, int column)
{
    return strcmp(field(results, statement, row, column), "t") == 0;
}

struct uuid pg_uuid(const struct pg_result *results, int statement, int row, int column)
{
    struct uuid id = {{0}};
    if (!uuid_parse(field(results, statement, row, column), &id))
        return (struct uuid){{0}};
    return id;
}

int64_t pg_affected(const struct pg_result *results, int statement)
{
    return strtoll(PQcmdTuples(results[statement].native), NULL, 10);
}

int pg_columns(const struct pg_result *results, int statement)
{
    return PQnfields(results[statement].native);
}

void pg_result_free(struct pg_result **result)
{
    if (*result == NULL)
        return;
    PQclear((*result)->native);
    free(*result);
    *result = NULL;
}
