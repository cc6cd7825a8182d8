/* Which step, or which prompt, a turn answers, by the events that its own prompt holds. */
#include "voice_step.h"

#include <CUnit/Basic.h>

#define CALL "CA00000000000000000000000000000101"

static void test_step_of(void)
{
    static const struct {
        const char *events;
        int64_t step;
    } cases[] = {
        {"{" CALL ":3}", 3},
        {"{" CALL ":3," CALL ":12," CALL ":4}", 12},
        {"{" CALL ":VX00000000000000000000000000000101:3}", 0},
        {"{CA00000000000000000000000000000102:3}", 0},
        {"{" CALL ":0}", 0},
        {"{" CALL ":3:wait:1}", 0},
        {"{" CALL "}", 0},
        {"{}", 0},
        {"", 0},
    };
    for (size_t i = 0; i < sizeof cases / sizeof cases[0]; i++)
        CU_ASSERT_EQUAL(voice_step_of(cases[i].events, CALL), cases[i].step);
}

static void test_prompt_of(void)
{
    static const struct {
        const char *events;
        int64_t prompt;
    } cases[] = {
        {"{" CALL ":VX00000000000000000000000000000101:3}", 3},
        {"{" CALL ":VX00000000000000000000000000000101:9," CALL
         ":VX00000000000000000000000000000101:12," CALL ":VX00000000000000000000000000000102:1}",
         12},
        {"{" CALL ":VX00000000000000000000000000000101:0}", 0},
        {"{" CALL ":VX00000000000000000000000000000101:1000000001}", 0},
        {"{" CALL ":3}", 0},
        {"{" CALL ":3:wait:1}", 0},
        {"{" CALL ":dialled:018f9c3e-6000-7000-8000-000000000004}", 0},
        {"{CA00000000000000000000000000000102:VX00000000000000000000000000000101:3}", 0},
        {"{}", 0},
        {"", 0},
    };
    for (size_t i = 0; i < sizeof cases / sizeof cases[0]; i++)
        CU_ASSERT_EQUAL(voice_prompt_of(cases[i].events, CALL), cases[i].prompt);
}

int main(void)
{
    CU_initialize_registry();
    CU_pSuite suite = CU_add_suite("voice_step", NULL, NULL);
    CU_add_test(suite, "step of", test_step_of);
    CU_add_test(suite, "prompt of", test_prompt_of);
    CU_basic_set_mode(CU_BRM_VERBOSE);
    CU_basic_run_tests();
    unsigned int failures = CU_get_number_of_failures();
    CU_cleanup_registry();
    return failures > 0;
}
