/* Unit tests of the pool when things go wrong: killed backends, a stopped server, deadlines, a full
 * queue, freeing with work under way. */
#include "unit/common/pg/rig.h"

static int ups, downs;
static void on_state(void *arg, bool up)
{
    (void)arg;
    if (up)
        ups++;
    else
        downs++;
    CU_ASSERT_EQUAL(pg_is_up(rig_pg), up);
}

static void open_pool(int connections, size_t queue_max)
{
    struct pg_options options = {.url = rig_server.url,
                                 .name = "unit-test",
                                 .connections = connections,
                                 .queue_max = queue_max,
                                 .on_state = on_state};
    rig_open();
    ups = downs = 0;
    options.loop = rig_loop;
    rig_pg = pg_new(&options);
    CU_ASSERT_FALSE(pg_is_up(rig_pg));
    CU_ASSERT_TRUE(rig_until(rig_is_up));
    CU_ASSERT_EQUAL(ups, 1);
}

static void assert_failed(const struct outcome *out, const char *code)
{
    CU_ASSERT_TRUE(out->done && out->failed);
    CU_ASSERT_STRING_EQUAL(out->err.code, code);
    CU_ASSERT_EQUAL(out->err.class, ERR_RETRY_LATER);
    if (strcmp(out->err.code, code) != 0)
        printf("\n    wanted %s, got %s: %s\n", code, out->err.code, out->err.message);
}

static void assert_answers(const char *sql, const char *text)
{
    struct outcome out;
    rig_sql(&out, sql, NULL, NULL);
    rig_run();
    if (out.failed)
        printf("\n    %s: %s\n", out.err.code, out.err.message);
    CU_ASSERT_FALSE(out.failed);
    CU_ASSERT_STRING_EQUAL(out.text, text);
}

/* Asked on a connection of its own: one of the pool may be the sleeping one. */
static bool sleeping(void)
{
    struct pg_session *session = NULL;
    struct pg_result *result = NULL;
    struct pg_statement s = {.sql = "select 1 from pg_stat_activity where wait_event = 'PgSleep'"};
    CU_ASSERT_EQUAL_FATAL(pg_session_open(rig_server.url, "test", &session, NULL), 0);
    CU_ASSERT_EQUAL_FATAL(pg_session_query(session, &s, &result, NULL), 0);
    bool found = pg_rows(result, 0) > 0;
    pg_result_free(&result);
    pg_session_close(&session);
    return found;
}

static void test_killed_backend(void)
{
    struct outcome first, behind, after;
    open_pool(2, 0);
    CU_ASSERT_TRUE(test_server_sql(&rig_server, "create table kept(n int)"));
    rig_sql(&first, "insert into kept values (1)", "select pg_sleep(20)", NULL);
    CU_ASSERT_TRUE(rig_until(sleeping));
    CU_ASSERT_TRUE(test_server_sql(&rig_server,
                                   "select pg_terminate_backend(pid) from pg_stat_activity where"
                                   " application_name = 'unit-test'"));
    rig_run();
    assert_failed(&first, "pg.lost");
    rig_sql(&behind, "select 1", NULL, NULL);
    rig_sql(&after, "select count(*) from kept", NULL, NULL);
    rig_run();
    if (behind.failed) /* went to the other connection just before that one was found dead */
        assert_failed(&behind, "pg.lost");
    assert_answers("select count(*) from kept", "0");
    rig_close();
}

/* Only what was in flight on the dead connection is lost, all that waited is not. */
static void test_dead_connection_loses_one_unit(void)
{
    struct outcome outs[12];
    open_pool(1, 0);
    rig_sql(&outs[0], "select pg_terminate_backend(pg_backend_pid())", NULL, NULL);
    for (int i = 1; i < 12; i++)
        rig_sql(&outs[i], "select 'alive'", NULL, NULL);
    rig_run();
    assert_failed(&outs[0], "pg.lost");
    for (int i = 1; i < 12; i++) {
        CU_ASSERT_FALSE(outs[i].failed);
        CU_ASSERT_STRING_EQUAL(outs[i].text, "alive");
    }
    CU_ASSERT_EQUAL(downs, 1);
    CU_ASSERT_EQUAL(ups, 2);
    rig_close();
}

