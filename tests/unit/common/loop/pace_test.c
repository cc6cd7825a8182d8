/* Unit tests of batches' paces. */
#include "loop/pace.h"

#include "base/clock.h"

#include <CUnit/Basic.h>

static struct loop *loop;
static struct pace *pace;
static int looked;

static void again(void *arg)
{
    (void)arg;
    looked++;
    loop_stop(loop);
}

static void set_up(void)
{
    loop = loop_new();
    pace = pace_new(loop, again, NULL);
    looked = 0;
}

static void tear_down(void)
{
    pace_free(&pace);
    CU_ASSERT_PTR_NULL(pace);
    loop_pass(loop);
    loop_free(&loop);
}

static void one_behind_the_other(void)
{
    set_up();
    CU_ASSERT_TRUE(pace_allows(pace, false));
    pace_sent(pace);
    CU_ASSERT_FALSE(pace_allows(pace, false));
    CU_ASSERT_EQUAL(pace_in_flight(pace), 1);
    pace_over(pace);
    CU_ASSERT_TRUE(pace_allows(pace, false));
    CU_ASSERT_EQUAL(pace_in_flight(pace), 0);
    tear_down();
}

static void who_is_urgent_does_not_wait(void)
{
    set_up();
    pace_sent(pace);
    CU_ASSERT_TRUE(pace_allows(pace, true));
    pace_sent(pace);
    CU_ASSERT_FALSE_FATAL(pace_allows(pace, true)); /* two are the most */
    tear_down();
}

static void a_long_one_holds_nobody_up(void)
{
    set_up();
    pace_sent(pace);
    const int64_t begin_ms = clock_mono_ms();
    CU_ASSERT_FALSE(pace_allows(pace, false));
    loop_run(loop); /* ends when the pace tells that one may go */
    CU_ASSERT_EQUAL(looked, 1);
    CU_ASSERT_TRUE(clock_mono_ms() - begin_ms >= PACE_LONG_MS - 1);
    CU_ASSERT_TRUE(pace_allows(pace, false));
    tear_down();
}

static void nothing_is_told_when_it_came_back(void)
{
    set_up();
    pace_sent(pace);
    CU_ASSERT_FALSE(pace_allows(pace, false));
    pace_over(pace);
    struct timer *later = timer_new(loop, (void (*)(void *))loop_stop, loop);
    timer_start(later, PACE_LONG_MS + 50, 0);
    loop_run(loop);
    CU_ASSERT_EQUAL(looked, 0);
    timer_free(&later);
    tear_down();
}

int main(void)
{
    CU_initialize_registry();
    CU_pSuite suite = CU_add_suite("pace", NULL, NULL);
    CU_add_test(suite, "one behind the other", one_behind_the_other);
    CU_add_test(suite, "who is urgent does not wait", who_is_urgent_does_not_wait);
    CU_add_test(suite, "a long one holds nobody up", a_long_one_holds_nobody_up);
    CU_add_test(suite, "nothing is told when it came back", nothing_is_told_when_it_came_back);
    CU_basic_run_tests();
    int failures = (int)CU_get_number_of_failures();
    CU_cleanup_registry();
    return failures > 0;
}
