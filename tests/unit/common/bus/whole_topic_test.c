/* Unit tests of reading without a group, whole topics and a partition's tail, and of values that
 * are null or empty. */
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

static void open_tail(uint32_t number)
{
    static const char *const topics[] = {"t.in", NULL};
    a = (struct member){.takes = true};
    for (int i = 0; i < KEYS; i++)
        a.last[i] = -1;
    struct bus_consumer_options options = {.client = mock_client(&mock),
                                           .loop = mock.loop,
                                           .topics = topics,
                                           .tail = true,
                                           .tail_number = number,
                                           .on_ready = on_ready,
                                           .on_assign = on_assign,
                                           .arg = &a};
    struct err err;
    CU_ASSERT_EQUAL_FATAL(bus_consumer_open(&options, &a.consumer, &err), 0);
}

static bool is_at_tail(void *arg)
{
    return bus_consumer_tail(((struct member *)arg)->consumer) >= 0;
}

static void produce_to(int32_t partition)
{
    struct err err;
    char value[16];
    snprintf(value, sizeof value, "%d", produced);
    struct bus_record record = {.topic = "t.in",
                                .partition = partition,
                                .key = "k",
                                .key_length = 1,
                                .value = value,
                                .value_length = strlen(value),
                                .header_count = 1};
    record.headers[0] = (struct bus_header){"ce_id", value, strlen(value)};
    produced++;
    CU_ASSERT_EQUAL(bus_produce(producer, &record, on_report, NULL, &err), 0);
    CU_ASSERT_TRUE(mock_run(&mock, all_confirmed, NULL, 15000));
}

static bool has_one(void *arg)
{
    return ((struct member *)arg)->taken > 0;
}

/* Of one partition, by its number modulo their count; nothing that was there before, all that comes
 * as soon as the partition is told, and nothing of another one. */
static void test_tail(void)
{
    for (int32_t partition = 0; partition < 4; partition++)
        produce_to(partition);
    open_tail(4 * 7 + 2);
    CU_ASSERT_EQUAL(bus_consumer_tail(a.consumer), -1);
    CU_ASSERT_TRUE_FATAL(mock_run(&mock, is_at_tail, &a, 15000));
    CU_ASSERT_EQUAL(bus_consumer_tail(a.consumer), 2);
    produce_to(1);
    produce_to(2);
    produce_to(3);
    CU_ASSERT_TRUE(mock_run(&mock, has_one, &a, 10000));
    CU_ASSERT_FALSE(mock_run(&mock, never, NULL, 300));
    CU_ASSERT_EQUAL(a.taken, 1);
    CU_ASSERT_TRUE(a.seen[5]);
    CU_ASSERT_EQUAL(a.newest.partition, 2);
    CU_ASSERT_EQUAL(a.newest.offset, 1);
}

static void test_tail_with_the_broker_away(void)
{
    produce_to(0);
    mock_down(&mock);
    open_tail(0);
    CU_ASSERT_FALSE(mock_run(&mock, is_at_tail, &a, 800));
    mock_up(&mock);
    CU_ASSERT_TRUE(mock_run(&mock, is_at_tail, &a, 20000));
    produce_to(0);
    CU_ASSERT_TRUE(mock_run(&mock, has_one, &a, 10000));
    CU_ASSERT_TRUE(a.seen[1]);
    CU_ASSERT_EQUAL(a.taken, 1);
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
        {"tail", test_tail},
        {"tail, broker away", test_tail_with_the_broker_away},
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
