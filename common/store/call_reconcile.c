/* The SQL of calls that a restored database does not know: see call_reconcile.h. Like an answer
 * that comes late, by the table of states; who claims or looks up the same delivery is before it or
 * after it, by its row's lock. */
#include "store/call_reconcile.h"

#include "base/clock.h"
#include "store/delivery_call.h"
#include "store/delivery_state.h"
#include "store/job.h"
#include "store/receipt.h"

#define CLOCKS_MS 60000 /* between the database's clock and the provider's */

#define SESSIONS                                                                                   \
    " FROM channel_sessions s JOIN channels ch ON ch.tenant_id = s.tenant_id"                      \
    " AND ch.id = s.channel_id WHERE s.tenant_id = $1::uuid AND ch.address = $2::text"             \
    " AND s.remote_address = $3::text"

/* In the order of a claim: the delivery last. */
static const char *const lock_sql[] = {
    "SELECT 1 FROM conversations c WHERE (c.tenant_id, c.id) IN"
    " (SELECT s.tenant_id, s.conversation_id" SESSIONS ") ORDER BY c.tenant_id, c.id FOR SHARE",
    "SELECT 1 FROM channel_sessions x WHERE (x.tenant_id, x.id) IN"
    " (SELECT s.tenant_id, s.id" SESSIONS ") ORDER BY x.tenant_id, x.id FOR SHARE",
    "SELECT 1 FROM deliveries d WHERE (d.tenant_id, d.session_id) IN"
    " (SELECT s.tenant_id, s.id" SESSIONS ") AND d.via = 'call'"
    " AND d.state = ANY ('" DELIVERY_UNSETTLED "') ORDER BY d.tenant_id, d.id FOR NO KEY UPDATE",
};

static const char known_sql[] =
    "SELECT EXISTS (SELECT FROM deliveries k WHERE k.tenant_id = $1::uuid"
    " AND k.provider_sid = $4::text) OR EXISTS (SELECT" SESSIONS " AND EXISTS (SELECT"
    " FROM deliveries d JOIN delivery_attempts a ON a.tenant_id = d.tenant_id"
    " AND a.delivery_id = d.id WHERE d.tenant_id = s.tenant_id AND d.session_id = s.id"
    " AND a.provider_sid = $4::text))";

/* The attempt that made it is the last one, if nobody knows what came of that, else one that is
 * lost. While the installation is held nothing leaves: what is `sending` is as unknown. */
static const char settle_sql[] =
    "WITH one AS (SELECT d.tenant_id, d.id, d.attempts + CASE WHEN d.attempts > 0"
    " AND d.state = ANY ('" DELIVERY_IN_FLIGHT
    "') THEN 0 ELSE 1 END AS number, ch.account_sid FROM channel_sessions s"
    " JOIN channels ch ON ch.tenant_id = s.tenant_id AND ch.id = s.channel_id"
    " JOIN deliveries d ON d.tenant_id = s.tenant_id AND d.session_id = s.id"
    " WHERE s.tenant_id = $1::uuid AND ch.address = $2::text AND s.remote_address = $3::text"
    " AND d.via = 'call' AND d.provider_sid IS NULL AND d.state = ANY ('" DELIVERY_UNSETTLED "')"
    " AND d.created_at <= $5::timestamptz ORDER BY d.created_at, d.id LIMIT 1),"
    " tried AS (INSERT INTO delivery_attempts AS a (tenant_id, delivery_id, number, worker,"
    " outcome, provider_sid, finished_at, account_sid) SELECT o.tenant_id, o.id, o.number,"
    " '00000000-0000-0000-0000-000000000000'::uuid, 'accepted', $4::text, clock_timestamp(),"
    " o.account_sid FROM one o ON CONFLICT (tenant_id, delivery_id, number) DO UPDATE"
    " SET outcome = EXCLUDED.outcome, provider_sid = EXCLUDED.provider_sid,"
    " finished_at = EXCLUDED.finished_at)"
    " UPDATE deliveries d SET state = $6::text, reason = 'reconciled', worker = NULL,"
    " attempts = o.number, first_attempt_at = coalesce(d.first_attempt_at, clock_timestamp()),"
    " provider_sid = $4::text, provider_status = $7::text, settled_at = clock_timestamp()"
    " FROM one o WHERE d.tenant_id = o.tenant_id AND d.id = o.id"
    " RETURNING array[d.tenant_id]::text, array[d.id]::text";

