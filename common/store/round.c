/* The SQL of rounds and tool calls: see round.h. Used by the engine only. */
#include "store/round.h"

#include "store/turn_inside.h"

/* Of a row of channel_sessions s, conversations c and turns t against what the start gave, i. */
#define JUDGED_SQL                                                                                 \
    "CASE WHEN s.worker IS DISTINCT FROM $1::uuid OR s.fence <> i.fence OR t.state <> 'running'"   \
    " THEN 'lost' WHEN s.conversation_id <> i.conversation_id OR c.epoch <> i.epoch"               \
    " OR c.held_by IS NOT NULL THEN 'epoch'"

#define FROM_SQL                                                                                   \
    " FROM input i JOIN channel_sessions s ON s.tenant_id = i.tenant_id AND s.id = i.session_id"   \
    " JOIN conversations c ON c.tenant_id = i.tenant_id AND c.id = s.conversation_id"              \
    " CROSS JOIN LATERAL (SELECT x.* FROM turns x WHERE x.tenant_id = i.tenant_id"                 \
    " AND x.id = i.turn_id OFFSET 0) AS t"

/* A refused turn gives its session back, due at once unless a person holds it. */
#define GIVEN_BACK_SQL                                                                             \
    " back AS (UPDATE channel_sessions s SET worker = NULL,"                                       \
    " due_at = CASE WHEN j.held_by IS NULL THEN clock_timestamp() END FROM judged j"               \
    " WHERE j.kind = 'epoch' AND s.tenant_id = j.tenant_id AND s.id = j.session_id),"              \
    " rest AS (UPDATE turns t SET worker = NULL FROM judged j WHERE j.kind = 'epoch'"              \
    " AND t.tenant_id = j.tenant_id AND t.id = j.turn_id)"

static const char store_sql[] =
    "WITH input AS (SELECT * FROM unnest($2::uuid[], $3::uuid[], $4::uuid[], $5::uuid[],"
    " $6::bigint[], $7::bigint[], $8::bigint[], $9::boolean[], $10::bigint[], $11::bigint[],"
    " $12::text[]) WITH ORDINALITY AS u (tenant_id, session_id, conversation_id,"
    " turn_id, fence, epoch, claimed, final, number, after_position, said, n)),"
    " judged AS (SELECT i.*, c.held_by, " JUDGED_SQL
    " WHEN s.claimed <> i.claimed AND NOT i.final THEN 'newer' ELSE 'ok' END AS kind" FROM_SQL "),"
    " stored AS (INSERT INTO turn_rounds (tenant_id, turn_id, number, after_position, claimed,"
    " said) SELECT tenant_id, turn_id, number, after_position, claimed, said"
    " FROM judged WHERE kind = 'ok' ON CONFLICT DO NOTHING)," GIVEN_BACK_SQL
    " SELECT n, kind FROM judged ORDER BY n";

/* Of rounds that were stored under this fence; a repeated store finds them there. */
static const char calls_sql[] =
    "INSERT INTO tool_calls (tenant_id, id, turn_id, round, place, provider_id, name, arguments,"
    " signature) SELECT i.tenant_id, i.id, i.turn_id, i.round, i.place, i.provider_id, i.name,"
    " i.arguments, i.signature FROM unnest($2::uuid[], $3::uuid[], $4::uuid[], $5::bigint[],"
    " $6::bigint[], $7::text[], $8::text[], $9::text[], $10::text[], $11::bigint[])"
    " AS i (tenant_id, id, turn_id, round, place, provider_id, name, arguments, signature, fence)"
    " JOIN turns t ON t.tenant_id = i.tenant_id AND t.id = i.turn_id AND t.fence = i.fence"
    " AND t.worker = $1::uuid AND t.state = 'running'"
    " JOIN turn_rounds r ON r.tenant_id = i.tenant_id AND r.turn_id = i.turn_id"
    " AND r.number = i.round ON CONFLICT DO NOTHING";

#define CALL_INPUT_SQL                                                                             \
    "WITH input AS (SELECT $2::uuid AS tenant_id, $3::uuid AS session_id,"                         \
    " $4::uuid AS conversation_id, $5::uuid AS turn_id, $6::bigint AS fence, $7::bigint AS epoch," \
    " $8::bigint AS claimed, $9::boolean AS final),"

#define CALL_FROM_SQL                                                                              \
    FROM_SQL " JOIN tool_calls k ON k.tenant_id = i.tenant_id AND k.turn_id = i.turn_id"           \
             " AND k.id = $10::uuid"

