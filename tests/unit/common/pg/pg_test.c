/* Unit tests of the pool against a real PostgreSQL: transactions, isolation of errors, order,
 * arrays, the snapshot rule that the protocol stands on. */
#include "unit/common/pg/rig.h"

static void open_pool(void)
{
    rig_open();
    rig_pool(rig_server.url, 2, 0);
}

static void test_values_and_types(void)
{
    struct pg_unit unit = {.count = 0};
    struct outcome out;
    open_pool();
    struct pg_statement *s = pg_add(&unit, "select $1::text || coalesce($2::text, '-null-')");
    pg_param(s, "it's \"x\" \\ \xc3\xa9");
    pg_param(s, NULL);
    rig_submit(&unit, &out);
    rig_run();
    rig_assert_ok(&out, "it's \"x\" \\ \xc3\xa9-null-");
    CU_ASSERT_STRING_EQUAL(rig_value("select current_setting('application_name')"), "unit-test");
    CU_ASSERT_STRING_EQUAL(rig_value("select current_setting('client_encoding')"), "UTF8");
    rig_close();
}

static int types_seen;
static void on_types(void *arg, const struct pg_answer *answer)
{
    (void)arg;
    CU_ASSERT_PTR_NULL_FATAL(answer->err);
    CU_ASSERT_EQUAL_FATAL(answer->count, 3);
    const struct pg_result *r = answer->results;
    static const char id[] = "0192f0c1-2345-7abc-8def-0123456789ab";
    char text[UUID_TEXT_SIZE];
    CU_ASSERT_EQUAL(pg_rows(r, 0), 2);
    CU_ASSERT_EQUAL(pg_int(r, 0, 0, 0), -9000000000000000001);
    CU_ASSERT_EQUAL(pg_int(r, 0, 1, 0), 0);
    CU_ASSERT_TRUE(pg_is_null(r, 0, 1, 0));
    CU_ASSERT_FALSE(pg_is_null(r, 0, 0, 0));
    CU_ASSERT_TRUE(pg_bool(r, 0, 0, 1));
    CU_ASSERT_FALSE(pg_bool(r, 0, 1, 1));
    struct uuid uuid = pg_uuid(r, 0, 0, 2);
    CU_ASSERT_STRING_EQUAL(uuid_format(&uuid, text), id);
    uuid = pg_uuid(r, 0, 1, 2);
    CU_ASSERT_TRUE(uuid_is_nil(&uuid));
    uuid = pg_uuid(r, 0, 0, 3);
    CU_ASSERT_TRUE(uuid_is_nil(&uuid)); /* not an id */
    CU_ASSERT_STRING_EQUAL(pg_text(r, 0, 1, 0), "");
    CU_ASSERT_EQUAL(pg_rows(r, 1), 0);
    CU_ASSERT_EQUAL(pg_affected(r, 1), 0);
    CU_ASSERT_EQUAL(pg_affected(r, 2), 3);
    CU_ASSERT_EQUAL(pg_columns(r, 0), 4);
    types_seen++;
    rig_count_down();
}

static void test_reading(void)
{
    struct pg_unit unit = {.done = on_types};
    open_pool();
    pg_add(&unit, "select * from (values (-9000000000000000001, true,"
                  " '0192F0C1-2345-7ABC-8DEF-0123456789AB'::uuid, 'x'::text),"
                  " (null, false, null, 'y')) v(n, b, id, word)");
    pg_add(&unit, "create temp table three(n int)");
    pg_add(&unit, "insert into three select generate_series(1, 3)");
    rig_waiting++;
    pg_submit(rig_pg, &unit);
    rig_run();
    CU_ASSERT_EQUAL(types_seen, 1);
    rig_close();
}

