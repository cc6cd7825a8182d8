/* Settings that must fit one another. */
#include "settings.h"

#include <CUnit/Basic.h>
#include <CUnit/CUnit.h>
#include <string.h>

struct row {
    int64_t lease_ms, heard_ms, session_ms, heartbeat_ms;
    bool good;
};

static void test_heard_is_waited_for_long_enough(void)
{
    static const struct row rows[] = {
        {4000, 6000, 6000, 500, true}, /* as they are by default */
        {4000, 3500, 6000, 500, true}, /* just enough */
        {4000, 3499, 6000, 500, false},   {2000, 4000, 6000, 500, false},
        {2000, 4000, 3000, 300, true},    {4000, 0, 6000, 500, false},
        {60000, 0, 6000, 500, true},      {4000, 6000, 6000, 60000, false},
        {200, 30000, 300000, 100, false},
    };
    for (size_t i = 0; i < sizeof rows / sizeof rows[0]; i++) {
        const struct engine_settings settings = {.worker_lease_ms = rows[i].lease_ms,
                                                 .voice_heard_wait_ms = rows[i].heard_ms,
                                                 .voice_session_timeout_ms = rows[i].session_ms,
                                                 .voice_heartbeat_ms = rows[i].heartbeat_ms};
        struct err err = {0};
        int result = settings_check(&settings, &err);
        CU_ASSERT_EQUAL(result, rows[i].good ? 0 : -1);
        if (!rows[i].good) {
            CU_ASSERT_STRING_EQUAL(err.code, "config.invalid");
            CU_ASSERT_PTR_NOT_NULL(strstr(err.message, "voice_heard_wait_ms must be at least"));
        }
    }
}

int main(void)
{
    if (CU_initialize_registry() != CUE_SUCCESS)
        return 1;
    CU_pSuite suite = CU_add_suite("settings", NULL, NULL);
    CU_add_test(suite, "heard is waited for long enough", test_heard_is_waited_for_long_enough);
    CU_basic_run_tests();
    unsigned failures = CU_get_number_of_failures();
    CU_cleanup_registry();
    return failures != 0;
}
