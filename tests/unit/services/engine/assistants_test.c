/* Who is told of an assistant's version that was read, or could not be. */
#include "unit/services/engine/bench.h"

/* Both waited for version 1; one of them began anew meanwhile, by version 2. Guard: waits_for;
 * without it a session is told of a chain that its calls are not counted by. */
static void a_session_is_told_of_its_own_version(void)
{
    bench_begin(2);
    struct session *stays = bench_turn(1, "{SM1}"), *anew = bench_turn(1, "{SM2}");
    CU_ASSERT_PTR_NULL(think_assistant(stays));
    CU_ASSERT_PTR_NULL(think_assistant(anew));
    anew->turn.assistant_version = 2;
    bench.retiring = true; /* then what the database did not answer is not asked again */
    pg_free(&bench.pg);
    CU_ASSERT_EQUAL(stays->state, TURN_COMMITTING); /* no model can be had */
    CU_ASSERT_EQUAL(anew->state, TURN_THINKING);
    bench_end();
}

int main(void)
{
    CU_initialize_registry();
    CU_pSuite suite = CU_add_suite("assistants", NULL, NULL);
    CU_add_test(suite, "its own version", a_session_is_told_of_its_own_version);
    CU_basic_run_tests();
    return CU_get_number_of_failures() != 0;
}
