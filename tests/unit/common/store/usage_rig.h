/* What the tests of budgets and of model calls stand on: two tenants with 500 running turns each,
 * and reservations and commits of them that wait for their answer. */
#ifndef DESK_TESTS_USAGE_RIG_H
#define DESK_TESTS_USAGE_RIG_H

#include "unit/common/store/function_rig.h"
#include "unit/common/store/turn_rig.h"

#include "store/usage.h"

#define OTHER_TENANT "00000000-0000-7000-8000-000000000002"
#define TURNS        500
#define NO_LIMIT                                                                                   \
    {                                                                                              \
        -1, -1, -1                                                                                 \
    }

/* So many customers of each tenant, each with an open text and a running turn of worker A. */
static const char turns_sql[] =
    "INSERT INTO tenants (id, name, display_name, timezone) VALUES ('" OTHER_TENANT "', 'garage',"
    " 'Garage', 'UTC');"
    "INSERT INTO assistants VALUES ('" OTHER_TENANT "', '00000000-0000-7000-8000-0000000000a1',"
    " 'desk', 1);"
    "INSERT INTO channels (tenant_id, id, kind, address, account_sid, credentials, edge_keys,"
    " assistant_id) VALUES ('" OTHER_TENANT "', '00000000-0000-7000-8000-0000000000c1', 'sms',"
    " '+15550002', 'AC1', '', '[]', '00000000-0000-7000-8000-0000000000a1');"
    "DROP TABLE IF EXISTS many; CREATE TEMPORARY TABLE many AS SELECT t.id AS tenant_id, n, "
    "('-0000-0000-0000-'"
    " || lpad(to_hex(n), 12, '0')) AS tail FROM tenants t, generate_series(1, 500) AS n;"
    "INSERT INTO contacts (tenant_id, id) SELECT tenant_id, ('02000000' || tail)::uuid FROM many;"
    "INSERT INTO conversations (tenant_id, id, contact_id) SELECT tenant_id,"
    " ('05000000' || tail)::uuid, ('02000000' || tail)::uuid FROM many;"
    "INSERT INTO channel_sessions (tenant_id, id, conversation_id, channel_id, kind,"
    " remote_address, fence, claimed, due_at, worker, turn_id, turn_number) SELECT tenant_id,"
    " ('01000000' || tail)::uuid, ('05000000' || tail)::uuid,"
    " '00000000-0000-7000-8000-0000000000c1', 'sms', '+1555' || n, 1, 1, now(), '" WORKER_A
    "', ('06000000' || tail)::uuid, 1 FROM many;"
    "INSERT INTO turns (tenant_id, id, session_id, conversation_id, number, state, worker, fence,"
    " epoch, deadline_at) SELECT tenant_id, ('06000000' || tail)::uuid,"
    " ('01000000' || tail)::uuid, ('05000000' || tail)::uuid, 1, 'running', '" WORKER_A
    "', 1, 0, now() + interval '1 h' FROM many;"
    "INSERT INTO inbox_events (tenant_id, channel, provider_id, session_id, message_id,"
    " address_hash, content_hash, state, claim_id, event_time) SELECT tenant_id, 'sms', 'SM' || n,"
    " ('01000000' || tail)::uuid, ('03000000' || tail)::uuid, ('04000000' || tail)::uuid, '',"
    " 'open', ('07000000' || tail)::uuid, now() FROM many;";

static inline struct uuid id_of(int kind, int n)
{
    struct uuid id = number_id(kind, n & 255);
    id.bytes[14] = (uint8_t)(n >> 8);
    return id;
}

static inline void begin_usage(void)
{
    run(seed_sql);
    run(turns_sql);
    arena = arena_new();
    rig_open();
    open_function_pool(4);
}

/* ---- reservations ---- */

struct reserves {
    enum usage_kind kinds[TURNS];
    int64_t day_per_cent, month_per_cent; /* of the last one */
    char day[16];
    size_t count;
    bool failed;
};