static void test_unit_is_one_transaction(void)
{
    struct outcome out;
    open_pool();
    CU_ASSERT_TRUE(test_server_sql(&rig_server, "create table t1(n int primary key)"));
    rig_sql(&out, "insert into t1 values (1)", "insert into t1 values (2)",
            "select count(*) from t1");
    rig_run();
    rig_assert_ok(&out, "2");
    rig_sql(&out, "insert into t1 values (3)", "insert into t1 values (1)",
            "insert into t1 values (4)");
    rig_run();
    rig_assert_failed(&out, ERR_PERMANENT, "pg.23505");
    CU_ASSERT_PTR_NOT_NULL(strstr(out.err.message, "statement 2"));
    CU_ASSERT_PTR_NOT_NULL(strstr(out.err.message, "t1_pkey"));
    CU_ASSERT_STRING_EQUAL(rig_value("select count(*) from t1"), "2");
    rig_close();
}

static void test_error_at_commit(void)
{
    struct outcome out, after;
    open_pool();
    CU_ASSERT_TRUE(test_server_sql(&rig_server,
                                   "create table t2(n int unique deferrable initially deferred)"));
    rig_sql(&out, "insert into t2 values (1)", "insert into t2 values (1)", NULL);
    rig_sql(&after, "insert into t2 values (5) returning n", NULL, NULL);
    rig_run();
    rig_assert_failed(&out, ERR_PERMANENT, "pg.23505");
    rig_assert_ok(&after, "5");
    CU_ASSERT_STRING_EQUAL(rig_value("select count(*) from t2"), "1");
    rig_close();
}

/* One connection, many units, every third fails: the others do not notice. */
static void test_errors_stay_in_their_unit(void)
{
    static struct outcome outs[60];
    char sql[60][64];
    rig_open();
    rig_pool(rig_server.url, 1, 0);
    for (int i = 0; i < 60; i++) {
        snprintf(sql[i], sizeof sql[i], i % 3 == 1 ? "select %d / 0" : "select %d", i);
        rig_sql(&outs[i], "select 'first'", sql[i], i % 3 == 2 ? sql[i] : NULL);
    }
    rig_run();
    for (int i = 0; i < 60; i++) {
        char text[16];
        snprintf(text, sizeof text, "%d", i);
        if (i % 3 == 1)
            rig_assert_failed(&outs[i], ERR_PERMANENT, "pg.22012");
        else
            rig_assert_ok(&outs[i], text);
        CU_ASSERT_EQUAL(outs[i].order, i + 1); /* one connection answers in order */
    }
    rig_close();
}

static void test_thousands_of_units(void)
{
    enum { COUNT = 3000 };
    struct outcome *outs = calloc(COUNT, sizeof *outs);
    char(*numbers)[12] = calloc(COUNT, sizeof *numbers);
    rig_open();
    rig_pool(rig_server.url, 4, 0);
    CU_ASSERT_TRUE(test_server_sql(&rig_server, "create table t3(n int primary key)"));
    int64_t start = clock_mono_ms();
    for (int i = 0; i < COUNT; i++) {
        struct pg_unit unit = {.deadline_ms = 60000};
        snprintf(numbers[i], sizeof numbers[i], "%d", i);
        pg_param(pg_add(&unit, "insert into t3 values ($1::int)"), numbers[i]);
        pg_param(pg_add(&unit, "select n from t3 where n = $1::int"), numbers[i]);
        rig_submit(&unit, &outs[i]);
    }
    rig_run();
    printf("(%lld ms) ", (long long)(clock_mono_ms() - start));
    int good = 0;
    for (int i = 0; i < COUNT; i++)
        good += !outs[i].failed && strcmp(outs[i].text, numbers[i]) == 0;
    CU_ASSERT_EQUAL(good, COUNT);
    CU_ASSERT_STRING_EQUAL(rig_value("select count(*) from t3"), "3000");
    rig_close();
    free(outs);
    free(numbers);
}

