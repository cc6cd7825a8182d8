/* Unit tests of results that are told before their unit is committed, against a real PostgreSQL. A
 * deferred trigger makes the commit slow, or lets it fail. */
#include "unit/common/pg/rig.h"

static struct {
    int calls;
    bool done_before;
    char text[64]; /* of the last statement */
    int64_t seen;  /* rows that somebody else sees then */
} early;

static int64_t rows_seen_outside(void)
{
    struct pg_session *session = NULL;
    struct pg_result *result = NULL;
    struct err err;
    const struct pg_statement count = {.sql = "select count(*) from slow"};
    CU_ASSERT_EQUAL_FATAL(pg_session_open(rig_server.url, "outside", &session, &err), 0);
    CU_ASSERT_EQUAL_FATAL(pg_session_query(session, &count, &result, &err), 0);
    const int64_t rows = pg_int(result, 0, 0, 0);
    pg_result_free(&result);
    pg_session_close(&session);
    return rows;
}

static void on_early(void *arg, const struct pg_answer *answer)
{
    const struct outcome *out = arg;
    early.calls++;
    early.done_before = out->done;
    CU_ASSERT_PTR_NULL(answer->err);
    snprintf(early.text, sizeof early.text, "%s",
             pg_text(answer->results, answer->count - 1, 0, 0));
    early.seen = rows_seen_outside();
}

static void submit(struct outcome *out, const char *first, const char *second)
{
    struct pg_unit unit = {.early = on_early};
    memset(&early, 0, sizeof early);
    pg_add(&unit, first);
    pg_add(&unit, second);
    rig_submit(&unit, out);
    rig_run();
}

/* Guard: the flush request in pg_conn_send. */
static void test_told_before_a_slow_commit(void)
{
    struct outcome out;
    submit(&out, "insert into slow values (1)", "select 'rows'");
    CU_ASSERT_TRUE(out.done);
    CU_ASSERT_FALSE(out.failed);
    CU_ASSERT_STRING_EQUAL(out.text, "rows");
    CU_ASSERT_EQUAL(early.calls, 1);
    CU_ASSERT_FALSE(early.done_before);
    CU_ASSERT_STRING_EQUAL(early.text, "rows");
    CU_ASSERT_EQUAL(early.seen, 0);
    CU_ASSERT_EQUAL(rows_seen_outside(), 1);
}

static void test_the_commit_may_fail_behind_it(void)
{
    struct outcome out;
    submit(&out, "insert into slow values (1)", "select 'rows'");
    CU_ASSERT_TRUE(out.failed);
    CU_ASSERT_STRING_EQUAL(out.err.code, "pg.23505");
    CU_ASSERT_EQUAL(early.calls, 1);
    CU_ASSERT_EQUAL(rows_seen_outside(), 1);
}

static void test_not_told_where_a_statement_fails(void)
{
    struct outcome out;
    submit(&out, "insert into slow values (2)", "select 1 / 0");
    CU_ASSERT_TRUE(out.failed);
    CU_ASSERT_EQUAL(early.calls, 0);
    submit(&out, "select 1 / 0", "select 'rows'");
    CU_ASSERT_TRUE(out.failed);
    CU_ASSERT_EQUAL(early.calls, 0);
    CU_ASSERT_EQUAL(rows_seen_outside(), 1);
}

/* A pool that goes from inside: the unit still ends once. */
static void free_pool(void *arg, const struct pg_answer *answer)
{
    (void)arg, (void)answer;
    early.calls++;
    pg_free(&rig_pg);
}

static void test_pool_freed_inside(void)
{
    struct outcome out;
    struct pg_unit unit = {.early = free_pool};
    memset(&early, 0, sizeof early);
    pg_add(&unit, "select 'rows'");
    rig_submit(&unit, &out);
    rig_run();
    CU_ASSERT_EQUAL(early.calls, 1);
    CU_ASSERT_TRUE(out.failed);
    CU_ASSERT_STRING_EQUAL(out.err.code, "pg.closed");
    rig_pool(rig_server.url, 1, 0);
}

static int open_all(void)
{
    if (rig_start_server() != 0 ||
        !test_server_sql(&rig_server,
                         "create table slow(n int unique deferrable initially deferred);"
                         "create function slowly() returns trigger language plpgsql as"
                         " 'begin perform pg_sleep(0.5); return null; end';"
                         "create constraint trigger slowly after insert on slow"
                         " deferrable initially deferred for each row execute function slowly()"))
        return 1;
    rig_open();
    rig_pool(rig_server.url, 1, 0);
    return 0;
}

static int close_all(void)
{
    rig_close();
    return rig_end_server();
}

int main(void)
{
    CU_initialize_registry();
    CU_pSuite suite = CU_add_suite("early", open_all, close_all);
    CU_add_test(suite, "told before a slow commit", test_told_before_a_slow_commit);
    CU_add_test(suite, "the commit may fail", test_the_commit_may_fail_behind_it);
    CU_add_test(suite, "not told of failures", test_not_told_where_a_statement_fails);
    CU_add_test(suite, "pool freed inside", test_pool_freed_inside);
    CU_basic_set_mode(CU_BRM_VERBOSE);
    CU_basic_run_tests();
    unsigned failures = CU_get_number_of_failures();
    CU_cleanup_registry();
    return failures != 0 ? 1 : 0;
}
