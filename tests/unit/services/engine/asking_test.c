/* What the end of a call tells the limits per minute, whatever a provider says it counted. */
#include "asking.h"

#include <CUnit/Basic.h>
#include <stdint.h>

#include "base/arena.h"
#include "breaker.h"
#include "llm/llm.h"

static struct engine engine;
static const struct rate_limits limits = {.tokens = 1000};

/* Ends a call for which 100 tokens were guessed, at that second. */
static void end_call(int64_t second, int64_t tokens_in, int64_t tokens_out)
{
    struct asking_hold hold = {.is_probe = false};
    const struct asking_model which = {.tenant = "t", .breaker = "b", .account = "a"};
    const struct llm_result result = {
        .status = 200, .tokens_in = tokens_in, .tokens_out = tokens_out};
    CU_ASSERT_EQUAL_FATAL(rate_take(engine.rates, "a", &limits, 100, second * 1000, 0, &hold.rate),
                          0);
    asking_ended(&engine, &which, &hold, &result);
    CU_ASSERT_FALSE(asking_holds(&hold));
}

static bool has_room(int64_t tokens)
{
    struct rate_place place = {.key = NULL};
    const bool found = rate_take(engine.rates, "a", &limits, tokens, 3000, 0, &place) == 0;
    rate_give_back(engine.rates, &place);
    return found;
}

static void test_counts(void)
{
    static const struct {
        int64_t in, out, left; /* of 1000, behind two calls in the same second */
    } cases[] = {
        {50, 50, 800},
        {10, 20, 940},
        {-1, 20, 800}, /* it did not say: the guess stays */
        {10, -1, 800},
        {INT64_MAX / 2, INT64_MAX / 2, 800}, /* beyond belief */
        {INT64_MAX / 4 * 3, INT64_MAX / 2, 800},
        {(int64_t)1 << 61, (int64_t)1 << 61, 800},
    };
    for (size_t i = 0; i < sizeof cases / sizeof cases[0]; i++) {
        engine = (struct engine){
            .rates = rates_new(1), .breakers = breakers_new(), .crowds = crowds_new(1, 10)};
        end_call(1, cases[i].in, cases[i].out);
        end_call(1, cases[i].in, cases[i].out);
        CU_ASSERT_TRUE(has_room(cases[i].left));
        CU_ASSERT_FALSE(has_room(cases[i].left + 1));
        rates_free(&engine.rates);
        breakers_free(&engine.breakers);
        crowds_free(&engine.crowds);
    }
}

int main(void)
{
    CU_initialize_registry();
    CU_pSuite suite = CU_add_suite("asking", NULL, NULL);
    CU_add_test(suite, "what a provider counted", test_counts);
    CU_basic_set_mode(CU_BRM_VERBOSE);
    CU_basic_run_tests();
    const unsigned failures = CU_get_number_of_failures();
    CU_cleanup_registry();
    return failures > 0;
}