/* Larger than the socket buffers both ways, so that writes block and must be finished later. */
static void test_large_parameters_and_rows(void)
{
    /* Far beyond the socket's buffers; libpq moves its whole unsent buffer after every partial
     * send, so more would only measure that. */
    enum { SIZE = 1 << 20, COUNT = 6 };
    struct outcome outs[COUNT];
    char *big = malloc(SIZE + 1);
    memset(big, 'x', SIZE);
    big[SIZE] = '\0';
    rig_open();
    rig_pool(rig_server.url, 1, 0);
    for (int i = 0; i < COUNT; i++) {
        struct pg_unit unit = {.count = 0};
        pg_param(pg_add(&unit, "select $1::text"), big);
        pg_param(pg_add(&unit, "select length($1::text)"), big);
        rig_submit(&unit, &outs[i]);
    }
    rig_run();
    for (int i = 0; i < COUNT; i++)
        rig_assert_ok(&outs[i], "1048576");
    rig_close();
    free(big);
}

static const char *const hostile[] = {
    "plain",
    "",
    "NULL",
    "null",
    "a,b",
    "{}",
    "{\"x\"}",
    "\"",
    "\\",
    "\\\"",
    "a\\b\"c",
    " lead",
    "trail ",
    "'; drop table t1; --",
    "new\nline\ttab",
    "\xc3\xa9\xf0\x9f\x98\x80",
    "$1",
    "%s",
};
#define HOSTILE (sizeof hostile / sizeof hostile[0])

static int array_checked;
static void on_array(void *arg, const struct pg_answer *answer)
{
    struct arena *arena = arg;
    const char **items = NULL;
    size_t count = 0;
    struct err err;
    CU_ASSERT_PTR_NULL_FATAL(answer->err);
    CU_ASSERT_EQUAL_FATAL(pg_rows(answer->results, 0), (int)HOSTILE + 1);
    for (size_t i = 0; i < HOSTILE; i++)
        CU_ASSERT_STRING_EQUAL(pg_text(answer->results, 0, (int)i, 0), hostile[i]);
    CU_ASSERT_TRUE(pg_is_null(answer->results, 0, HOSTILE, 0));
    CU_ASSERT_EQUAL_FATAL(
        pg_array_decode(arena, pg_text(answer->results, 1, 0, 0), &items, &count, &err), 0);
    CU_ASSERT_EQUAL_FATAL(count, HOSTILE + 1);
    for (size_t i = 0; i < HOSTILE; i++)
        CU_ASSERT_STRING_EQUAL(items[i], hostile[i]);
    CU_ASSERT_PTR_NULL(items[HOSTILE]);
    CU_ASSERT_STRING_EQUAL(pg_text(answer->results, 2, 0, 0),
                           "-5 t 0192f0c1-2345-7abc-8def-0123456789ab 0");
    array_checked++;
    rig_count_down();
}

static void test_arrays_round_trip(void)
{
    struct arena *arena = arena_new();
    struct pg_array array;
    struct uuid id;
    struct pg_unit unit = {.done = on_array, .arg = arena};
    open_pool();
    pg_array_init(&array);
    for (size_t i = 0; i < HOSTILE; i++)
        pg_array_add(&array, hostile[i]);
    pg_array_add(&array, NULL);
    const char *texts = pg_array_take(&array, arena);
    pg_param(pg_add(&unit, "select x from unnest($1::text[]) with ordinality u(x, i) order by i"),
             texts);
    pg_param(pg_add(&unit, "select $1::text[]"), texts);
    struct pg_statement *s =
        pg_add(&unit, "select concat_ws(' ', ($1::bigint[])[1], ($2::bool[])[1], ($3::uuid[])[1],"
                      " cardinality($4::text[]))");
    pg_array_add_int(&array, -5);
    pg_param(s, pg_array_take(&array, arena));
    pg_array_add_bool(&array, true);
    pg_array_add_bool(&array, false);
    pg_param(s, pg_array_take(&array, arena));
    uuid_parse("0192f0c1-2345-7abc-8def-0123456789ab", &id);
    pg_array_add_uuid(&array, &id);
    pg_param(s, pg_array_take(&array, arena));
    pg_param(s, pg_array_take(&array, arena)); /* empty */
    rig_waiting++;
    pg_submit(rig_pg, &unit);
    rig_run();
    CU_ASSERT_EQUAL(array_checked, 1);
    pg_array_fini(&array);
    arena_free(&arena);
    rig_close();
}