static inline void on_reserved(void *arg, const struct pg_answer *answer)
{
    struct reserves *out = arg;
    struct usage_reserved row;
    out->failed = answer->err != NULL;
    if (answer->err != NULL)
        printf("    %s: %s\n", answer->err->code, answer->err->message);
    while (answer->err == NULL && out->count < TURNS &&
           usage_read_reserved(answer, (int)out->count, &row)) {
        CU_ASSERT_EQUAL(row.index, out->count);
        out->kinds[out->count++] = row.kind;
        out->day_per_cent = row.day_per_cent;
        out->month_per_cent = row.month_per_cent;
        snprintf(out->day, sizeof out->day, "%s", row.day);
    }
    rig_count_down();
}

static inline struct usage_wish wish(int n, int64_t tokens, int64_t limit)
{
    return (struct usage_wish){.tenant = TENANT,
                               .turn = id_of(6, n),
                               .fence = 1,
                               .most = {tokens, tokens * 10, 3},
                               .limits = {{limit, -1, -1}, NO_LIMIT}};
}

static inline void submit_wishes(const char *worker, const struct usage_wish *wishes, size_t count,
                                 struct reserves *out)
{
    struct pg_unit unit = {.done = on_reserved, .arg = out, .deadline_ms = PATIENCE_MS};
    out->count = 0;
    usage_add_reserve(&unit, arena, worker, wishes, count);
    rig_waiting++;
    pg_submit(rig_pg, &unit);
}

static inline struct reserves reserve(const char *worker, const struct usage_wish *wishes,
                                      size_t count)
{
    static struct reserves out;
    submit_wishes(worker, wishes, count, &out);
    rig_run();
    CU_ASSERT_FALSE(out.failed);
    CU_ASSERT_EQUAL_FATAL(out.count, count);
    return out;
}

static inline enum usage_kind reserve_one(int n, int64_t tokens, int64_t limit)
{
    const struct usage_wish one = wish(n, tokens, limit);
    return reserve(WORKER_A, &one, 1).kinds[0];
}

static inline enum usage_kind reserve_more(int n, int64_t tokens, int64_t used)
{
    struct usage_wish one = wish(n, tokens, 1000);
    one.used = (struct usage_amounts){used, used * 10, 0};
    return reserve(WORKER_A, &one, 1).kinds[0];
}

/* As if turns that are over had used so many tokens, today. */
static inline void spend(int tokens)
{
    run(arena_printf(arena,
                     "INSERT INTO usage (tenant_id, period, since, tokens) SELECT '" TENANT
                     "', p, date_trunc(p, now() AT TIME ZONE 'Europe/Berlin')::date, %d"
                     " FROM unnest(ARRAY['day', 'month']) AS p",
                     tokens));
}

/* ---- commits ---- */

static inline struct turn_commit commit_number(const char *tenant, int n, int64_t tokens)
{
    const struct inbox_claimed claimed = {.session = id_of(1, n)};
    const struct turn_started turn = {.turn = id_of(6, n),
                                      .conversation = id_of(5, n),
                                      .fence = 1,
                                      .claimed = 1,
                                      .events = arena_printf(arena, "{SM%d}", n)};
    struct turn_commit commit = commit_of(&claimed, &turn);
    struct turn_llm_call *call = arena_alloc(arena, sizeof *call);
    *call = commit.calls[0];
    call->tokens_in = tokens;
    commit.tenant = tenant;
    commit.segments = 2;
    commit.calls = call;
    return commit;
}

static inline enum turn_commit_kind commit_one(int n, int64_t tokens)
{
    const struct turn_commit one = commit_number(TENANT, n, tokens);
    return commit(WORKER_A, &one).kind;
}

/* "tokens cost segments" of the tenant's current day, and whether the month has the same. */
static inline const char *spent(void)
{
    return value("SELECT d.tokens || ' ' || d.cost || ' ' || d.segments || ' ' || ((d.tokens,"
                 " d.cost, d.segments) = (m.tokens, m.cost, m.segments)) FROM usage d JOIN usage m"
                 " ON m.tenant_id = d.tenant_id AND m.period = 'month'"
                 " AND m.since = date_trunc('month', d.since::timestamp)"
                 " WHERE d.tenant_id = '" TENANT "' AND d.period = 'day'"
                 " AND d.since = (now() AT TIME ZONE 'Europe/Berlin')::date");
}

static inline const char *reserved(void)
{
    return value("SELECT count(*) || ' ' || coalesce(sum(reserved_tokens), 0) FROM turns"
                 " WHERE reserved_day IS NOT NULL");
}

#endif
