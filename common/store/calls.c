/* The SQL of model calls: see calls.h. A commit stores its turn's calls by a statement of its own
 * and counts in the next one what of them is new (turn.c); those that come with a round, and those
 * that no commit takes, are stored and counted by one statement here. */
#include "store/calls.h"

#include "store/turn_inside.h"

/* Whoever has the turn by now: a call that was made is paid for. A call's id is made once, so a row
 * that is there is the same call, sent again. */
#define STORE_SQL                                                                                  \
    "INSERT INTO llm_calls (tenant_id, id, turn_id, provider, model, outcome, error_code, finish," \
    " tokens_in, tokens_out, tokens_cached, connect_ms, first_token_ms, total_ms, request_id,"     \
    " started_at, cost, queue_ms)"                                                                 \
    " SELECT i.tenant_id, i.id, i.turn_id, i.provider, i.model, i.outcome, nullif(i.error_code, "  \
    "''),"                                                                                         \
    " i.finish, nullif(i.tokens_in, -1), nullif(i.tokens_out, -1), nullif(i.tokens_cached, -1),"   \
    " nullif(i.connect_ms, -1), nullif(i.first_token_ms, -1), nullif(i.total_ms, -1),"             \
    " nullif(i.request_id, ''), i.started_at, nullif(i.cost, -1),"                                 \
    " nullif(i.queue_ms, -1)"                                                                      \
    " FROM unnest($1::uuid[], $2::uuid[], $3::uuid[], $4::text[], $5::text[], $6::text[],"         \
    " $7::text[], $8::text[], $9::bigint[], $10::bigint[], $11::bigint[], $12::integer[],"         \
    " $13::integer[], $14::integer[], $15::text[], $16::timestamptz[], $17::bigint[],"             \
    " $18::bigint[])"                                                                              \
    " AS i (tenant_id, id, turn_id, provider, model, outcome, error_code, finish, tokens_in,"      \
    " tokens_out, tokens_cached, connect_ms, first_token_ms, total_ms, request_id, started_at,"    \
    " cost, queue_ms)"                                                                             \
    " JOIN turns t ON t.tenant_id = i.tenant_id AND t.id = i.turn_id"                              \
    " ON CONFLICT DO NOTHING"

static const char store_sql[] = STORE_SQL;

/* Erasure has the conversations as long as it deletes: our keys would wait for it with the rows of
 * usage in hand, and then find nothing to refer to. So before anything else, and not in the way of
 * turns. */
static const char lock_sql[] =
    "SELECT 1 FROM unnest($1::uuid[], $2::uuid[]) AS i (tenant_id, turn_id)"
    " JOIN turns t ON t.tenant_id = i.tenant_id AND t.id = i.turn_id"
    " JOIN conversations c ON c.tenant_id = t.tenant_id AND c.id = t.conversation_id"
    " ORDER BY c.tenant_id, c.id FOR KEY SHARE OF c";

/* Stores them, and what is new of them as rows `used`. */
#define USED_SQL                                                                                   \
    "WITH stored AS (" STORE_SQL " RETURNING tenant_id, turn_id, tokens_in, tokens_out, cost),"    \
    " used AS (SELECT k.tenant_id, k.turn_id, coalesce(t.reserved_day,"                            \
    " (now() AT TIME ZONE z.timezone)::date) AS day,"                                              \
    " coalesce(k.tokens_in, 0) + coalesce(k.tokens_out, 0) AS tokens, coalesce(k.cost, 0) AS cost" \
    " FROM stored k JOIN turns t ON t.tenant_id = k.tenant_id AND t.id = k.turn_id"                \
    " JOIN tenants z ON z.id = k.tenant_id)"

/* The rows of usage are locked last and by key, as a commit does. */
#define COUNT_SQL(where)                                                                           \
    " INSERT INTO usage AS u (tenant_id, period, since, tokens, cost)"                             \
    " SELECT x.tenant_id, p.period, date_trunc(p.period, x.day::timestamp)::date,"                 \
    " sum(x.tokens)::bigint, sum(x.cost)::bigint"                                                  \
    " FROM used x CROSS JOIN (VALUES ('day'), ('month')) AS p (period)" where                      \
    " GROUP BY 1, 2, 3 ORDER BY 1, 2, 3 ON CONFLICT (tenant_id, period, since) DO UPDATE SET"      \
    " tokens = u.tokens + EXCLUDED.tokens, cost = u.cost + EXCLUDED.cost"