static bool is_down(void)
{
    return !pg_is_up(rig_pg);
}

static void stop_and_start(int signal_number)
{
    struct outcome waits, expires;
    open_pool(3, 0);
    CU_ASSERT_TRUE(test_server_halt(&rig_server, signal_number));
    CU_ASSERT_TRUE(rig_until(is_down));
    CU_ASSERT_EQUAL(downs, 1);
    struct pg_unit unit = {.deadline_ms = 30000};
    pg_add(&unit, "select 'patient'");
    rig_submit(&unit, &waits);
    struct pg_unit hasty = {.deadline_ms = 100};
    pg_add(&hasty, "select 'hasty'");
    int64_t start = clock_mono_ms();
    rig_submit(&hasty, &expires);
    while (!expires.done)
        loop_pass(rig_loop);
    CU_ASSERT_TRUE(clock_mono_ms() - start >= 99);
    CU_ASSERT_TRUE(clock_mono_ms() - start < 5000);
    assert_failed(&expires, "pg.down");
    CU_ASSERT_FALSE(waits.done);
    CU_ASSERT_TRUE_FATAL(test_server_launch(&rig_server));
    rig_run();
    CU_ASSERT_FALSE(waits.failed);
    CU_ASSERT_STRING_EQUAL(waits.text, "patient");
    CU_ASSERT_TRUE(pg_is_up(rig_pg));
    CU_ASSERT_EQUAL(ups, 2);
    rig_close();
}

static void test_server_stops_and_starts(void)
{
    stop_and_start(SIGINT);
}

static void test_server_crashes(void)
{
    stop_and_start(SIGQUIT);
}

static void test_deadline_in_flight_and_queued(void)
{
    struct outcome slow, behind, queued, patient;
    open_pool(1, 0);
    struct pg_unit unit = {.deadline_ms = 1200};
    pg_add(&unit, "select pg_sleep(20)");
    struct pg_unit quick = {.deadline_ms = 15000};
    pg_add(&quick, "select 'quick'");
    struct pg_unit hasty = {.deadline_ms = 100};
    pg_add(&hasty, "select 'hasty'");
    rig_submit(&unit, &slow);
    rig_submit(&quick, &behind);
    rig_submit(&hasty, &queued);
    rig_submit(&quick, &patient);
    rig_run();
    assert_failed(&queued, "pg.deadline");
    CU_ASSERT_EQUAL(queued.order, 1);
    assert_failed(&slow, "pg.lost");
    CU_ASSERT_PTR_NOT_NULL(strstr(slow.err.message, "deadline"));
    CU_ASSERT_FALSE(behind.failed || patient.failed);
    CU_ASSERT_STRING_EQUAL(behind.text, "quick");
    CU_ASSERT_STRING_EQUAL(patient.text, "quick");
    rig_close();
}

static void test_full_queue(void)
{
    struct outcome outs[6];
    open_pool(1, 3);
    rig_sql(&outs[0], "select pg_sleep(0.1)", NULL, NULL);
    for (int i = 1; i < 6; i++)
        rig_sql(&outs[i], "select 'x'", NULL, NULL);
    rig_run();
    for (int i = 0; i < 4; i++)
        CU_ASSERT_FALSE(outs[i].failed);
    assert_failed(&outs[4], "pg.full");
    assert_failed(&outs[5], "pg.full");
    rig_close();
}

