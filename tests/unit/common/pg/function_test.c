/* Unit tests of statements that are called as functions of the database (docs/adr/0004). */
#include "unit/common/pg/rig.h"

static const char next_sql[] = "select $1::int + 1";
static const char keep_sql[] = "insert into kept values ($1::text, $2::int[])";
static const char list_sql[] = "with gone as (delete from kept returning name, numbers)"
                               " select name, numbers[2] as c1, null, 'x' from gone order by 1";
static const char touch_sql[] = "SELECT count(*) from kept where cardinality(numbers) > $1::int";
static const char count_sql[] = "select count(*), sum($1::int) from kept where name = $2::text";
static const char *const next_alone[] = {next_sql, NULL}, *const keep_alone[] = {keep_sql, NULL},
                         *const list_alone[] = {list_sql, NULL},
                         *const kept_in_one[] = {touch_sql, keep_sql, count_sql, NULL};
static const char *const *const frequent[] = {kept_in_one, next_alone, keep_alone, list_alone,
                                              NULL};
enum { FREQUENT = 4 };

static void open_calling(const char *const *const *functions, int connections)
{
    rig_open();
    rig_pg = pg_new(&(struct pg_options){.loop = rig_loop,
                                         .url = rig_server.url,
                                         .name = "unit-test",
                                         .connections = connections,
                                         .functions = functions});
}

static struct outcome call_with(const char *sql, const char *one, const char *two)
{
    static struct outcome out;
    struct pg_unit unit = {.count = 0};
    struct pg_statement *statement = pg_add(&unit, sql);
    if (one != NULL)
        pg_param(statement, one);
    if (two != NULL)
        pg_param(statement, two);
    rig_submit(&unit, &out);
    rig_run();
    return out;
}

static void define(size_t count)
{
    struct pg_session *session = NULL;
    struct err err;
    CU_ASSERT_EQUAL_FATAL(pg_session_open(rig_server.url, "unit-test", &session, &err), 0);
    CU_ASSERT_EQUAL_FATAL(pg_session_drop_functions(session, frequent, count, &err), 0);
    for (int twice = 0; twice < 2; twice++)
        for (size_t i = 0; i < count; i++)
            CU_ASSERT_EQUAL_FATAL(pg_session_define(session, frequent[i], &err), 0);
    pg_session_close(&session);
}

static const char *functions(void)
{
    return rig_value("select count(*) from pg_proc where proname like 'desk_statement%'");
}

static void replace_next(const char *body)
{
    char sql[500];
    snprintf(sql, sizeof sql,
             "do $do$ begin execute (select 'create or replace function ' || oid::regprocedure"
             " || ' returns table (c1 integer) language plpgsql as $f$ begin %s; end $f$'"
             " from pg_proc where proname like 'desk_statement\\_%%' and pronargs = 1); end $do$",
             body);
    CU_ASSERT_TRUE(test_server_sql(&rig_server, sql));
}

/* Statements are called as functions where the database has them, and sent as text where not; what
 * they answer is the same. */
static void test_statements_as_functions(void)
{
    struct outcome out;
    CU_ASSERT_TRUE(test_server_sql(&rig_server, "create table kept (name text, numbers int[])"));
    define(FREQUENT);
    open_calling(frequent, 1);
    CU_ASSERT_STRING_EQUAL(functions(), "4");
    out = call_with(next_sql, "41", NULL);
    rig_assert_ok(&out, "42");
    out = call_with(keep_sql, "it's", "{7,8}");
    CU_ASSERT_TRUE(!out.failed && out.rows == 0);
    out = call_with(list_sql, NULL, NULL);
    rig_assert_ok(&out, "it's");
    /* that it is really called: the function now says something else than the text */
    replace_next("return query select 1000");
    out = call_with(next_sql, "41", NULL);
    rig_assert_ok(&out, "1000");
    replace_next("raise insufficient_privilege"); /* nor does it matter that we may not call it */
    out = call_with(next_sql, "41", NULL);
    rig_assert_ok(&out, "42");
    define(0);
    CU_ASSERT_STRING_EQUAL(functions(), "0");
    out = call_with(next_sql, "41", NULL);
    rig_assert_ok(&out, "42");
    out = call_with("select no_such_function($1::int)", "1", NULL);
    rig_assert_failed(&out, ERR_RETRY_LATER, "pg.42883");
    rig_close();
}

/* What the unit says to the rows of three statements, of which the last one's are read. */
static struct outcome keep_in_one(const char *name, const char *numbers)
{
    static struct outcome out;
    struct pg_unit unit = {.count = 0};
    pg_param(pg_add(&unit, next_sql), "1");
    pg_param(pg_add(&unit, touch_sql), "1");
    struct pg_statement *statement = pg_add(&unit, keep_sql);
    pg_param(statement, name);
    pg_param(statement, numbers);
    statement = pg_add(&unit, count_sql);
    pg_param(statement, "5");
    pg_param(statement, name);
    rig_submit(&unit, &out);
    rig_run();
    return out;
}

/* Statements that follow each other are one function, in which each sees what was written before
 * it; where it is missing, or where a unit has only some of them, each goes alone. */
