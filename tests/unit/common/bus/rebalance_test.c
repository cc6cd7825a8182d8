/* Unit tests of the rebalance: what is held or paused when partitions move, and offsets stored too
 * late. */
#include "unit/common/bus/members.h"

static bool has_seen_all(void *arg)
{
    return ((struct member *)arg)->distinct == produced;
}

static bool have_two_each(void *arg)
{
    (void)arg;
    return a.assigned == 2 && b.assigned == 2;
}

static bool has_the_rest(void *arg)
{
    (void)arg;
    return b.taken + a.taken >= produced;
}

/* What is held belongs to partitions that are ours now, and is there once. */
static void assert_held_is_ours(const struct bus_consumer *consumer)
{
    int64_t next[4] = {0};
    for (size_t i = 0; i < consumer->held_count; i++) {
        const rd_kafka_message_t *message = consumer->held[i];
        bool ours = false;
        for (size_t j = 0; j < consumer->part_count; j++)
            ours = ours || consumer->parts[j].partition == message->partition;
        CU_ASSERT_TRUE(ours);
        CU_ASSERT_TRUE(message->offset >= next[message->partition]);
        next[message->partition] = message->offset + 1;
    }
}

/* While one member holds records and is paused, another joins: what was held comes to whoever owns
 * it now, and a partition that comes back delivers. */
static void test_rebalance_drops_what_is_held_and_resumes(void)
{
    join(&a, "g");
    CU_ASSERT_TRUE(mock_run(&mock, is_assigned, &a, 15000));
    a.takes = false;
    produce(100);
    CU_ASSERT_TRUE(mock_run(&mock, is_stalled, &a, 10000));
    join(&b, "g");
    CU_ASSERT_TRUE(mock_run(&mock, have_two_each, NULL, 30000));
    CU_ASSERT_EQUAL(a.taken, 0);
    mock_run(&mock, never, NULL, 2500);
    assert_held_is_ours(a.consumer);
    a.takes = true;
    CU_ASSERT_TRUE(mock_run(&mock, has_the_rest, NULL, 15000));
    CU_ASSERT_FALSE(mock_run(&mock, never, NULL, 1200));
    CU_ASSERT_EQUAL(a.taken + b.taken, 100);
    CU_ASSERT_TRUE(a.taken > 0 && b.taken > 0);
    CU_ASSERT_EQUAL(a.disorder + b.disorder, 0);
}

/* A record handed out before a rebalance must not move the offset of a partition that has, or had,
 * another owner since. */
static void test_a_late_store_is_ignored(void)
{
    join(&a, "g");
    a.stores = false;
    CU_ASSERT_TRUE(mock_run(&mock, is_assigned, &a, 15000));
    produce(40);
    CU_ASSERT_TRUE(mock_run(&mock, has_all, &a, 10000));
    struct bus_record late = a.newest;
    a.takes = false;
    join(&b, "g");
    b.takes = false;
    CU_ASSERT_TRUE(mock_run(&mock, have_two_each, NULL, 30000));
    bus_consumer_store(a.consumer, &late);
    struct bus_part *part = bus_part_find(a.consumer, "t.in", late.partition);
    CU_ASSERT_TRUE(part == NULL || part->stored == -1);
    struct bus_record foreign = {.topic = "t.other", .partition = 0, .offset = 5};
    bus_consumer_store(a.consumer, &foreign);
    bus_consumer_close(&a.consumer);
    b.takes = true;
    CU_ASSERT_TRUE(mock_run(&mock, has_seen_all, &b, 30000)); /* nothing had been stored */
}

int main(void)
{
    CU_initialize_registry();
    CU_pSuite suite = CU_add_suite_with_setup_and_teardown("rebalance", NULL, NULL, members_set_up,
                                                           members_tear_down);
    static const struct {
        const char *name;
        void (*fn)(void);
    } tests[] = {
        {"rebalance with held records", test_rebalance_drops_what_is_held_and_resumes},
        {"late store", test_a_late_store_is_ignored},
    };
    for (size_t i = 0; i < sizeof tests / sizeof tests[0]; i++)
        CU_add_test(suite, tests[i].name, tests[i].fn);
    CU_basic_set_mode(CU_BRM_VERBOSE);
    CU_basic_run_tests();
    unsigned failures = CU_get_number_of_failures();
    CU_cleanup_registry();
    return failures != 0 ? 1 : 0;
}
