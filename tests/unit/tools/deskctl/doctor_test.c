/* Unit tests of what doctor judges by numbers: clocks and forgotten jobs. */
#include "doctor.h"

#include <CUnit/Basic.h>

static void test_skew(void)
{
    static const struct {
        int64_t skew_ms;
        bool harmless;
    } cases[] = {
        {0, true},          {1999, true},       {2000, true},      {-2000, true},
        {2001, false},      {-2001, false},     {86400000, false}, {-86400000, false},
        {INT64_MAX, false}, {INT64_MIN, false},
    };
    for (size_t i = 0; i < sizeof cases / sizeof cases[0]; i++)
        CU_ASSERT_EQUAL(doctor_skew_is_harmless(cases[i].skew_ms), cases[i].harmless);
}

static void test_forgotten(void)
{
    CU_ASSERT_FALSE(doctor_job_is_forgotten(0));
    CU_ASSERT_FALSE(doctor_job_is_forgotten(45 * 60 * 1000));
    CU_ASSERT_TRUE(doctor_job_is_forgotten(45 * 60 * 1000 + 1));
}

int main(void)
{
    CU_initialize_registry();
    CU_pSuite suite = CU_add_suite("doctor", NULL, NULL);
    CU_add_test(suite, "skew", test_skew);
    CU_add_test(suite, "forgotten", test_forgotten);
    CU_basic_run_tests();
    unsigned failures = CU_get_number_of_failures();
    CU_cleanup_registry();
    return failures > 0 ? 1 : 0;
}
