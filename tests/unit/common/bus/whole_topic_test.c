/* Unit tests of reading whole topics without a group, and of values that are null or empty. */
#include "unit/common/bus/members.h"

static bool at_end(void *arg)
{
    return bus_consumer_at_end(((struct member *)arg)->consumer);
}

static void test_whole_topic(void)
{
    produce(25);
    join(&a, NULL);
    CU_ASSERT_FALSE(bus_consumer_at_end(a.consumer));
    CU_ASSERT_TRUE(mock_run(&mock, at_end, &a, 15000));
    CU_ASSERT_EQUAL(a.taken, 25);
    CU_ASSERT_EQUAL(bus_consumer_partitions(a.consumer), 4);
    produce(5);
    CU_ASSERT_TRUE(mock_run(&mock, has_all, &a, 10000));
    CU_ASSERT_EQUAL(a.taken, 30);
    CU_ASSERT_EQUAL(a.disorder, 0);
}

static void test_whole_topic_with_the_broker_away(void)
{
    produce(7);
    mock_down(&mock);
    join(&a, NULL);
    CU_ASSERT_FALSE(mock_run(&mock, at_end, &a, 800));
    mock_up(&mock);
    CU_ASSERT_TRUE(mock_run(&mock, at_end, &a, 20000));
    CU_ASSERT_EQUAL(a.taken, 7);
}

static void test_tombstone_and_empty_value(void)
{
    struct err err;
    join(&a, NULL);
    a.takes = false;
    struct bus_record record = {.topic = "t.in", .partition = 0, .key = "k", .key_length = 1};
    produced = 2;
    CU_ASSERT_EQUAL(bus_produce(producer, &record, on_report, NULL, &err), 0);
    record.value = "";
    CU_ASSERT_EQUAL(bus_produce(producer, &record, on_report, NULL, &err), 0);
    CU_ASSERT_TRUE(mock_run(&mock, all_confirmed, NULL, 10000));
    struct arena *arena = arena_new();
    struct bus_record *records = xcalloc(2, sizeof *records);
    size_t count = 0;
    int64_t end_ms = clock_mono_ms() + 10000;
    while (count < 2 && clock_mono_ms() < end_ms) {
        count += bus_consumer_take(a.consumer, arena, records + count, 2 - count);
        mock_run(&mock, never, NULL, 20);
    }
    CU_ASSERT_EQUAL_FATAL(count, 2);
    CU_ASSERT_PTR_NULL(records[0].value);
    CU_ASSERT_PTR_NOT_NULL(records[1].value);
    CU_ASSERT_EQUAL(records[1].value_length, 0);
    CU_ASSERT_EQUAL(records[1].offset, records[0].offset + 1);
    CU_ASSERT_TRUE(records[1].timestamp_ms > 0);
    free(records);
    arena_free(&arena);
}

int main(void)
{
    CU_initialize_registry();
    CU_pSuite suite = CU_add_suite_with_setup_and_teardown("whole topic", NULL, NULL,
                                                           members_set_up, members_tear_down);
    static const struct {
        const char *name;
        void (*fn)(void);
    } tests[] = {
        {"whole topic", test_whole_topic},
        {"whole topic, broker away", test_whole_topic_with_the_broker_away},
        {"tombstone and empty value", test_tombstone_and_empty_value},
    };
    for (size_t i = 0; i < sizeof tests / sizeof tests[0]; i++)
        CU_add_test(suite, tests[i].name, tests[i].fn);
    CU_basic_set_mode(CU_BRM_VERBOSE);
    CU_basic_run_tests();
    unsigned failures = CU_get_number_of_failures();
    CU_cleanup_registry();
    return failures != 0 ? 1 : 0;
}
