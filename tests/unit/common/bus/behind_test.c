/* Unit tests of how far a group is behind in a topic, against librdkafka's mock cluster. */
#include "unit/common/bus/members.h"

static struct bus_ends ends;
static struct bus_admin *admin;
static struct arena *memory;

static void open_admin(void)
{
    struct bus_options options = mock_client(&mock);
    struct err err;
    memory = arena_new();
    CU_ASSERT_EQUAL_FATAL(bus_admin_open(&options, &admin, &err), 0);
}

static void close_admin(void)
{
    bus_admin_close(&admin);
    arena_free(&memory);
}

static int64_t behind(const char *group)
{
    struct err err;
    int64_t records = -1;
    CU_ASSERT_EQUAL(bus_admin_behind(admin, group, &ends, &records, &err), 0);
    return records;
}

static void read_ends(void)
{
    struct err err;
    CU_ASSERT_EQUAL_FATAL(bus_admin_ends(admin, memory, "t.in", &ends, &err), 0);
    CU_ASSERT_EQUAL(ends.partitions, 4);
}

static void test_counts_what_is_not_committed(void)
{
    open_admin();
    read_ends();
    CU_ASSERT_EQUAL(behind("g"), 0);
    produce(20);
    CU_ASSERT_EQUAL(behind("g"), 0); /* after the ends that were read */
    read_ends();
    CU_ASSERT_EQUAL(behind("g"), 20);
    join(&a, "g");
    CU_ASSERT_TRUE(mock_run(&mock, has_all, &a, 20000));
    bus_consumer_close(&a.consumer); /* commits */
    CU_ASSERT_EQUAL(behind("g"), 0);
    CU_ASSERT_EQUAL(behind("another"), 20);
    produce(3);
    CU_ASSERT_EQUAL(behind("g"), 0);
    read_ends();
    CU_ASSERT_EQUAL(behind("g"), 3);
    close_admin();
}

int main(void)
{
    CU_initialize_registry();
    CU_pSuite suite = CU_add_suite_with_setup_and_teardown("behind", NULL, NULL, members_set_up,
                                                           members_tear_down);
    CU_add_test(suite, "counts what is not committed", test_counts_what_is_not_committed);
    CU_basic_set_mode(CU_BRM_VERBOSE);
    CU_basic_run_tests();
    unsigned failures = CU_get_number_of_failures();
    CU_cleanup_registry();
    return failures != 0 ? 1 : 0;
}
