/* Paths of sockets are good once, for as long as they live. */
#include "spent.h"

#include <CUnit/Basic.h>
#include <stdio.h>

#define NOW_S 1790000000

static bool take(struct spent *spent, int mac, int64_t expires_s, int64_t now_s)
{
    char path[128];
    snprintf(path, sizeof path, "/relay/tenant/call/%lld/%064d", (long long)expires_s, mac);
    return spent_take(spent, path, expires_s, now_s);
}

static void a_path_is_good_once(void)
{
    struct spent *spent = spent_new(SPENT_MAX);
    CU_ASSERT_TRUE(take(spent, 1, NOW_S + 60, NOW_S));
    CU_ASSERT_FALSE(take(spent, 1, NOW_S + 60, NOW_S));
    CU_ASSERT_TRUE(take(spent, 2, NOW_S + 60, NOW_S));
    CU_ASSERT_FALSE(take(spent, 1, NOW_S + 60, NOW_S + 60)); /* it is good in this second */
    CU_ASSERT_TRUE(take(spent, 3, NOW_S + 121, NOW_S + 61));
    CU_ASSERT_TRUE(take(spent, 1, NOW_S + 60, NOW_S + 61)); /* over: nobody lets it in */
    spent_free(&spent);
    CU_ASSERT_PTR_NULL(spent);
    spent_free(&spent);
}

/* Clocks of several processes made them: one that lives longer is in front of one that is over. */
static void the_order_of_expiries_does_not_matter(void)
{
    struct spent *spent = spent_new(SPENT_MAX);
    CU_ASSERT_TRUE(take(spent, 1, NOW_S + 90, NOW_S));
    CU_ASSERT_TRUE(take(spent, 2, NOW_S + 60, NOW_S));
    CU_ASSERT_TRUE(take(spent, 3, NOW_S + 121, NOW_S + 61));
    CU_ASSERT_FALSE(take(spent, 1, NOW_S + 90, NOW_S + 61));
    spent_free(&spent);
}

static void they_are_bounded(void)
{
    struct spent *spent = spent_new(3);
    for (int mac = 1; mac <= 4; mac++)
        CU_ASSERT_TRUE(take(spent, mac, NOW_S + 60, NOW_S));
    for (int mac = 2; mac <= 4; mac++)
        CU_ASSERT_FALSE(take(spent, mac, NOW_S + 60, NOW_S));
    CU_ASSERT_TRUE(take(spent, 1, NOW_S + 60, NOW_S)); /* the oldest was forgotten */
    spent_free(&spent);
}

int main(void)
{
    CU_initialize_registry();
    CU_pSuite suite = CU_add_suite("spent", NULL, NULL);
    CU_add_test(suite, "a path is good once", a_path_is_good_once);
    CU_add_test(suite, "the order of expiries", the_order_of_expiries_does_not_matter);
    CU_add_test(suite, "they are bounded", they_are_bounded);
    CU_basic_run_tests();
    return CU_get_number_of_failures() != 0;
}
