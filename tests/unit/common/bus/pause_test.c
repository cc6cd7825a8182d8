/* Unit tests of pausing: asked for by the holder, and by the consumer itself when the holder does
 * not take what is there. */
#include "unit/common/bus/members.h"

/* PostgreSQL is away and the holder takes nothing: little is held, partitions pause, and later all
 * is there, once and in order. */
static void test_a_holder_that_does_not_take(void)
{
    join(&a, "g");
    CU_ASSERT_TRUE(mock_run(&mock, is_assigned, &a, 15000));
    a.takes = false;
    produce(300);
    CU_ASSERT_TRUE(mock_run(&mock, is_stalled, &a, 10000));
    CU_ASSERT_FALSE(mock_run(&mock, never, NULL, 2500));
    CU_ASSERT_EQUAL(a.consumer->held_count, BUS_HELD_MAX);
    CU_ASSERT_EQUAL(a.taken, 0);
    produce(50);
    a.takes = true;
    CU_ASSERT_TRUE(mock_run(&mock, has_all, &a, 20000));
    CU_ASSERT_FALSE(a.consumer->pause_stall);
    CU_ASSERT_FALSE(mock_run(&mock, never, NULL, 1200));
    CU_ASSERT_EQUAL(a.taken, 350);
    CU_ASSERT_EQUAL(a.disorder, 0);
}

static void test_pause_asked_for(void)
{
    join(&a, "g");
    CU_ASSERT_TRUE(mock_run(&mock, is_assigned, &a, 15000));
    produce(10);
    CU_ASSERT_TRUE(mock_run(&mock, has_all, &a, 10000));
    bus_consumer_pause(a.consumer, true);
    bus_consumer_pause(a.consumer, true); /* twice is once */
    produce(40);
    CU_ASSERT_FALSE(mock_run(&mock, never, NULL, 2200));
    CU_ASSERT_EQUAL(a.taken, 10);
    bus_consumer_pause(a.consumer, false);
    CU_ASSERT_TRUE(mock_run(&mock, has_all, &a, 10000));
    CU_ASSERT_FALSE(mock_run(&mock, never, NULL, 1200));
    CU_ASSERT_EQUAL(a.taken, 50);
    CU_ASSERT_EQUAL(a.disorder, 0);
}

int main(void)
{
    CU_initialize_registry();
    CU_pSuite suite = CU_add_suite_with_setup_and_teardown("pause", NULL, NULL, members_set_up,
                                                           members_tear_down);
    static const struct {
        const char *name;
        void (*fn)(void);
    } tests[] = {
        {"a holder that does not take", test_a_holder_that_does_not_take},
        {"pause asked for", test_pause_asked_for},
    };
    for (size_t i = 0; i < sizeof tests / sizeof tests[0]; i++)
        CU_add_test(suite, tests[i].name, tests[i].fn);
    CU_basic_set_mode(CU_BRM_VERBOSE);
    CU_basic_run_tests();
    unsigned failures = CU_get_number_of_failures();
    CU_cleanup_registry();
    return failures != 0 ? 1 : 0;
}