static void test_statements_in_one_function(void)
{
    struct outcome out;
    CU_ASSERT_TRUE(test_server_sql(&rig_server, "drop table if exists kept;"
                                                " create table kept (name text, numbers int[])"));
    define(FREQUENT);
    open_calling(frequent, 1);
    out = keep_in_one("a", "{1}");
    rig_assert_ok(&out, "1");
    CU_ASSERT_EQUAL(out.count, 4);
    CU_ASSERT_EQUAL(out.all_rows, 2); /* of next_sql and of the last one in the function */
    out = keep_in_one("a", "{1}");
    rig_assert_ok(&out, "2");
    out = keep_in_one("b", "nonsense"); /* an error in the midst: nothing is kept */
    rig_assert_failed(&out, ERR_PERMANENT, "pg.22P02");
    out = call_with(keep_sql, "b", "{2}");
    CU_ASSERT_FALSE(out.failed);
    CU_ASSERT_STRING_EQUAL(rig_value("select string_agg(name, '' order by name) from kept"), "aab");
    CU_ASSERT_TRUE(test_server_sql(
        &rig_server, "do $do$ begin execute (select 'create or replace function '"
                     " || oid::regprocedure || ' returns table (c1 bigint, c2 bigint) language"
                     " plpgsql as $f$ begin return query select 77::bigint, 7::bigint; end $f$'"
                     " from pg_proc where proname like 'desk_statements\\_%'); end $do$"));
    out = keep_in_one("a", "{1}");
    rig_assert_ok(&out, "77"); /* it is really called */
    define(0);
    out = keep_in_one("a", "{1}");
    rig_assert_ok(&out, "3");
    CU_ASSERT_EQUAL(out.all_rows, 3); /* each by its text */
    rig_close();
}

/* Rows that would be lost, and more parameters than a function may have. */
static void test_what_no_function_is_made_of(void)
{
    static const char *const lost[] = {list_sql, next_sql, NULL};
    static const char many_sql[] =
        "SELECT $1::int+$2::int+$3::int+$4::int+$5::int+$6::int+$7::int+$8::int+$9::int+$10::int"
        "+$11::int+$12::int+$13::int+$14::int+$15::int+$16::int+$17::int+$18::int+$19::int+$20::int"
        "+$21::int+$22::int+$23::int+$24::int+$25::int+$26::int+$27::int+$28::int+$29::int+$30::int"
        "+$31::int+$32::int+$33::int+$34::int";
    static const char *const many[] = {many_sql, many_sql, many_sql, NULL};
    struct pg_session *session = NULL;
    struct err err;
    CU_ASSERT_TRUE(test_server_sql(&rig_server, "drop table if exists kept;"
                                                " create table kept (name text, numbers int[])"));
    CU_ASSERT_EQUAL_FATAL(pg_session_open(rig_server.url, "unit-test", &session, &err), 0);
    CU_ASSERT_EQUAL(pg_session_define(session, lost, &err), -1);
    CU_ASSERT_STRING_EQUAL(err.code, "pg.function");
    CU_ASSERT_EQUAL(pg_session_define(session, many, &err), -1);
    CU_ASSERT_STRING_EQUAL(err.code, "pg.function");
    CU_ASSERT_EQUAL(pg_session_define(session, many + 1, &err), 0); /* 68 */
    CU_ASSERT_EQUAL(pg_session_drop_functions(session, frequent, 0, &err), 0);
    pg_session_close(&session);
}

/* Several units in flight meet a missing function: each of them is sent again as text. */
static void test_functions_missing_for_several(void)
{
    struct outcome outs[4];
    define(0);
    open_calling(frequent, 4);
    struct pg_unit unit = {.count = 1, .statements = {{.sql = "select 1"}}};
    for (int i = 0; i < 4; i++) /* all connections are up */
        rig_submit(&unit, &outs[i]);
    rig_run();
    for (int i = 0; i < 4; i++) {
        unit.count = 0;
        pg_param(pg_add(&unit, next_sql), "41");
        rig_submit(&unit, &outs[i]);
    }
    rig_run();
    for (int i = 0; i < 4; i++)
        rig_assert_ok(&outs[i], "42");
    rig_close();
}

/* A migration changes the type of a column: until the function is made anew the text serves. */
static void test_function_of_a_changed_table(void)
{
    static const char sql[] = "select n from changing";
    static const char *const alone[] = {sql, NULL}, *const *const listed[] = {alone, NULL};
    struct pg_session *session = NULL;
    struct err err;
    CU_ASSERT_TRUE(test_server_sql(&rig_server, "create table changing (n integer);"
                                                " insert into changing values (7)"));
    CU_ASSERT_EQUAL_FATAL(pg_session_open(rig_server.url, "unit-test", &session, &err), 0);
    CU_ASSERT_EQUAL(pg_session_define(session, alone, &err), 0);
    CU_ASSERT_TRUE(
        test_server_sql(&rig_server, "alter table changing alter n type bigint using 70"));
    for (int anew = 0; anew < 2; anew++) {
        open_calling(listed, 1);
        struct outcome out = call_with(sql, NULL, NULL);
        rig_assert_ok(&out, "70");
        rig_close();
        CU_ASSERT_EQUAL(pg_session_define(session, alone, &err), 0);
    }
    pg_session_close(&session);
    rig_open();
    rig_pool(rig_server.url, 2, 0);
    CU_ASSERT_STRING_EQUAL(rig_value("select count(*) from pg_proc where prosrc like '%changing%'"
                                     " and proallargtypes = array['bigint'::regtype::oid]"),
                           "1");
    rig_close();
}

int main(void)
{
    CU_initialize_registry();
    CU_pSuite suite = CU_add_suite("function", rig_start_server, rig_end_server);
    CU_add_test(suite, "statements as functions", test_statements_as_functions);
    CU_add_test(suite, "statements in one function", test_statements_in_one_function);
    CU_add_test(suite, "what no function is made of", test_what_no_function_is_made_of);
    CU_add_test(suite, "functions missing for several", test_functions_missing_for_several);
    CU_add_test(suite, "a function of a changed table", test_function_of_a_changed_table);
    CU_basic_set_mode(CU_BRM_VERBOSE);
    CU_basic_run_tests();
    unsigned failures = CU_get_number_of_failures();
    CU_cleanup_registry();
    return failures != 0 ? 1 : 0;
}