/* Scripts that wait for a state of the server instead of a time; 8 s at most. */
static const char until_two_wait[] =
    "do $$ begin for i in 1..800 loop"
    " exit when (select count(*) from pg_locks where not granted) >= 2;"
    " perform pg_sleep(0.01); end loop; end $$";
static const char until_two_hold[] =
    "do $$ begin for i in 1..800 loop"
    " exit when (select count(*) from pg_locks where granted and locktype = 'advisory') >= 2;"
    " perform pg_sleep(0.01); end loop; end $$";

/* The protocol's race V1: a commit must not read with a snapshot older than the lock it waited
 * for. In one statement it does; as lock, then read in the same unit, it does not. */
static void test_lock_then_read_sees_what_it_waited_for(void)
{
    struct outcome holder, one, two, late;
    rig_open();
    rig_pool(rig_server.url, 4, 0);
    CU_ASSERT_TRUE(test_server_sql(&rig_server, "create table ses(id int primary key, due int);"
                                                "create table inbox(id int primary key);"
                                                "insert into ses values (1, 1), (2, 1)"));
    /* The holder has both rows, inserts, and commits while the others wait for the lock. */
    rig_sql(&holder, "select id from ses order by id for update", "insert into inbox values (7)",
            until_two_wait);
    struct outcome ready;
    do { /* until the holder has its locks and has begun to insert */
        rig_sql(&ready,
                "select count(*) from pg_locks where mode = 'RowExclusiveLock' and granted"
                " and relation = 'inbox'::regclass",
                NULL, NULL);
        while (!ready.done)
            loop_pass(rig_loop);
        rig_assert_ok(&ready, NULL);
    } while (strcmp(ready.text, "0") == 0 && !holder.done);
    CU_ASSERT_FALSE(holder.done);
    rig_sql(&one,
            "with s as (select id from ses where id = 1 for share)"
            " select count(*) from inbox, s",
            NULL, NULL);
    rig_sql(&two, "select id from ses where id = 2 for share", "select count(*) from inbox", NULL);
    rig_run();
    rig_assert_ok(&holder, NULL);
    rig_assert_ok(&one, "0"); /* the stale snapshot that the protocol forbids */
    rig_assert_ok(&two, "1");
    rig_sql(&late, "select count(*) from inbox", NULL, NULL);
    rig_run();
    rig_assert_ok(&late, "1");
    rig_close();
}

static void test_classes_from_the_server(void)
{
    static const struct {
        const char *sql, *code;
        enum err_class class;
    } cases[] = {
        {"select from nowhere", "pg.42P01", ERR_RETRY_LATER},
        {"selec", "pg.42601", ERR_RETRY_LATER},
        {"select 'x'::int", "pg.22P02", ERR_PERMANENT},
        {"select pg_sleep(9)", "pg.57014", ERR_RETRY_LATER},
        {"do $$ begin raise exception using errcode = '40001'; end $$", "pg.40001", ERR_RETRY_NOW},
        {"do $$ begin raise exception using errcode = '40P01'; end $$", "pg.40P01", ERR_RETRY_NOW},
        {"do $$ begin raise exception using errcode = '55P03'; end $$", "pg.55P03", ERR_RETRY_NOW},
        {"do $$ begin raise exception using errcode = '53200'; end $$", "pg.53200",
         ERR_RETRY_LATER},
        {"do $$ begin raise exception using errcode = '57P03'; end $$", "pg.57P03",
         ERR_RETRY_LATER},
        {"do $$ begin raise exception using errcode = '08006'; end $$", "pg.08006",
         ERR_RETRY_LATER},
        {"do $$ begin raise exception using errcode = 'P0001'; end $$", "pg.P0001", ERR_BUG},
        {"do $$ begin raise exception using errcode = '23514'; end $$", "pg.23514", ERR_PERMANENT},
        {"do $$ begin raise exception using errcode = 'XX000'; end $$", "pg.XX000",
         ERR_RETRY_LATER},
    };
    open_pool();
    for (size_t i = 0; i < sizeof cases / sizeof cases[0]; i++) {
        struct outcome out;
        bool slow = strcmp(cases[i].code, "pg.57014") == 0;
        rig_sql(&out, slow ? "set local statement_timeout = 30" : "select 1", cases[i].sql, NULL);
        rig_run();
        rig_assert_failed(&out, cases[i].class, cases[i].code);
    }
    CU_ASSERT_STRING_EQUAL(rig_value("select 'still here'"), "still here");
    rig_close();
}

