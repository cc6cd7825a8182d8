/* What the test of the turns stands on: a seeded database, and claims, starts and commits that wait
 * for their answer. */
#ifndef DESK_TESTS_TURN_RIG_H
#define DESK_TESTS_TURN_RIG_H

#include "unit/common/store/schema.h"

#include "base/arena.h"
#include "store/inbox.h"
#include "store/turn.h"

#define PATIENCE_MS 120000 /* hundreds wait for four connections, on a busy machine too */
#define TENANT      "00000000-0000-7000-8000-000000000001"
#define WORKER_A    "00000000-0000-7000-8000-00000000000a"
#define WORKER_B    "00000000-0000-7000-8000-00000000000b"
#define DEADLINE    30000
#define ROWS_MAX    8

static struct arena *arena;

static const char seed_sql[] = SCHEMA_EMPTY
    "INSERT INTO tenants (id, name, display_name, timezone) VALUES ('" TENANT "', 'dental',"
    " 'Dental', 'Europe/Berlin');"
    "INSERT INTO assistants VALUES ('" TENANT "', '00000000-0000-7000-8000-0000000000a1', 'desk',"
    " 1);"
    "INSERT INTO channels (tenant_id, id, kind, address, account_sid, credentials, edge_keys,"
    " assistant_id) VALUES ('" TENANT "', '00000000-0000-7000-8000-0000000000c1', 'sms',"
    " '+15550001', 'AC1', '', '[]', '00000000-0000-7000-8000-0000000000a1');"
    "INSERT INTO workers (id, kind, process, lease_until) VALUES"
    " ('" WORKER_A "', 'engine', 'a', clock_timestamp() + interval '1 h'),"
    " ('" WORKER_B "', 'engine', 'b', clock_timestamp() + interval '1 h');";

/* ---- claims ---- */

struct claims {
    struct inbox_claimed rows[ROWS_MAX];
    char states[ROWS_MAX][16];
    int count;
    bool failed;
};

static inline void on_claimed(void *arg, const struct pg_answer *answer)
{
    struct claims *out = arg;
    out->failed = answer->err != NULL;
    if (answer->err != NULL)
        printf("    %s: %s\n", answer->err->code, answer->err->message);
    while (answer->err == NULL && out->count < ROWS_MAX &&
           inbox_read_claim(answer, out->count, &out->rows[out->count])) {
        snprintf(out->states[out->count], 16, "%s", out->rows[out->count].state);
        out->count++;
    }
    rig_count_down();
}

static inline struct uuid number_id(int kind, int number)
{
    struct uuid id = {{0}};
    id.bytes[0] = (uint8_t)kind;
    id.bytes[15] = (uint8_t)number;
    return id;
}

/* Event `n` of customer `who`. */
static inline struct inbox_event text_of(int who, int n, const char *body)
{
    struct inbox_event event = {
        .tenant = TENANT,
        .channel = "sms",
        .provider_id = arena_printf(arena, "SM%03d", n),
        .sender = "+15550001",
        .address = arena_printf(arena, "+1555900%d", who),
        .body = body,
        .event_time_ms = clock_wall_ms(),
        .traceparent = "",
        .session = number_id(1, who),
        .contact = number_id(2, who),
        .message = number_id(3, n),
        .address_hash = number_id(4, who),
        .conversation = uuid_new(),
    };
    return event;
}

static inline struct claims claim(const char *worker, const struct inbox_event *events,
                                  size_t count)
{
    struct claims out = {.count = 0};
    struct pg_unit unit = {.done = on_claimed, .arg = &out};
    inbox_add_claim(&unit, arena, worker, events, count,
                    &(struct inbox_timing){3000, 10000, 86400000, 604800000, 0, 0});
    rig_waiting++;
    pg_submit(rig_pg, &unit);
    rig_run();
    CU_ASSERT_FALSE(out.failed);
    return out;
}

static inline struct claims claim_one(const char *worker, int who, int n, const char *body)
{
    struct inbox_event event = text_of(who, n, body);
    return claim(worker, &event, 1);
}

/* ---- turns ---- */

struct starts {
    struct turn_started rows[ROWS_MAX];
    int count;
};

static inline void on_started(void *arg, const struct pg_answer *answer)
{
    struct starts *out = arg;
    if (answer->err != NULL)
        printf("    %s: %s\n", answer->err->code, answer->err->message);
    while (answer->err == NULL && out->count < ROWS_MAX &&
           turn_read_started(answer, out->count, &out->rows[out->count])) {
        struct turn_started *row = &out->rows[out->count++];
        row->events = arena_strdup(arena, row->events);
        row->context = arena_strdup(arena, row->context);
        row->assistant = arena_strdup(arena, row->assistant);
        row->traceparent = arena_strdup(arena, row->traceparent);
        row->rounds = arena_strdup(arena, row->rounds);
        row->summary = arena_strdup(arena, row->summary);
        row->earlier = arena_strdup(arena, row->earlier);
        row->reception = arena_strdup(arena, row->reception);
        row->heard_reason = arena_strdup(arena, row->heard_reason);
        row->language = arena_strdup(arena, row->language);
    }
    rig_count_down();
}

