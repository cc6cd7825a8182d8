/* Durable turns: with the store's own functions on one connection, the same turns as plain
 * statements, and the way from a commit to the acknowledged wake-up of its reply (rows P1 and P2 of
 * docs/BENCHMARKS.md). The customers are numbered; each call gives so many of them one text and one
 * reply. Prints one JSON object. Run by tests/bench/rows_store.py, which counts the rows. */
#include <libpq-fe.h>
#include <stdbool.h>
#include <string.h>

#include "base/clock.h"
#include "bench/samples.h"
#include "bus/bus.h"
#include "contract/event.h"
#include "contract/topics.h"
#include "store/inbox.h"
#include "store/statements.h"
#include "store/turn.h"

#define BATCH_MAX    200
#define TENANTS_MAX  1000
#define STATEMENTS   8
#define UNIT_MS      30000
#define DAY_MS       (INT64_C(24) * 3600 * 1000)
#define SESSION_KIND 1 /* first byte of a customer's made-up ids */
#define CONTACT_KIND 2
#define ADDRESS_KIND 3
#define REPLY        "We are open from 8 to 5; would Tuesday at 10 suit you?"

/* ---- who writes ---- */

struct business {
    char tenant[UUID_TEXT_SIZE], number[20];
};
static struct business businesses[TENANTS_MAX];
static int business_count;

static const struct business *business_of(int customer)
{
    return &businesses[customer % business_count];
}

static struct uuid made_id(int kind, int customer)
{
    struct uuid id = {{(uint8_t)kind}};
    for (int i = 0; i < 4; i++)
        id.bytes[12 + i] = (uint8_t)(customer >> (8 * (3 - i)));
    return id;
}

static const char *made_sid(struct arena *arena)
{
    struct uuid id = uuid_new();
    char text[UUID_TEXT_SIZE];
    uuid_format(&id, text);
    return arena_printf(arena, "SM%.8s%.4s%.4s%.4s%.12s", text, text + 9, text + 14, text + 19,
                        text + 24);
}

static void read_businesses(const char *url)
{
    PGconn *pg = PQconnectdb(url);
    PGresult *r = PQexec(pg, "SELECT tenant_id, address FROM channels WHERE kind = 'sms'"
                             " AND removed_at IS NULL ORDER BY address LIMIT 1000");
    if (PQresultStatus(r) != PGRES_TUPLES_OK || PQntuples(r) == 0)
        die("no channels can be read");
    for (business_count = 0; business_count < PQntuples(r); business_count++) {
        struct business *business = &businesses[business_count];
        snprintf(business->tenant, sizeof business->tenant, "%s", PQgetvalue(r, business_count, 0));
        snprintf(business->number, sizeof business->number, "%s", PQgetvalue(r, business_count, 1));
    }
    PQclear(r);
    PQfinish(pg);
}

/* Processor time so far of the server's process behind a connection, if that runs here. */
static double server_cpu_us(int pid)
{
    char path[48];
    double ns = 0;
    snprintf(path, sizeof path, "/proc/%d/schedstat", pid);
    FILE *file = fopen(path, "r");
    if (file == NULL)
        return 0;
    if (fscanf(file, "%lf", &ns) != 1)
        ns = 0;
    fclose(file);
    return ns / 1e3;
}

/* ---- ours: claim, start and commit as the engine sends them ---- */

struct turn_in_hand {
    const char *tenant;
    struct uuid session, conversation;
    struct turn_commit commit;
};

static struct loop *loop;
static struct pg *pool;
static struct arena *arena; /* of the batch */
static struct turn_in_hand turns[BATCH_MAX];
static struct inbox_event events[BATCH_MAX];
static int claimed_count, started_count, committed_count;

static void must_answer(const struct pg_answer *answer)
{
    if (answer->err != NULL)
        die(answer->err->message);
}

static void submit(const struct pg_unit *unit)
{
    pg_submit(pool, unit);
    loop_run(loop);
}

static int by_identity(const void *a, const void *b)
{
    const struct inbox_event *x = a, *y = b;
    int tenants = strcmp(x->tenant, y->tenant);
    return tenants != 0 ? tenants : strcmp(x->provider_id, y->provider_id);
}