static void test_messages_hold_no_data(void)
{
    struct outcome out;
    struct pg_unit unit = {.count = 0};
    open_pool();
    pg_param(pg_add(&unit, "select $1::text::uuid"), "+15551234567");
    rig_submit(&unit, &out);
    rig_run();
    rig_assert_failed(&out, ERR_PERMANENT, "pg.22P02");
    CU_ASSERT_PTR_NULL(strstr(out.err.message, "555"));
    CU_ASSERT_TRUE(test_server_sql(&rig_server, "create table t4(phone text primary key)"));
    rig_sql(&out, "insert into t4 values ('+15551234567')",
            "insert into t4 values ('+15551234567')", NULL);
    rig_run();
    rig_assert_failed(&out, ERR_PERMANENT, "pg.23505");
    CU_ASSERT_PTR_NULL(strstr(out.err.message, "555"));
    struct pg_unit invalid = {.count = 0};
    pg_param(pg_add(&invalid, "select $1::text"), "\xff\xfe");
    rig_submit(&invalid, &out);
    rig_run();
    rig_assert_failed(&out, ERR_PERMANENT, "pg.22021");
    rig_close();
}

static void test_real_deadlock(void)
{
    struct outcome a, b, ready;
    rig_open();
    rig_pool(rig_server.url, 3, 0);
    CU_ASSERT_TRUE(test_server_sql(&rig_server, "create table dl(id int primary key);"
                                                "insert into dl values (1), (2)"));
    rig_sql(&a,
            "select pg_advisory_xact_lock_shared(id) from (select 77 id from dl where id = 1 for "
            "update) d",
            until_two_hold, "select id from dl where id = 2 for update");
    rig_sql(&b,
            "select pg_advisory_xact_lock_shared(id) from (select 77 id from dl where id = 2 for "
            "update) d",
            until_two_hold, "select id from dl where id = 1 for update");
    rig_sql(&ready, "select 1", NULL, NULL);
    rig_run();
    CU_ASSERT_EQUAL(a.failed + b.failed, 1);
    rig_assert_failed(a.failed ? &a : &b, ERR_RETRY_NOW, "pg.40P01");
    rig_assert_ok(&ready, "1");
    rig_close();
}

int main(void)
{
    CU_initialize_registry();
    CU_pSuite suite = CU_add_suite("pg", rig_start_server, rig_end_server);
    CU_add_test(suite, "values and types", test_values_and_types);
    CU_add_test(suite, "reading", test_reading);
    CU_add_test(suite, "a unit is one transaction", test_unit_is_one_transaction);
    CU_add_test(suite, "error at commit", test_error_at_commit);
    CU_add_test(suite, "errors stay in their unit", test_errors_stay_in_their_unit);
    CU_add_test(suite, "10,000 units", test_thousands_of_units);
    CU_add_test(suite, "large parameters and rows", test_large_parameters_and_rows);
    CU_add_test(suite, "arrays round trip", test_arrays_round_trip);
    CU_add_test(suite, "lock, then read (V1)", test_lock_then_read_sees_what_it_waited_for);
    CU_add_test(suite, "error classes", test_classes_from_the_server);
    CU_add_test(suite, "messages hold no data", test_messages_hold_no_data);
    CU_add_test(suite, "deadlock", test_real_deadlock);
    CU_basic_set_mode(CU_BRM_VERBOSE);
    CU_basic_run_tests();
    unsigned failures = CU_get_number_of_failures();
    CU_cleanup_registry();
    return failures != 0 ? 1 : 0;
}