static const char begin_sql[] = CALL_INPUT_SQL
    " judged AS (SELECT i.*, c.held_by, " JUDGED_SQL
    " WHEN k.state = 'asked' AND s.claimed <> i.claimed AND NOT i.final THEN 'newer'"
    " ELSE 'ok' END AS kind" CALL_FROM_SQL "),"
    " begun AS (UPDATE tool_calls k SET state = 'started', worker = $1::uuid, fence = j.fence,"
    " epoch = j.epoch, started_at = coalesce(k.started_at, clock_timestamp()) FROM judged j"
    " WHERE j.kind = 'ok' AND k.tenant_id = j.tenant_id AND k.id = $10::uuid"
    " AND k.state <> 'done')," GIVEN_BACK_SQL " SELECT 1, kind FROM judged";

/* What has begun ends whatever happened meanwhile, a takeover included, unless another worker or
 * fence has begun it anew. */
static const char finish_sql[] = CALL_INPUT_SQL
    " judged AS (SELECT i.*, c.held_by, CASE WHEN k.started_at IS NOT NULL"
    " AND k.worker = $1::uuid AND k.fence = i.fence THEN 'ok' ELSE " JUDGED_SQL
    " WHEN k.state = 'asked' AND s.claimed <> i.claimed AND NOT i.final THEN 'newer'"
    " ELSE 'ok' END END AS kind" CALL_FROM_SQL "),"
    " ended AS (UPDATE tool_calls k SET state = 'done', worker = $1::uuid, fence = j.fence,"
    " epoch = j.epoch, outcome = $11::text, result = $12::text, finished_at = clock_timestamp()"
    " FROM judged j WHERE j.kind = 'ok' AND k.tenant_id = j.tenant_id AND k.id = $10::uuid"
    " AND k.state <> 'done')," GIVEN_BACK_SQL " SELECT 1, kind FROM judged";

/* Whoever still had the call's answer is refused: its turn does not run any more. */
static const char unheard_sql[] = TURN_UNHEARD_SQL(
    "(SELECT o.tenant_id, o.turn_id FROM unnest($1::uuid[], $2::uuid[]) AS o (tenant_id, turn_id)"
    " JOIN turns t ON t.tenant_id = o.tenant_id AND t.id = o.turn_id AND t.state <> 'running')");

/* ---- store ---- */

/* A call with the round it belongs to, as one row. */
struct call_row {
    const char *tenant;
    struct uuid turn;
    int64_t round, place, fence;
    struct round_call call;
};

static void add_calls(struct pg_unit *unit, struct arena *arena, const char *worker,
                      const struct round *rounds, size_t count)
{
    static const struct column columns[] = {
        {offsetof(struct call_row, tenant), COLUMN_TEXT},
        {offsetof(struct call_row, call.id), COLUMN_UUID},
        {offsetof(struct call_row, turn), COLUMN_UUID},
        {offsetof(struct call_row, round), COLUMN_INT},
        {offsetof(struct call_row, place), COLUMN_INT},
        {offsetof(struct call_row, call.provider_id), COLUMN_TEXT},
        {offsetof(struct call_row, call.name), COLUMN_TEXT},
        {offsetof(struct call_row, call.arguments), COLUMN_TEXT},
        {offsetof(struct call_row, call.signature), COLUMN_TEXT},
        {offsetof(struct call_row, fence), COLUMN_INT},
    };
    struct call_row *rows = arena_alloc(arena, count * ROUND_CALLS_MAX * sizeof *rows);
    size_t used = 0;
    for (size_t i = 0; i < count; i++)
        for (size_t k = 0; k < rounds[i].call_count; k++)
            rows[used++] = (struct call_row){.tenant = rounds[i].of.tenant,
                                             .turn = rounds[i].of.turn,
                                             .round = rounds[i].number,
                                             .place = (int64_t)k + 1,
                                             .fence = rounds[i].of.fence,
                                             .call = rounds[i].calls[k]};
    struct pg_statement *statement = pg_add(unit, calls_sql);
    pg_param(statement, worker);
    columns_add(statement, arena, &(struct column_rows){rows, sizeof *rows, used}, columns,
                COLUMNS(columns));
}

static void add_asked(struct pg_unit *unit, struct arena *arena, const char *worker,
                      const struct round *rounds, size_t count)
{
    struct calls_of_turn *turns = arena_alloc(arena, count * sizeof *turns);
    size_t used = 0;
    for (size_t i = 0; i < count; i++)
        if (rounds[i].asked_count > 0)
            turns[used++] = (struct calls_of_turn){.tenant = rounds[i].of.tenant,
                                                   .turn = rounds[i].of.turn,
                                                   .calls = rounds[i].asked,
                                                   .count = rounds[i].asked_count};
    if (used > 0)
        calls_add_of_rounds(unit, arena, worker, turns, used);
}