static void make_event(struct inbox_event *event, int customer, int place)
{
    const struct business *business = business_of(customer);
    *event = (struct inbox_event){
        .tenant = business->tenant,
        .channel = "sms",
        .provider_id = made_sid(arena),
        .sender = business->number,
        .address = arena_printf(arena, "+1556%07d", customer),
        .body = "Hello, could I come in next week for a check-up?",
        .event_time_ms = clock_wall_ms(),
        .place = place,
        .traceparent = "",
        .session = made_id(SESSION_KIND, customer),
        .contact = made_id(CONTACT_KIND, customer),
        .message = uuid_new(),
        .address_hash = made_id(ADDRESS_KIND, customer),
        .conversation = uuid_new(),
    };
}

static void on_claimed(void *arg, const struct pg_answer *answer)
{
    (void)arg;
    struct inbox_claimed claimed;
    must_answer(answer);
    for (int row = 0; inbox_read_claim(answer, row, &claimed); row++) {
        if (!claimed.fresh || !claimed.mine)
            die("a text was not claimed");
        turns[row] = (struct turn_in_hand){.tenant = events[claimed.index].tenant,
                                           .session = claimed.session,
                                           .conversation = claimed.conversation};
        claimed_count++;
    }
    loop_stop(loop);
}

static struct turn_commit commit_of(const struct turn_in_hand *turn,
                                    const struct turn_started *started)
{
    struct turn_llm_call *call = arena_alloc(arena, sizeof *call);
    *call = (struct turn_llm_call){.id = uuid_new(),
                                   .provider = "bench",
                                   .model = "bench",
                                   .outcome = "answered",
                                   .error_code = "",
                                   .finish = "stop",
                                   .request_id = "",
                                   .tokens_in = 900,
                                   .tokens_out = 20,
                                   .tokens_cached = -1,
                                   .connect_ms = 1,
                                   .first_token_ms = 300,
                                   .total_ms = 1000,
                                   .cost = 1500,
                                   .started_ms = clock_wall_ms()};
    return (struct turn_commit){.tenant = turn->tenant,
                                .session = turn->session,
                                .conversation = started->conversation,
                                .turn = started->turn,
                                .fence = started->fence,
                                .epoch = started->epoch,
                                .claimed = started->claimed,
                                .events = arena_strdup(arena, started->events),
                                .event_state = "answered",
                                .turn_state = "finished",
                                .outcome = "reply",
                                .body = REPLY,
                                .message = uuid_new(),
                                .delivery = uuid_new(),
                                .answer_within_ms = DAY_MS,
                                .traceparent = "",
                                .calls = call,
                                .call_count = 1};
}

static void on_started(void *arg, const struct pg_answer *answer)
{
    (void)arg;
    struct turn_started started;
    must_answer(answer);
    for (int row = 0; turn_read_started(answer, row, &started); row++) {
        if (started.kind != TURN_START_RUN)
            die("a turn was not started");
        turns[started.index].commit = commit_of(&turns[started.index], &started);
        started_count++;
    }
    loop_stop(loop);
}

static void on_committed(void *arg, const struct pg_answer *answer)
{
    (void)arg;
    struct turn_committed committed;
    must_answer(answer);
    for (int row = 0; turn_read_committed(answer, row, &committed); row++) {
        if (committed.kind != TURN_COMMITTED)
            die("a turn was not committed");
        committed_count++;
    }
    loop_stop(loop);
}

static void claim(const char *worker, int first, int count)
{
    for (int i = 0; i < count; i++)
        make_event(&events[i], first + i, i);
    qsort(events, (size_t)count, sizeof events[0], by_identity);
    struct pg_unit unit = {.deadline_ms = UNIT_MS, .done = on_claimed};
    inbox_add_claim(
        &unit, arena, worker, events, (size_t)count,
        &(struct inbox_timing){
            .burst_ms = 0, .burst_max_ms = 0, .answer_within_ms = DAY_MS, .quiet_ms = 7 * DAY_MS});
    claimed_count = 0;
    submit(&unit);
    if (claimed_count != count)
        die("texts were lost");
}

static void start(const char *worker, int count)
{
    struct turn_start *starts = arena_alloc(arena, (size_t)count * sizeof *starts);
    for (int i = 0; i < count; i++)
        starts[i] = (struct turn_start){.tenant = turns[i].tenant,
                                        .session = turns[i].session,
                                        .conversation = turns[i].conversation,
                                        .turn = uuid_new()};
    struct pg_unit unit = {.deadline_ms = UNIT_MS, .done = on_started};
    turn_add_start(&unit, arena, worker, starts, (size_t)count,
                   &(struct turn_times){30000, 5000, DAY_MS});
    started_count = 0;
    submit(&unit);
    if (started_count != count)
        die("turns were lost");
}

