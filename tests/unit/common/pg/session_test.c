/* Unit tests of the blocking session of deskctl, against a real PostgreSQL. */
#include "unit/common/pg/server.h"

#include <CUnit/Basic.h>

static struct test_server server;
static struct pg_session *session;

static int start(void)
{
    return test_server_start(&server) ? 0 : 1;
}

static int end(void)
{
    test_server_end(&server);
    return 0;
}

static void open_session(void)
{
    struct err err;
    CU_ASSERT_EQUAL_FATAL(pg_session_open(server.url, "deskctl", &session, &err), 0);
}

static int query(const char *sql, const char *param, struct pg_result **result, struct err *err)
{
    struct pg_statement statement = {.sql = sql};
    if (param != NULL)
        pg_param(&statement, param);
    return pg_session_query(session, &statement, result, err);
}

static void test_query(void)
{
    struct pg_result *result = NULL;
    struct err err;
    open_session();
    CU_ASSERT_EQUAL_FATAL(query("select $1::int + 1 as next, current_setting('application_name')",
                                "41", &result, &err),
                          0);
    CU_ASSERT_EQUAL(pg_rows(result, 0), 1);
    CU_ASSERT_EQUAL(pg_columns(result, 0), 2);
    CU_ASSERT_EQUAL(pg_int(result, 0, 0, 0), 42);
    CU_ASSERT_STRING_EQUAL(pg_text(result, 0, 0, 1), "deskctl");
    pg_result_free(&result);
    CU_ASSERT_PTR_NULL(result);
    pg_result_free(&result);
    CU_ASSERT_EQUAL(query("select $1::int", "x", &result, &err), -1);
    CU_ASSERT_STRING_EQUAL(err.code, "pg.22P02");
    CU_ASSERT_EQUAL(err.class, ERR_PERMANENT);
    CU_ASSERT_PTR_NULL(result);
    CU_ASSERT_EQUAL(query("copy (select 1) to stdout", NULL, &result, &err), -1);
    CU_ASSERT_EQUAL(err.class, ERR_BUG);
    pg_session_close(&session);
    CU_ASSERT_PTR_NULL(session);
    pg_session_close(&session);
}

static void test_script_is_all_or_nothing(void)
{
    struct pg_result *result = NULL;
    struct err err;
    open_session();
    CU_ASSERT_EQUAL(pg_session_script(session,
                                      "create table a(n int); insert into a values (1);"
                                      " create function f() returns int language sql as"
                                      " $$ select 1; $$; -- done",
                                      &err),
                    0);
    CU_ASSERT_EQUAL(pg_session_script(session, "insert into a values (2); selec", &err), -1);
    CU_ASSERT_STRING_EQUAL(err.code, "pg.42601");
    CU_ASSERT_EQUAL(pg_session_script(session, "", &err), 0);
    CU_ASSERT_EQUAL(pg_session_script(session, "begin; insert into a values (3)", &err), 0);
    CU_ASSERT_EQUAL(pg_session_script(session, "rollback", &err), 0);
    CU_ASSERT_EQUAL_FATAL(query("select count(*) from a", NULL, &result, &err), 0);
    CU_ASSERT_EQUAL(pg_int(result, 0, 0, 0), 1);
    pg_result_free(&result);
    pg_session_close(&session);
}

static void test_lost_and_unreachable(void)
{
    struct pg_result *result = NULL;
    struct err err;
    open_session();
    CU_ASSERT_EQUAL(query("select pg_terminate_backend(pg_backend_pid())", NULL, &result, &err),
                    -1);
    CU_ASSERT_STRING_EQUAL(err.code, "pg.lost");
    CU_ASSERT_EQUAL(query("select 1", NULL, &result, &err), -1);
    CU_ASSERT_STRING_EQUAL(err.code, "pg.lost");
    CU_ASSERT_EQUAL(err.class, ERR_RETRY_LATER);
    pg_session_close(&session);
    CU_ASSERT_EQUAL(pg_session_open("host=/nonexistent-folder", "x", &session, &err), -1);
    CU_ASSERT_STRING_EQUAL(err.code, "pg.connection");
    CU_ASSERT_EQUAL(err.class, ERR_RETRY_LATER);
    CU_ASSERT_EQUAL(
        pg_session_open("postgresql://u:hunter2@h/x?nonsense=hunter2", "x", &session, &err), -1);
    CU_ASSERT_STRING_EQUAL(err.code, "pg.url");
    CU_ASSERT_PTR_NULL(strstr(err.message, "hunter2"));
    CU_ASSERT_PTR_NULL(session);
}

int main(void)
{
    CU_initialize_registry();
    CU_pSuite suite = CU_add_suite("pg: session", start, end);
    CU_add_test(suite, "query", test_query);
    CU_add_test(suite, "script", test_script_is_all_or_nothing);
    CU_add_test(suite, "lost and unreachable", test_lost_and_unreachable);
    CU_basic_set_mode(CU_BRM_VERBOSE);
    CU_basic_run_tests();
    unsigned failures = CU_get_number_of_failures();
    CU_cleanup_registry();
    return failures != 0 ? 1 : 0;
}