static void test_read_only_server_drops_the_connection(void)
{
    struct outcome before, refused, after;
    open_pool(1, 0);
    CU_ASSERT_TRUE(test_server_sql(&rig_server, "create table ro(n int)"));
    rig_sql(&before, "select pg_backend_pid()", NULL, NULL);
    rig_run();
    rig_sql(&refused, "set local transaction_read_only = on", "insert into ro values (1)", NULL);
    rig_run();
    assert_failed(&refused, "pg.25006");
    rig_sql(&after, "select pg_backend_pid()", NULL, NULL);
    rig_run();
    CU_ASSERT_FALSE(after.failed);
    CU_ASSERT_STRING_NOT_EQUAL(before.text, after.text);
    rig_close();
}

static void test_free_with_work_under_way(void)
{
    struct outcome outs[5];
    open_pool(1, 0);
    for (int i = 0; i < 5; i++)
        rig_sql(&outs[i], "select pg_sleep(20)", NULL, NULL);
    rig_waiting = 100; /* the callbacks run inside pg_free: nothing to stop */
    pg_free(&rig_pg);
    CU_ASSERT_PTR_NULL(rig_pg);
    for (int i = 0; i < 5; i++) {
        assert_failed(&outs[i], "pg.closed");
        CU_ASSERT_EQUAL(outs[i].order, i + 1);
    }
    pg_free(&rig_pg);
    rig_close();
}

static int free_calls;
static void free_inside(void *arg, const struct pg_answer *answer)
{
    (void)arg;
    free_calls++;
    if (free_calls == 1) {
        CU_ASSERT_PTR_NULL(answer->err);
        CU_ASSERT_STRING_EQUAL(pg_text(answer->results, 0, 0, 0), "x");
        pg_free(&rig_pg);
        CU_ASSERT_EQUAL(free_calls, 6); /* all others were told before it returned */
        CU_ASSERT_STRING_EQUAL(pg_text(answer->results, 0, 0, 0), "x");
        loop_stop(rig_loop);
    } else {
        CU_ASSERT_STRING_EQUAL(answer->err->code, "pg.closed");
    }
}

static void test_free_inside_a_callback(void)
{
    open_pool(1, 0);
    free_calls = 0;
    for (int i = 0; i < 6; i++) {
        struct pg_unit unit = {.done = free_inside};
        pg_add(&unit, "select 'x'");
        pg_submit(rig_pg, &unit);
    }
    timer_start(rig_guard, RIG_WAIT_MS, 0);
    loop_run(rig_loop);
    CU_ASSERT_FALSE(rig_timed_out);
    CU_ASSERT_EQUAL(free_calls, 6);
    rig_close();
}

/* Frees when a lost unit is told: those that waited are still told once. */
static void free_when_lost(void *arg, const struct pg_answer *answer)
{
    (void)arg;
    free_calls++;
    CU_ASSERT_STRING_EQUAL(answer->err->code, free_calls == 1 ? "pg.lost" : "pg.closed");
    if (free_calls == 1) {
        pg_free(&rig_pg);
        CU_ASSERT_EQUAL(free_calls, 3);
        loop_stop(rig_loop);
    }
}

static void test_free_inside_a_loss(void)
{
    open_pool(1, 0);
    free_calls = 0;
    for (int i = 0; i < 3; i++) {
        struct pg_unit unit = {.done = free_when_lost};
        pg_add(&unit, "select pg_terminate_backend(pg_backend_pid())");
        pg_submit(rig_pg, &unit);
    }
    timer_start(rig_guard, RIG_WAIT_MS, 0);
    loop_run(rig_loop);
    CU_ASSERT_FALSE(rig_timed_out);
    CU_ASSERT_EQUAL(free_calls, 3);
    rig_close();
}

static int chain_left;
static void chain(void *arg, const struct pg_answer *answer)
{
    (void)arg;
    CU_ASSERT_PTR_NULL(answer->err);
    if (--chain_left == 0) {
        loop_stop(rig_loop);
        return;
    }
    struct pg_unit unit = {.done = chain};
    pg_add(&unit, "select 1");
    pg_submit(rig_pg, &unit);
}