static void commit(const char *worker, int count, void (*done)(void *, const struct pg_answer *))
{
    struct turn_commit *commits = arena_alloc(arena, (size_t)count * sizeof *commits);
    for (int i = 0; i < count; i++)
        commits[i] = turns[i].commit;
    struct pg_unit unit = {.deadline_ms = UNIT_MS, .done = done};
    turn_add_commit(&unit, arena, worker, commits, (size_t)count);
    submit(&unit);
}

static int backend_pid; /* of the pool's one connection */

static void on_backend(void *arg, const struct pg_answer *answer)
{
    (void)arg;
    must_answer(answer);
    backend_pid = (int)pg_int(answer->results, 0, 0, 0);
    loop_stop(loop);
}

static void on_state(void *arg, bool up)
{
    (void)arg;
    if (up)
        loop_stop(loop);
}

static void open_store(const char *url)
{
    loop = loop_new();
    arena = arena_new();
    pool = pg_new(&(struct pg_options){.loop = loop,
                                       .url = url,
                                       .name = "bench-durable",
                                       .connections = 1,
                                       .functions = statements_frequent(),
                                       .on_state = on_state});
    loop_run(loop);
    struct pg_unit unit = {.deadline_ms = UNIT_MS, .done = on_backend};
    pg_add(&unit, "SELECT pg_backend_pid()");
    submit(&unit);
}

static void run_batches(const char *worker, int first, int count, int batch)
{
    committed_count = 0;
    for (int done = 0; done < count; done += batch) {
        int size = count - done < batch ? count - done : batch;
        claim(worker, first + done, size);
        start(worker, size);
        commit(worker, size, on_committed);
        arena_reset(arena);
    }
    if (committed_count != count)
        die("commits were lost");
}

/* store URL WORKER FIRST COUNT BATCH: so many turns share a statement. One batch goes ahead: a new
 * connection plans each function once. */
static int run_store(char **args)
{
    int first = number_of(args[2], 0, 1000000, "customers are 0-1000000");
    int count = count_of(args[3]);
    int batch = number_of(args[4], 1, BATCH_MAX, "a batch is 1-200");
    open_store(args[0]);
    run_batches(args[1], first, batch, batch);
    double cpu = cpu_us(), server = server_cpu_us(backend_pid);
    int64_t begin = now_us();
    run_batches(args[1], first, count, batch);
    report(&(struct measured){.units = count,
                              .cpu_us = cpu_us() - cpu,
                              .seconds = (double)(now_us() - begin) / 1e6,
                              .server_cpu_us = server_cpu_us(backend_pid) - server});
    return 0;
}

/* ---- publish URL WORKER BROKERS PREFIX FIRST COUNT: lone turns, from the commit's answer to the
 * acknowledgement of the record that wakes a responder ---- */

static struct bus_producer *producer;
static const char *prefix;
static int64_t answered_us;

static void on_report(void *arg, const struct err *err)
{
    (void)arg;
    if (err != NULL)
        die(err->message);
    sample(now_us() - answered_us);
    loop_stop(loop);
}

static void publish_committed(void *arg, const struct pg_answer *answer)
{
    (void)arg;
    struct turn_committed committed;
    struct bus_record record;
    struct err err;
    char id[UUID_TEXT_SIZE];
    answered_us = now_us();
    must_answer(answer);
    if (!turn_read_committed(answer, 0, &committed) || committed.kind != TURN_COMMITTED)
        die("a turn was not committed");
    const struct delivery_requested event = {
        .event = {.id = uuid_format(&turns[0].commit.delivery, id),
                  .source = "frontdesk/engine",
                  .subject = "",
                  .time_ms = clock_wall_ms(),
                  .tenant = turns[0].tenant,
                  .traceparent = ""},
        .delivery = turns[0].commit.delivery,
        .session = turns[0].session,
    };
    delivery_requested_encode(arena, prefix, &event, &record);
    if (bus_produce(producer, &record, on_report, NULL, &err) != 0)
        die(err.message);
}

