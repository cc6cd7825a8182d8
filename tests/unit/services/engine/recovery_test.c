/* What comes next for a tenant of whom something was answered without a model. */
#include "recovery.h"

#include <CUnit/Basic.h>
#include <CUnit/CUnit.h>

#define EVERY  2000
#define WORKER "w"

static const struct uuid some_turn = {{1}};

static void what_comes_next(void)
{
    static const struct {
        bool busy, left, failed, no_model;
        int64_t failed_ms;
        int tries;
        bool answers;
        int64_t next_ms;
        int next_tries;
    } cases[] = {
        {true, true, false, false, 0, 1, false, EVERY, 1}, /* under way */
        {true, false, false, false, 0, 1, false, EVERY, 1},
        {false, false, false, false, 0, 3, false, -1, 0}, /* none is left */
        {false, true, false, false, 0, 0, true, EVERY, 1},
        {false, true, false, false, 0, 5, true, EVERY, 1},              /* the last one went well */
        {false, true, true, true, 1000, 1, false, 8 * EVERY - 1000, 1}, /* the pause */
        {false, true, true, true, 8 * EVERY, 1, true, EVERY, 2},        /* is over */
        {false, true, true, true, 8 * EVERY, 2, false, 8 * EVERY, 2},   /* twice as long */
        {false, true, true, true, 300000, 40, true, EVERY, 41},         /* but not for ever */
        {false, true, true, false, 300000, 1, false, 600000, 1},        /* closed, or spent */
        {false, true, true, false, 900000, 1, true, EVERY, 2},
    };
    for (size_t i = 0; i < sizeof cases / sizeof *cases; i++) {
        const struct recover_due due = {.tries = cases[i].tries,
                                        .busy = cases[i].busy,
                                        .turn = cases[i].left ? some_turn : (struct uuid){{0}},
                                        .failed = cases[i].failed,
                                        .failed_ms = cases[i].failed_ms,
                                        .no_model = cases[i].no_model};
        struct recover_step step;
        recovery_plan(&due, EVERY, WORKER, &step);
        CU_ASSERT_EQUAL(step.worker != NULL, cases[i].answers);
        CU_ASSERT_EQUAL(step.next_ms, cases[i].next_ms);
        CU_ASSERT_EQUAL(step.tries, cases[i].next_tries);
    }
}

static void the_pause_doubles(void)
{
    CU_ASSERT_EQUAL(recovery_pause_ms(EVERY, 0), 16000);
    CU_ASSERT_EQUAL(recovery_pause_ms(EVERY, 1), 16000);
    CU_ASSERT_EQUAL(recovery_pause_ms(EVERY, 2), 32000);
    CU_ASSERT_EQUAL(recovery_pause_ms(EVERY, 5), 256000);
    CU_ASSERT_EQUAL(recovery_pause_ms(EVERY, 6), 300000);
    CU_ASSERT_EQUAL(recovery_pause_ms(EVERY, 2000000000), 300000);
    CU_ASSERT_EQUAL(recovery_pause_ms(600000, 1), 300000);
}

int main(void)
{
    CU_initialize_registry();
    CU_pSuite suite = CU_add_suite("recovery", NULL, NULL);
    CU_add_test(suite, "what comes next", what_comes_next);
    CU_add_test(suite, "the pause doubles", the_pause_doubles);
    CU_basic_run_tests();
    return CU_get_number_of_failures() != 0;
}