static const char left_sql[] = USED_SQL COUNT_SQL("");

/* The turn goes on: what is counted is not reserved any more. Of a turn that another worker has by
 * now the reservation holds what that one may use. */
static const char of_rounds_sql[] =
    USED_SQL ", spent AS (UPDATE turns t SET"
             " reserved_tokens = greatest(0, t.reserved_tokens - x.tokens),"
             " reserved_cost = greatest(0, t.reserved_cost - x.cost)"
             " FROM (SELECT k.tenant_id, k.turn_id, sum(k.tokens)::bigint AS tokens,"
             " sum(k.cost)::bigint AS cost FROM used k GROUP BY 1, 2) AS x"
             " WHERE t.tenant_id = x.tenant_id AND t.id = x.turn_id AND t.worker = $19::uuid"
             " AND t.state = 'running' AND t.reserved_day IS NOT NULL RETURNING 1)" COUNT_SQL(
                 " WHERE (SELECT count(*) FROM spent) >= 0");

/* A model call with the turn it belongs to, as one row. */
struct call_row {
    const char *tenant;
    struct uuid turn;
    struct turn_llm_call call;
};

static struct pg_statement *add(struct pg_unit *unit, struct arena *arena, const char *sql,
                                const struct calls_of_turn *turns, size_t count)
{
    static const struct column kinds[] = {
        {offsetof(struct call_row, tenant), COLUMN_TEXT},
        {offsetof(struct call_row, call.id), COLUMN_UUID},
        {offsetof(struct call_row, turn), COLUMN_UUID},
        {offsetof(struct call_row, call.provider), COLUMN_TEXT},
        {offsetof(struct call_row, call.model), COLUMN_TEXT},
        {offsetof(struct call_row, call.outcome), COLUMN_TEXT},
        {offsetof(struct call_row, call.error_code), COLUMN_TEXT},
        {offsetof(struct call_row, call.finish), COLUMN_TEXT},
        {offsetof(struct call_row, call.tokens_in), COLUMN_INT},
        {offsetof(struct call_row, call.tokens_out), COLUMN_INT},
        {offsetof(struct call_row, call.tokens_cached), COLUMN_INT},
        {offsetof(struct call_row, call.connect_ms), COLUMN_INT},
        {offsetof(struct call_row, call.first_token_ms), COLUMN_INT},
        {offsetof(struct call_row, call.total_ms), COLUMN_INT},
        {offsetof(struct call_row, call.request_id), COLUMN_TEXT},
        {offsetof(struct call_row, call.started_ms), COLUMN_TIME},
        {offsetof(struct call_row, call.cost), COLUMN_INT},
        {offsetof(struct call_row, call.queue_ms), COLUMN_INT},
    };
    size_t total = 0, used = 0;
    for (size_t i = 0; i < count; i++)
        total += turns[i].count;
    struct call_row *rows = arena_alloc(arena, total * sizeof *rows);
    for (size_t i = 0; i < count; i++)
        for (size_t k = 0; k < turns[i].count; k++)
            rows[used++] = (struct call_row){
                .tenant = turns[i].tenant, .turn = turns[i].turn, .call = turns[i].calls[k]};
    struct pg_statement *statement = pg_add(unit, sql);
    columns_add(statement, arena, &(struct column_rows){rows, sizeof *rows, total}, kinds,
                COLUMNS(kinds));
    return statement;
}

void calls_add_store(struct pg_unit *unit, struct arena *arena, const struct calls_of_turn *turns,
                     size_t count)
{
    add(unit, arena, store_sql, turns, count);
}

void calls_add_of_rounds(struct pg_unit *unit, struct arena *arena, const char *worker,
                         const struct calls_of_turn *turns, size_t count)
{
    pg_param(add(unit, arena, of_rounds_sql, turns, count), worker);
}

void calls_add_left(struct pg_unit *unit, struct arena *arena, const struct calls_of_turn *turns,
                    size_t count)
{
    static const struct column kinds[] = {
        {offsetof(struct calls_of_turn, tenant), COLUMN_TEXT},
        {offsetof(struct calls_of_turn, turn), COLUMN_UUID},
    };
    columns_add(pg_add(unit, lock_sql), arena, &(struct column_rows){turns, sizeof *turns, count},
                kinds, COLUMNS(kinds));
    add(unit, arena, left_sql, turns, count);
}

const char *const calls_statements[] = {of_rounds_sql, NULL};
const char *const calls_store_statements[] = {store_sql, NULL};