static void on_tick(void *arg)
{
    (void)arg;
    if (bus_producer_ready(producer))
        loop_stop(loop);
}

static void open_producer(const char *brokers)
{
    struct err err;
    const char *topics[] = {topic_name(arena, prefix, TOPIC_OUTBOUND_SMS), NULL};
    struct bus_producer_options options = {.client = {.brokers = brokers,
                                                      .client_id = "bench",
                                                      .security = "",
                                                      .ca_file = "",
                                                      .cert_file = "",
                                                      .key_file = "",
                                                      .sasl_user = "",
                                                      .sasl_password = ""},
                                           .loop = loop,
                                           .topics = topics};
    if (bus_producer_open(&options, &producer, &err) != 0)
        die(err.message);
    struct timer *tick = timer_new(loop, on_tick, NULL);
    timer_start(tick, 20, 20);
    loop_run(loop);
    timer_free(&tick);
}

static int run_publish(char **args)
{
    int first = number_of(args[4], 0, 1000000, "customers are 0-1000000");
    int count = count_of(args[5]);
    prefix = args[3];
    open_store(args[0]);
    open_producer(args[2]);
    arena_reset(arena);
    double cpu = cpu_us();
    for (int i = -20; i < count; i++) { /* the first ones warm up */
        if (i == 0) {
            sample_count = 0;
            cpu = cpu_us();
        }
        claim(args[1], first + (i + count) % count, 1);
        start(args[1], 1);
        commit(args[1], 1, publish_committed);
        arena_reset(arena);
    }
    report(&(struct measured){.units = count, .cpu_us = cpu_us() - cpu});
    return 0;
}

/* ---- plain URL WORKER FIRST COUNT: the same turn as eight statements in one transaction ---- */

static const struct {
    const char *sql;
    int params;
} plain[STATEMENTS] = {
    {"INSERT INTO inbox_events (tenant_id, channel, provider_id, session_id, message_id,"
     " address_hash, content_hash, state, claim_id, event_time) VALUES ($1, 'sms', $2, $3, $4, $5,"
     " '', 'open', $4, clock_timestamp()) ON CONFLICT DO NOTHING",
     5},
    {"UPDATE channel_sessions SET fence = fence + 1, turn_number = turn_number + 1,"
     " delivery_seq = delivery_seq + 1, claimed = claimed + 1 WHERE tenant_id = $1 AND id = $2"
     " RETURNING conversation_id, turn_number, delivery_seq, fence",
     2},
    {"INSERT INTO messages (tenant_id, id, conversation_id, session_id, direction, author, body,"
     " provider_id, event_time) VALUES ($1, $2, $3, $4, 'in', 'contact', $5, $6,"
     " clock_timestamp())",
     6},
    {"SELECT author, body FROM messages WHERE tenant_id = $1 AND conversation_id = $2"
     " ORDER BY position DESC LIMIT 40",
     2},
    {"INSERT INTO turns (tenant_id, id, session_id, conversation_id, number, state, outcome,"
     " worker, fence, epoch, deadline_at, finished_at) VALUES ($1, $2, $3, $4, $5, 'finished',"
     " 'reply', $6, $7, 0, clock_timestamp(), clock_timestamp())",
     7},
    {"INSERT INTO messages (tenant_id, id, conversation_id, session_id, direction, author, body,"
     " turn_id, event_time) VALUES ($1, $2, $3, $4, 'out', 'ai', $5, $6, clock_timestamp())",
     6},
    {"INSERT INTO deliveries (tenant_id, id, conversation_id, session_id, seq, message_id, turn_id,"
     " author, via, epoch, state, answer_by) VALUES ($1, $2, $3, $4, $5, $6, $7, 'ai', 'sms', 0,"
     " 'pending', clock_timestamp() + interval '1 day')",
     7},
    {"UPDATE inbox_events SET state = 'answered', turn_id = $3, settled_at = clock_timestamp()"
     " WHERE tenant_id = $1 AND channel = 'sms' AND provider_id = $2",
     3},
};

static PGresult *run_plain_statement(PGconn *pg, int number, const char *const *params)
{
    const char name[] = {'s', (char)('0' + number), '\0'};
    PGresult *r = PQexecPrepared(pg, name, plain[number].params, params, NULL, NULL, 0);
    ExecStatusType status = PQresultStatus(r);
    if (status != PGRES_COMMAND_OK && status != PGRES_TUPLES_OK)
        die(PQerrorMessage(pg));
    return r;
}