/* The order is there and its delivery is not: it would be made anew. The task stays with people. */
static const char rest_sql[] =
    "UPDATE jobs j SET due_at = NULL, worker = NULL,"
    " last_error = 'the provider placed a call that this database has lost: see what came of it'"
    " FROM escalations e JOIN conversations c ON c.tenant_id = e.tenant_id"
    " AND c.id = e.conversation_id WHERE e.tenant_id = $1::uuid"
    " AND e.call_ordered_at <= $3::timestamptz AND EXISTS (SELECT FROM contact_addresses a"
    " WHERE a.tenant_id = c.tenant_id AND a.contact_id = c.contact_id AND a.kind = 'phone'"
    " AND a.address = $2::text) AND j.tenant_id = e.tenant_id"
    " AND j.kind = '" JOB_CALL_BACK "' AND j.subject = e.id::text AND j.due_at IS NOT NULL"
    " RETURNING 1";

enum { PLACED_PARAMS = 7 };

static int run(struct pg_session *session, const char *sql, const char *const *params, int count,
               struct pg_result **result, struct err *err)
{
    struct pg_statement statement = {.sql = sql};
    for (int i = 0; i < count; i++)
        pg_param(&statement, params[i]);
    return pg_session_query(session, &statement, result, err);
}

static int run_only(struct pg_session *session, const char *sql, const char *const *params,
                    int count, struct err *err)
{
    struct pg_result *result = NULL;
    if (run(session, sql, params, count, &result, err) != 0)
        return -1;
    pg_result_free(&result);
    return 0;
}

static int is_known(struct pg_session *session, const char *const *params, bool *known,
                    struct err *err)
{
    struct pg_result *result = NULL;
    for (size_t i = 0; i < sizeof lock_sql / sizeof *lock_sql; i++)
        if (run_only(session, lock_sql[i], params, 3, err) != 0)
            return -1;
    if (run(session, known_sql, params, 4, &result, err) != 0)
        return -1;
    *known = pg_bool(result, 0, 0, 0);
    pg_result_free(&result);
    return 0;
}

static int settle(struct pg_session *session, const char *const *params, int64_t *settled,
                  struct err *err)
{
    struct pg_result *result = NULL;
    if (run(session, settle_sql, params, PLACED_PARAMS, &result, err) != 0)
        return -1;
    const bool found = pg_rows(result, 0) > 0;
    int rc = 0;
    if (found) {
        const char *const keys[] = {pg_text(result, 0, 0, 0), pg_text(result, 0, 0, 1)};
        rc = run_only(session, delivery_call_over_sql, keys, 2, err);
    }
    pg_result_free(&result);
    *settled = found;
    return rc;
}

static int rest(struct pg_session *session, const char *const *params, int64_t *settled,
                struct err *err)
{
    const char *const of_task[] = {params[0], params[2], params[4]};
    struct pg_result *result = NULL;
    if (run(session, rest_sql, of_task, 3, &result, err) != 0)
        return -1;
    *settled = pg_rows(result, 0);
    pg_result_free(&result);
    return 0;
}

int call_reconcile(struct pg_session *session, const struct call_placed *placed, int64_t *settled,
                   struct err *err)
{
    char tenant[UUID_TEXT_SIZE], at[CLOCK_RFC3339_SIZE];
    enum delivery_event event;
    bool known = true;
    *settled = 0;
    if (!receipt_event(placed->status, &event))
        return 0;
    clock_format_rfc3339(placed->at_ms + CLOCKS_MS, at);
    const char *const params[PLACED_PARAMS] = {uuid_format(&placed->tenant, tenant),
                                               placed->sender,
                                               placed->address,
                                               placed->sid,
                                               at,
                                               delivery_target(event),
                                               placed->status};
    if (is_known(session, params, &known, err) != 0)
        return -1;
    if (known)
        return 0;
    if (settle(session, params, settled, err) != 0)
        return -1;
    return *settled > 0 ? 0 : rest(session, params, settled, err);
}
