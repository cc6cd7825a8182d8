/* What a proxy tells of a request's beginning, and what is taken for a clock that is wrong. */
#include "request_start.h"

#include <CUnit/Basic.h>

#define NOW_MS 1796130901217

static void it_is_told_in_seconds(void)
{
    CU_ASSERT_EQUAL(request_start_ago_ms("t=1796130901.217", NOW_MS), 0);
    CU_ASSERT_EQUAL(request_start_ago_ms("t=1796130901.216", NOW_MS), 1);
    CU_ASSERT_EQUAL(request_start_ago_ms("t=1796130898.009", NOW_MS), 3208);
}

static void a_wrong_clock_tells_nothing(void)
{
    CU_ASSERT_EQUAL(request_start_ago_ms("t=1796130886.217", NOW_MS), REQUEST_START_MAX_MS);
    CU_ASSERT_EQUAL(request_start_ago_ms("t=1796130886.216", NOW_MS), 0);
    CU_ASSERT_EQUAL(request_start_ago_ms("t=1796130901.218", NOW_MS), 0);
    CU_ASSERT_EQUAL(request_start_ago_ms("t=0.000", NOW_MS), 0);
    CU_ASSERT_EQUAL(request_start_ago_ms("t=99999999999.999", NOW_MS), 0);
}

static void what_is_none_tells_nothing(void)
{
    static const char *const none[] = {
        "",
        "t=",
        ".217",
        "t=.217",
        "t=1796130900",
        "t=1796130900.21",
        "t=1796130900.2170",
        "t=1796130900.21x",
        "t=1796130900.-17",
        "t=-796130900.217",
        "t=1796130900217.217",
        "t=1796130900217179613.217",
        "1796130900.217",
        "t=1796130900.217, t=1796130900.217",
    };
    CU_ASSERT_EQUAL(request_start_ago_ms(NULL, NOW_MS), 0);
    for (size_t i = 0; i < sizeof none / sizeof none[0]; i++)
        CU_ASSERT_EQUAL(request_start_ago_ms(none[i], NOW_MS), 0);
}

int main(void)
{
    CU_initialize_registry();
    CU_pSuite suite = CU_add_suite("request_start", NULL, NULL);
    CU_add_test(suite, "it is told in seconds", it_is_told_in_seconds);
    CU_add_test(suite, "a wrong clock tells nothing", a_wrong_clock_tells_nothing);
    CU_add_test(suite, "what is none tells nothing", what_is_none_tells_nothing);
    CU_basic_run_tests();
    return CU_get_number_of_failures() != 0;
}
