/* Unit tests of the consumer against librdkafka's mock cluster: in order, committed, nothing lost
 * or doubled by ticks and by partial takes; impossible options. */
#include "unit/common/bus/members.h"

static bool has_ten(void *arg)
{
    return ((struct member *)arg)->taken >= 10;
}

static void test_takes_all_in_order_and_commits(void)
{
    join(&a, "g");
    CU_ASSERT_TRUE(mock_run(&mock, is_assigned, &a, 15000));
    CU_ASSERT_EQUAL(bus_consumer_partitions(a.consumer), 4);
    produce(100);
    CU_ASSERT_TRUE(mock_run(&mock, has_all, &a, 15000));
    CU_ASSERT_EQUAL(a.taken, 100);
    CU_ASSERT_EQUAL(a.disorder, 0);
    bus_consumer_close(&a.consumer);
    /* What was stored is not read again, what is new is. */
    produce(10);
    join(&b, "g");
    CU_ASSERT_TRUE(mock_run(&mock, is_assigned, &b, 20000));
    CU_ASSERT_TRUE(mock_run(&mock, has_ten, &b, 15000));
    CU_ASSERT_FALSE(mock_run(&mock, has_all, &b, 2000));
    CU_ASSERT_EQUAL(b.taken, 10);
}

static void test_what_is_not_stored_comes_again(void)
{
    join(&a, "g");
    a.stores = false;
    produce(20);
    CU_ASSERT_TRUE(mock_run(&mock, has_all, &a, 20000));
    bus_consumer_close(&a.consumer);
    join(&b, "g");
    CU_ASSERT_TRUE(mock_run(&mock, has_all, &b, 20000));
    CU_ASSERT_EQUAL(b.taken, 20);
}

static void test_taking_less_than_there_is(void)
{
    join(&a, "g");
    CU_ASSERT_TRUE(mock_run(&mock, is_assigned, &a, 15000));
    a.takes = false;
    produce(60);
    int64_t end_ms = clock_mono_ms() + 15000;
    while (a.taken < 60 && clock_mono_ms() < end_ms) {
        CU_ASSERT_TRUE(take(&a, 3) <= 3);
        mock_run(&mock, never, NULL, 100); /* ticks hold some in between */
    }
    CU_ASSERT_EQUAL(a.taken, 60);
    CU_ASSERT_EQUAL(a.disorder, 0);
}

/* As when another process takes its instance id: said once, and it closes all the same. */
static void test_fatal_error_is_told_once(void)
{
    join(&a, "g");
    CU_ASSERT_TRUE(mock_run(&mock, is_assigned, &a, 15000));
    CU_ASSERT_EQUAL(a.fatal_calls, 0);
    rd_kafka_test_fatal_error(a.consumer->rk, RD_KAFKA_RESP_ERR_FENCED_INSTANCE_ID,
                              "made by the test");
    CU_ASSERT_TRUE(mock_run(&mock, is_fatal, &a, 10000));
    CU_ASSERT_FALSE(mock_run(&mock, never, NULL, 1500));
    CU_ASSERT_EQUAL(a.fatal_calls, 1);
    CU_ASSERT_EQUAL(bus_consumer_partitions(a.consumer), 0);
}

static void test_bad_options(void)
{
    static const char *const none[] = {NULL};
    static const char *const one[] = {"t.in", NULL};
    struct err err;
    struct bus_consumer_options options = {
        .client = mock_client(&mock), .loop = mock.loop, .group = "g", .topics = none};
    CU_ASSERT_EQUAL(bus_consumer_open(&options, &a.consumer, &err), -1);
    CU_ASSERT_EQUAL(err.class, ERR_BUG);
    options.topics = one;
    options.group = "";
    CU_ASSERT_EQUAL(bus_consumer_open(&options, &a.consumer, &err), -1);
    CU_ASSERT_STRING_EQUAL(err.code, "bus.config");
    options.group = "g";
    options.session_timeout_ms = 1;
    options.heartbeat_ms = 5000000;
    CU_ASSERT_EQUAL(bus_consumer_open(&options, &a.consumer, &err), -1);
    CU_ASSERT_EQUAL(err.class, ERR_BUG);
    CU_ASSERT_PTR_NULL(a.consumer);
}

int main(void)
{
    CU_initialize_registry();
    CU_pSuite suite = CU_add_suite_with_setup_and_teardown("consumer", NULL, NULL, members_set_up,
                                                           members_tear_down);
    static const struct {
        const char *name;
        void (*fn)(void);
    } tests[] = {
        {"all in order, committed", test_takes_all_in_order_and_commits},
        {"not stored comes again", test_what_is_not_stored_comes_again},
        {"taking less than there is", test_taking_less_than_there_is},
        {"fatal error is told once", test_fatal_error_is_told_once},
        {"impossible options", test_bad_options},
    };
    for (size_t i = 0; i < sizeof tests / sizeof tests[0]; i++)
        CU_add_test(suite, tests[i].name, tests[i].fn);
    CU_basic_set_mode(CU_BRM_VERBOSE);
    CU_basic_run_tests();
    unsigned failures = CU_get_number_of_failures();
    CU_cleanup_registry();
    return failures != 0 ? 1 : 0;
}