static void run_simple(PGconn *pg, const char *sql)
{
    PGresult *r = PQexec(pg, sql);
    if (PQresultStatus(r) != PGRES_COMMAND_OK)
        die(PQerrorMessage(pg));
    PQclear(r);
}

static const char *fresh_id(void)
{
    struct uuid id = uuid_new();
    return uuid_format(&id, arena_alloc(arena, UUID_TEXT_SIZE));
}

static const char *id_text(struct uuid id)
{
    return uuid_format(&id, arena_alloc(arena, UUID_TEXT_SIZE));
}

static void plain_turn(PGconn *pg, const char *worker, int customer)
{
    const char *tenant = business_of(customer)->tenant, *sid = made_sid(arena);
    const char *session = id_text(made_id(SESSION_KIND, customer));
    const char *in = fresh_id(), *out = fresh_id(), *turn = fresh_id();
    run_simple(pg, "BEGIN");
    PQclear(run_plain_statement(
        pg, 0,
        (const char *[]){tenant, sid, session, in, id_text(made_id(ADDRESS_KIND, customer))}));
    PGresult *row = run_plain_statement(pg, 1, (const char *[]){tenant, session});
    if (PQntuples(row) != 1)
        die("a customer has no session");
    const char *talk = PQgetvalue(row, 0, 0), *number = PQgetvalue(row, 0, 1);
    const char *seq = PQgetvalue(row, 0, 2), *fence = PQgetvalue(row, 0, 3);
    PQclear(run_plain_statement(pg, 2,
                                (const char *[]){tenant, in, talk, session,
                                                 "Hello, could I come in next week for a check-up?",
                                                 sid}));
    PQclear(run_plain_statement(pg, 3, (const char *[]){tenant, talk}));
    PQclear(run_plain_statement(
        pg, 4, (const char *[]){tenant, turn, session, talk, number, worker, fence}));
    PQclear(run_plain_statement(pg, 5, (const char *[]){tenant, out, talk, session, REPLY, turn}));
    PQclear(run_plain_statement(
        pg, 6, (const char *[]){tenant, fresh_id(), talk, session, seq, out, turn}));
    PQclear(run_plain_statement(pg, 7, (const char *[]){tenant, sid, turn}));
    run_simple(pg, "COMMIT");
    PQclear(row);
    arena_reset(arena);
}

static int run_plain(char **args)
{
    int first = number_of(args[2], 0, 1000000, "customers are 0-1000000");
    int count = count_of(args[3]);
    PGconn *pg = PQconnectdb(args[0]);
    arena = arena_new();
    for (int i = 0; i < STATEMENTS; i++) {
        const char name[] = {'s', (char)('0' + i), '\0'};
        PGresult *r = PQprepare(pg, name, plain[i].sql, plain[i].params, NULL);
        if (PQresultStatus(r) != PGRES_COMMAND_OK)
            die(PQerrorMessage(pg));
        PQclear(r);
    }
    double cpu = cpu_us(), server = server_cpu_us(PQbackendPID(pg));
    int64_t begin = now_us();
    for (int i = 0; i < count; i++) {
        int64_t since = now_us();
        plain_turn(pg, args[1], first + i);
        sample(now_us() - since);
    }
    report(&(struct measured){.units = count,
                              .cpu_us = cpu_us() - cpu,
                              .seconds = (double)(now_us() - begin) / 1e6,
                              .server_cpu_us = server_cpu_us(PQbackendPID(pg)) - server});
    arena_free(&arena);
    PQfinish(pg);
    return 0;
}

int main(int argc, char **argv)
{
    static const struct {
        const char *name;
        int arguments;
        int (*run)(char **args);
    } modes[] = {{"store", 5, run_store}, {"publish", 6, run_publish}, {"plain", 4, run_plain}};
    for (size_t i = 0; argc > 1 && i < sizeof modes / sizeof modes[0]; i++)
        if (strcmp(argv[1], modes[i].name) == 0 && argc == modes[i].arguments + 2) {
            read_businesses(argv[2]);
            return modes[i].run(argv + 2);
        }
    die("store URL WORKER FIRST N BATCH | publish URL WORKER BROKERS PREFIX FIRST N"
        " | plain URL WORKER FIRST N");
}