void round_add_store(struct pg_unit *unit, struct arena *arena, const char *worker,
                     const struct round *rounds, size_t count)
{
    static const struct column columns[] = {
        {offsetof(struct round, of.tenant), COLUMN_TEXT},
        {offsetof(struct round, of.session), COLUMN_UUID},
        {offsetof(struct round, of.conversation), COLUMN_UUID},
        {offsetof(struct round, of.turn), COLUMN_UUID},
        {offsetof(struct round, of.fence), COLUMN_INT},
        {offsetof(struct round, of.epoch), COLUMN_INT},
        {offsetof(struct round, of.claimed), COLUMN_INT},
        {offsetof(struct round, of.final), COLUMN_BOOL},
        {offsetof(struct round, number), COLUMN_INT},
        {offsetof(struct round, after_position), COLUMN_INT},
        {offsetof(struct round, said), COLUMN_TEXT},
    };
    const struct column_rows rows = {rounds, sizeof *rounds, count};
    turn_add_locks(unit, arena, &rows, columns);
    struct pg_statement *statement = pg_add(unit, store_sql);
    pg_param(statement, worker);
    columns_add(statement, arena, &rows, columns, COLUMNS(columns));
    add_calls(unit, arena, worker, rounds, count);
    add_asked(unit, arena, worker, rounds, count);
}

static enum round_kind kind_of(const struct pg_answer *answer, int row)
{
    static const char *const words[] = {"ok", "newer", "epoch", "lost", NULL};
    return (enum round_kind)turn_word_index(words, pg_text(answer->results, 2, row, 1));
}

bool round_read(const struct pg_answer *answer, int row, size_t *index, enum round_kind *kind)
{
    if (row >= pg_rows(answer->results, 2))
        return false;
    *index = (size_t)pg_int(answer->results, 2, row, 0) - 1;
    *kind = kind_of(answer, row);
    return true;
}

/* ---- one call ---- */

static struct pg_statement *add_call(struct pg_unit *unit, struct arena *arena, const char *worker,
                                     const struct round_turn *turn, const char *sql)
{
    static const struct column columns[] = {
        {offsetof(struct round_turn, tenant), COLUMN_TEXT},
        {offsetof(struct round_turn, session), COLUMN_UUID},
        {offsetof(struct round_turn, conversation), COLUMN_UUID},
    };
    char *ids = arena_alloc(arena, 3 * UUID_TEXT_SIZE);
    turn_add_locks(unit, arena, &(struct column_rows){turn, sizeof *turn, 1}, columns);
    struct pg_statement *statement = pg_add(unit, sql);
    pg_param(statement, worker);
    pg_param(statement, turn->tenant);
    pg_param(statement, uuid_format(&turn->session, ids));
    pg_param(statement, uuid_format(&turn->conversation, ids + UUID_TEXT_SIZE));
    pg_param(statement, uuid_format(&turn->turn, ids + (size_t)2 * UUID_TEXT_SIZE));
    pg_param(statement, arena_printf(arena, "%lld", (long long)turn->fence));
    pg_param(statement, arena_printf(arena, "%lld", (long long)turn->epoch));
    pg_param(statement, arena_printf(arena, "%lld", (long long)turn->claimed));
    pg_param(statement, turn->final ? "true" : "false");
    return statement;
}

static const char *id_text(struct arena *arena, const struct uuid *id)
{
    return uuid_format(id, arena_alloc(arena, UUID_TEXT_SIZE));
}

void round_add_begin(struct pg_unit *unit, struct arena *arena, const char *worker,
                     const struct round_turn *turn, const struct uuid *call)
{
    struct pg_statement *statement = add_call(unit, arena, worker, turn, begin_sql);
    pg_param(statement, id_text(arena, call));
}

void round_add_finish(struct pg_unit *unit, struct arena *arena, const char *worker,
                      const struct round_turn *turn, const struct uuid *call, const char *outcome,
                      const char *result)
{
    struct pg_statement *statement = add_call(unit, arena, worker, turn, finish_sql);
    pg_param(statement, id_text(arena, call));
    pg_param(statement, outcome);
    pg_param(statement, result);
}

void round_add_unheard(struct pg_unit *unit, struct arena *arena, const struct round_over *turns,
                       size_t count)
{
    static const struct column columns[] = {
        {offsetof(struct round_over, tenant), COLUMN_TEXT},
        {offsetof(struct round_over, turn), COLUMN_UUID},
    };
    struct pg_statement *statement = pg_add(unit, unheard_sql);
    columns_add(statement, arena, &(struct column_rows){turns, sizeof *turns, count}, columns,
                COLUMNS(columns));
}

enum round_kind round_read_call(const struct pg_answer *answer)
{
    return pg_rows(answer->results, 2) > 0 ? kind_of(answer, 0) : ROUND_LOST;
}

const char *const round_statements[] = {calls_sql, begin_sql, finish_sql, NULL};
const char *const round_store_statements[] = {store_sql, NULL};