static inline struct turn_started start_with(const char *worker, const struct turn_start *start)
{
    struct starts out = {.count = 0};
    struct pg_unit unit = {.done = on_started, .arg = &out};
    turn_add_start(&unit, arena, worker, start, 1,
                   &(struct turn_times){DEADLINE, 5000, 24 * 3600 * 1000});
    rig_waiting++;
    pg_submit(rig_pg, &unit);
    rig_run();
    CU_ASSERT_EQUAL_FATAL(out.count, 1);
    return out.rows[0];
}

static inline struct turn_started start(const char *worker, const struct inbox_claimed *claimed)
{
    return start_with(worker, &(struct turn_start){.tenant = TENANT,
                                                   .session = claimed->session,
                                                   .conversation = claimed->conversation,
                                                   .turn = uuid_new()});
}

struct commits {
    struct turn_committed rows[ROWS_MAX];
    int count;
};

static inline void on_committed(void *arg, const struct pg_answer *answer)
{
    struct commits *out = arg;
    if (answer->err != NULL)
        printf("    %s: %s\n", answer->err->code, answer->err->message);
    while (answer->err == NULL && out->count < ROWS_MAX &&
           turn_read_committed(answer, out->count, &out->rows[out->count]))
        out->count++;
    rig_count_down();
}

static inline struct turn_commit commit_of(const struct inbox_claimed *claimed,
                                           const struct turn_started *turn)
{
    struct turn_commit commit = {
        .tenant = TENANT,
        .session = claimed->session,
        .conversation = turn->conversation,
        .turn = turn->turn,
        .fence = turn->fence,
        .epoch = turn->epoch,
        .claimed = turn->claimed,
        .events = turn->events,
        .event_state = "answered",
        .turn_state = "finished",
        .outcome = "reply",
        .body = "See you at 3.",
        .message = uuid_new(),
        .delivery = uuid_new(),
        .answer_within_ms = 86400000,
        .traceparent = "",
        .call_count = 1,
    };
    struct turn_llm_call *call = arena_alloc(arena, sizeof *call);
    *call = (struct turn_llm_call){.id = uuid_new(),
                                   .provider = "p",
                                   .model = "m",
                                   .outcome = "answered",
                                   .error_code = "",
                                   .finish = "stop",
                                   .request_id = "",
                                   .tokens_in = 5,
                                   .tokens_out = -1,
                                   .tokens_cached = -1,
                                   .connect_ms = -1,
                                   .queue_ms = 2,
                                   .first_token_ms = 3,
                                   .total_ms = 9,
                                   .cost = 1500,
                                   .started_ms = clock_wall_ms()};
    commit.calls = call;
    return commit;
}

static inline void submit_commit(const char *worker, const struct turn_commit *commit,
                                 struct commits *out)
{
    struct pg_unit unit = {.done = on_committed, .arg = out, .deadline_ms = PATIENCE_MS};
    turn_add_commit(&unit, arena, worker, commit, 1);
    rig_waiting++;
    pg_submit(rig_pg, &unit);
}

static inline struct turn_committed commit(const char *worker, const struct turn_commit *commit)
{
    struct commits out = {.count = 0};
    submit_commit(worker, commit, &out);
    rig_run();
    CU_ASSERT_EQUAL_FATAL(out.count, 1);
    return out.rows[0];
}

/* One value of the database, as text. */
static inline const char *value(const char *sql)
{
    static struct outcome out;
    rig_sql(&out, sql, NULL, NULL);
    rig_run();
    CU_ASSERT_FALSE(out.failed);
    return out.text;
}

static inline void run(const char *sql)
{
    CU_ASSERT_TRUE_FATAL(test_server_sql(&rig_server, sql));
}

/* A tenant's tool was asked for something by the turn that runs, and nothing was heard of it. */
static inline void begin_tool_call(void)
{
    run("INSERT INTO turn_rounds (tenant_id, turn_id, number, after_position, claimed, said)"
        " SELECT tenant_id, id, 1, 1, 1, '' FROM turns WHERE state = 'running';"
        "INSERT INTO tool_calls (tenant_id, id, turn_id, round, place, provider_id, name,"
        " arguments, state, started_at) SELECT tenant_id, gen_random_uuid(), id, 1, 1, 'p',"
        " 'order_cancel', '{}', 'started', clock_timestamp() FROM turns WHERE state = 'running'");
}

static inline void begin_test(void)
{
    run(seed_sql);
    arena = arena_new();
    rig_open();
    char url[256];
    snprintf(url, sizeof url, "%s&user=frontdesk_engine", rig_server.url);
    if (strstr(rig_server.url, "://") == NULL)
        snprintf(url, sizeof url, "%s user=frontdesk_engine", rig_server.url);
    rig_pool(url, 4, 0);
    CU_ASSERT_TRUE_FATAL(rig_until(rig_is_up));
}

static inline void end_test(void)
{
    rig_close();
    arena_free(&arena);
}

#endif
