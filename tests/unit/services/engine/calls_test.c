/* What is kept of what a model's endpoint says of a call. */
#include "assistants.h"
#include "session.h"

#include <CUnit/Basic.h>
#include <CUnit/CUnit.h>

/* A count that no call can have would overflow the tenant's sum, and with it every later commit. */
static void counts_beyond_belief_are_not_kept(void)
{
    static const struct {
        int64_t said, kept;
    } cases[] = {{0, 0}, {1000000000, 1000000000}, {1000000001, -1}, {INT64_MAX, -1}, {-1, -1}};
    const struct assistant_model model = {
        .provider = "openai", .model = "m", .price_in = 10, .price_cached = -1, .price_out = 10};
    struct arena *arena = arena_new();
    for (size_t i = 0; i < sizeof cases / sizeof *cases; i++) {
        const struct llm_result result = {.model = "",
                                          .request_id = "",
                                          .tokens_in = cases[i].said,
                                          .tokens_out = cases[i].said,
                                          .tokens_cached = cases[i].said};
        struct turn_llm_call call = {.started_ms = 1};
        calls_describe(arena, &model, &result, &call);
        CU_ASSERT_EQUAL(call.tokens_in, cases[i].kept);
        CU_ASSERT_EQUAL(call.tokens_out, cases[i].kept);
        CU_ASSERT_EQUAL(call.tokens_cached, cases[i].kept);
        CU_ASSERT_EQUAL(call.cost, cases[i].kept < 0 ? -1 : 20 * cases[i].kept);
    }
    arena_free(&arena);
}

int main(void)
{
    CU_initialize_registry();
    CU_pSuite suite = CU_add_suite("calls", NULL, NULL);
    CU_add_test(suite, "counts beyond belief", counts_beyond_belief_are_not_kept);
    CU_basic_run_tests();
    return CU_get_number_of_failures() != 0;
}
