/* Ingress's settings: what they allow keeps the promises. */
#include "settings.h"

#include <CUnit/Basic.h>
#include <string.h>

#include "base/strbuf.h"

/* Whether the table takes the value. */
static bool takes(const char *argument)
{
    struct ingress_settings settings = {.listen = NULL};
    const char *const arguments[] = {"--instance=i1",
                                     "--kafka-brokers=127.0.0.1:9092",
                                     "--public-url=https://desk.example.com",
                                     "--listen=127.0.0.1:8081",
                                     "--edge-secret-key-file=/dev/null",
                                     argument,
                                     NULL};
    const struct config_sources sources = {.arguments = arguments};
    struct strbuf problems;
    struct err err;
    strbuf_init(&problems, 65536);
    const bool taken = config_load(ingress_config, ingress_config_count, &sources, &settings,
                                   &problems, &err) == 0;
    config_free(ingress_config, ingress_config_count, &settings);
    CU_ASSERT(taken || strstr(problems.data, "step_wait_ms") != NULL);
    strbuf_fini(&problems);
    return taken;
}

/* P6: while a step waits the caller hears nothing, and 4.5 s of it at most. */
static void test_a_step_waits_for_less_than_a_silence(void)
{
    CU_ASSERT_TRUE(takes("--step-wait-ms=100ms"));
    CU_ASSERT_TRUE(takes("--step-wait-ms=4s"));
    CU_ASSERT_FALSE(takes("--step-wait-ms=4001ms"));
    CU_ASSERT_FALSE(takes("--step-wait-ms=10s"));
}

int main(void)
{
    CU_initialize_registry();
    CU_pSuite suite = CU_add_suite("settings", NULL, NULL);
    CU_add_test(suite, "a step's wait", test_a_step_waits_for_less_than_a_silence);
    CU_basic_set_mode(CU_BRM_VERBOSE);
    CU_basic_run_tests();
    unsigned int failures = CU_get_number_of_failures();
    CU_cleanup_registry();
    return failures > 0;
}
