/* SQL of hold and release. deskctl calls it; responders read the row in each delivery claim. */
#include "store/hold.h"

#include <stdio.h>

static const char read_sql[] =
    "SELECT coalesce(released_for = database_identity(), false), coalesce(hold_reason, ''),"
    " database_identity(), coalesce(released_for, '') FROM installation";

static const char set_sql[] = "UPDATE installation SET released_for = NULL, hold_reason = $1::text,"
                              " changed_at = clock_timestamp()";

static const char release_sql[] =
    "UPDATE installation SET released_for = database_identity(), hold_reason = NULL,"
    " changed_at = clock_timestamp()";

int hold_read(struct pg_session *session, struct hold_state *state, struct err *err)
{
    const struct pg_statement statement = {.sql = read_sql};
    struct pg_result *result = NULL;
    if (pg_session_query(session, &statement, &result, err) != 0)
        return -1;
    state->released = pg_bool(result, 0, 0, 0);
    snprintf(state->reason, sizeof state->reason, "%s", pg_text(result, 0, 0, 1));
    snprintf(state->identity, sizeof state->identity, "%s", pg_text(result, 0, 0, 2));
    snprintf(state->released_for, sizeof state->released_for, "%s", pg_text(result, 0, 0, 3));
    pg_result_free(&result);
    return 0;
}

static int change(struct pg_session *session, const struct pg_statement *statement, struct err *err)
{
    struct pg_result *result = NULL;
    if (pg_session_query(session, statement, &result, err) != 0)
        return -1;
    pg_result_free(&result);
    return 0;
}

int hold_set(struct pg_session *session, const char *reason, struct err *err)
{
    const struct pg_statement statement = {.sql = set_sql, .params = {reason}, .param_count = 1};
    return change(session, &statement, err);
}

int hold_release(struct pg_session *session, struct err *err)
{
    const struct pg_statement statement = {.sql = release_sql};
    return change(session, &statement, err);
}
