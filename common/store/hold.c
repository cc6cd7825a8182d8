/* SQL of hold and release. deskctl calls it; responders read the row in each delivery claim. */
#include "store/hold.h"

#include <stdio.h>

static const char read_sql[] =
    "SELECT coalesce(released_for = database_identity(), false), coalesce(hold_reason, ''),"
    " database_identity(), coalesce(released_for, ''), changed_at::text FROM installation";

static const char set_sql[] = "UPDATE installation SET released_for = NULL, hold_reason = $1::text,"
                              " reconciled_for = NULL,"
                              " changed_at = clock_timestamp() RETURNING 1";

/* A hold that came while reconcile read must not pass for reconciled. */
static const char reconciled_sql[] =
    "UPDATE installation SET reconciled_for = $1::text"
    " WHERE released_for IS DISTINCT FROM database_identity()"
    " AND database_identity() = $1::text AND changed_at = $2::timestamptz RETURNING 1";

static const char release_sql[] =
    "UPDATE installation SET released_for = database_identity(), hold_reason = NULL,"
    " reconciled_for = NULL, changed_at = clock_timestamp()"
    " WHERE $1::boolean OR database_identity() IN (released_for, reconciled_for) RETURNING 1";

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
    snprintf(state->changed_at, sizeof state->changed_at, "%s", pg_text(result, 0, 0, 4));
    pg_result_free(&result);
    return 0;
}

static int change(struct pg_session *session, const struct pg_statement *statement, bool *changed,
                  struct err *err)
{
    int rows;
    if (pg_session_count(session, statement, &rows, err) != 0)
        return -1;
    *changed = rows > 0;
    return 0;
}

int hold_set(struct pg_session *session, const char *reason, struct err *err)
{
    const struct pg_statement statement = {.sql = set_sql, .params = {reason}, .param_count = 1};
    bool changed = false;
    return change(session, &statement, &changed, err);
}

int hold_set_reconciled(struct pg_session *session, const struct hold_state *seen, struct err *err)
{
    const struct pg_statement statement = {
        .sql = reconciled_sql, .params = {seen->identity, seen->changed_at}, .param_count = 2};
    bool changed = false;
    if (change(session, &statement, &changed, err) != 0)
        return -1;
    return changed ? 0
                   : err_set(err, ERR_RETRY_LATER, "hold.changed",
                             "the installation was held or released meanwhile: run it again");
}

int hold_release(struct pg_session *session, bool unreconciled, struct err *err)
{
    const struct pg_statement statement = {
        .sql = release_sql, .params = {unreconciled ? "t" : "f"}, .param_count = 1};
    bool changed = false;
    if (change(session, &statement, &changed, err) != 0)
        return -1;
    return changed ? 0
                   : err_set(err, ERR_PERMANENT, "hold.not_reconciled",
                             "no reconcile was completed since the hold, and what was sent before "
                             "it may be sent again: replay, then `deskctl reconcile --execute` "
                             "without --tenant; --without-reconcile if the database lost nothing");
}
