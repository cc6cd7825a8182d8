/* A consumer whose name is fenced, against librdkafka's mock cluster (which fences nobody: the test
 * makes the error). */
#include "unit/common/bus/members.h"

/* After an outage that was longer than its session, with its assignment lost, librdkafka may be
 * fenced by its own next membership: it joins anew and goes on where it was. */
static void test_fenced_by_itself(void)
{
    join(&a, "g");
    CU_ASSERT_TRUE(mock_run(&mock, is_assigned, &a, 15000));
    produce(20);
    CU_ASSERT_TRUE(mock_run(&mock, has_all, &a, 15000));
    mock_run(&mock, never, NULL, 1500); /* for the commit */
    mock_down(&mock);
    CU_ASSERT_TRUE(mock_run(&mock, has_lost_all, &a, 15000));
    rd_kafka_test_fatal_error(a.consumer->rk, RD_KAFKA_RESP_ERR_FENCED_INSTANCE_ID,
                              "made by the test");
    mock_run(&mock, never, NULL, 500);
    bus_consumer_pause(a.consumer, true); /* nothing of it needs the handle */
    bus_consumer_pause(a.consumer, false);
    bus_consumer_store(a.consumer, &a.newest);
    mock_up(&mock);
    CU_ASSERT_TRUE(mock_run(&mock, is_assigned, &a, 20000));
    produce(20);
    CU_ASSERT_TRUE(mock_run(&mock, has_all, &a, 15000));
    CU_ASSERT_EQUAL(a.fatal_calls, 0);
    CU_ASSERT_EQUAL(a.taken, 40);
}

static bool has_no_handle(void *arg)
{
    return ((struct member *)arg)->consumer->rk == NULL;
}

static void test_closed_before_it_joins_anew(void)
{
    join(&a, "g");
    rd_kafka_test_fatal_error(a.consumer->rk, RD_KAFKA_RESP_ERR_FENCED_INSTANCE_ID,
                              "made by the test");
    CU_ASSERT_TRUE(mock_run(&mock, has_no_handle, &a, 10000));
    CU_ASSERT_EQUAL(a.fatal_calls, 0);
    bus_consumer_close(&a.consumer);
    CU_ASSERT_PTR_NULL(a.consumer);
}

int main(void)
{
    CU_initialize_registry();
    CU_pSuite suite = CU_add_suite_with_setup_and_teardown("fenced", NULL, NULL, members_set_up,
                                                           members_tear_down);
    static const struct {
        const char *name;
        void (*fn)(void);
    } tests[] = {
        {"fenced by itself", test_fenced_by_itself},
        {"closed before it joins anew", test_closed_before_it_joins_anew},
    };
    for (size_t i = 0; i < sizeof tests / sizeof tests[0]; i++)
        CU_add_test(suite, tests[i].name, tests[i].fn);
    CU_basic_set_mode(CU_BRM_VERBOSE);
    CU_basic_run_tests();
    unsigned failures = CU_get_number_of_failures();
    CU_cleanup_registry();
    return failures != 0 ? 1 : 0;
}