static void test_submit_inside_a_callback(void)
{
    open_pool(2, 0);
    chain_left = 500;
    struct pg_unit unit = {.done = chain};
    pg_add(&unit, "select 1");
    int64_t start = clock_mono_us();
    pg_submit(rig_pg, &unit);
    timer_start(rig_guard, RIG_WAIT_MS, 0);
    loop_run(rig_loop);
    printf("(%lld us a round trip) ", (long long)(clock_mono_us() - start) / 500);
    CU_ASSERT_FALSE(rig_timed_out);
    CU_ASSERT_EQUAL(chain_left, 0);
    rig_close();
}

/* Backends die all the time while 3,000 units run: each ends exactly once, none hangs, and what was
 * reported as committed is there. */
static void test_constant_kills(void)
{
    enum { COUNT = 3000 };
    struct outcome *outs = calloc(COUNT, sizeof *outs);
    char(*numbers)[12] = calloc(COUNT, sizeof *numbers);
    open_pool(3, 0);
    CU_ASSERT_TRUE(test_server_sql(&rig_server, "create table many(n int primary key)"));
    for (int i = 0; i < COUNT; i++) {
        struct pg_unit unit = {.deadline_ms = 60000};
        snprintf(numbers[i], sizeof numbers[i], "%d", i);
        pg_param(pg_add(&unit, "insert into many values ($1::int)"), numbers[i]);
        if (i % 100 == 50)
            pg_add(&unit, "select pg_terminate_backend(pg_backend_pid())");
        rig_submit(&unit, &outs[i]);
    }
    rig_run();
    struct pg_session *session = NULL;
    CU_ASSERT_EQUAL_FATAL(pg_session_open(rig_server.url, "test", &session, NULL), 0);
    int lost = 0, wrong = 0;
    for (int i = 0; i < COUNT; i++) {
        struct pg_statement s = {.sql = "select count(*) from many where n = $1::int"};
        struct pg_result *result = NULL;
        pg_param(&s, numbers[i]);
        CU_ASSERT_EQUAL_FATAL(pg_session_query(session, &s, &result, NULL), 0);
        int64_t there = pg_int(result, 0, 0, 0);
        pg_result_free(&result);
        lost += outs[i].failed;
        wrong += !outs[i].failed && there != 1;
        wrong += outs[i].failed && strcmp(outs[i].err.code, "pg.lost") != 0;
        wrong += i % 100 == 50 && (!outs[i].failed || there != 0);
    }
    pg_session_close(&session);
    CU_ASSERT_EQUAL(wrong, 0);
    CU_ASSERT_TRUE(lost >= COUNT / 100 && lost < COUNT / 2);
    rig_close();
    free(outs);
    free(numbers);
}

int main(void)
{
    CU_initialize_registry();
    CU_pSuite suite = CU_add_suite("pg: losses", rig_start_server, rig_end_server);
    CU_add_test(suite, "killed backend", test_killed_backend);
    CU_add_test(suite, "a dead connection loses one unit", test_dead_connection_loses_one_unit);
    CU_add_test(suite, "server stops and starts", test_server_stops_and_starts);
    CU_add_test(suite, "server crashes", test_server_crashes);
    CU_add_test(suite, "deadlines", test_deadline_in_flight_and_queued);
    CU_add_test(suite, "full queue", test_full_queue);
    CU_add_test(suite, "read-only server", test_read_only_server_drops_the_connection);
    CU_add_test(suite, "free with work under way", test_free_with_work_under_way);
    CU_add_test(suite, "free inside a callback", test_free_inside_a_callback);
    CU_add_test(suite, "free inside a loss", test_free_inside_a_loss);
    CU_add_test(suite, "submit inside a callback", test_submit_inside_a_callback);
    CU_add_test(suite, "constant kills", test_constant_kills);
    CU_basic_set_mode(CU_BRM_VERBOSE);
    CU_basic_run_tests();
    unsigned failures = CU_get_number_of_failures();
    CU_cleanup_registry();
    return failures != 0 ? 1 : 0;
}
