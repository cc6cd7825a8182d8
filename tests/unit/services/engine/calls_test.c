/* What is kept of what a model's endpoint says of a call. */
#include "assistants.h"
#include "counters.h"
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
        struct turn_llm_call call = calls_empty("stopped");
        calls_describe(arena, &model, &result, &call);
        CU_ASSERT_EQUAL(call.tokens_in, cases[i].kept);
        CU_ASSERT_EQUAL(call.tokens_out, cases[i].kept);
        CU_ASSERT_EQUAL(call.tokens_cached, cases[i].kept);
        CU_ASSERT_EQUAL(call.cost, cases[i].kept < 0 ? -1 : 20 * cases[i].kept);
    }
    arena_free(&arena);
}

static void record(struct session *session, int64_t tokens, const char *model)
{
    struct assistant assistant = {.models = {{.provider = "openai",
                                              .model = "m",
                                              .price_in = 10,
                                              .price_cached = -1,
                                              .price_out = 10}},
                                  .model_count = 1};
    const struct llm_result result = {.model = model,
                                      .request_id = "r",
                                      .tokens_in = tokens,
                                      .tokens_out = 1,
                                      .tokens_cached = -1};
    calls_record(session, &assistant, &result);
}

/* What a turn used is told to the last token, however many calls it made. */
static void calls_beyond_the_rows_are_summed(void)
{
    struct session session = {.call_count = 0};
    counters_init();
    for (int i = 0; i < 100; i++)
        record(&session, 5, "");
    CU_ASSERT_EQUAL(session.call_count, TURN_CALLS_MAX);
    int64_t tokens = 0, cost = 0;
    for (size_t i = 0; i < session.call_count; i++) {
        tokens += session.calls[i].tokens_in + session.calls[i].tokens_out;
        cost += session.calls[i].cost;
    }
    CU_ASSERT_EQUAL(tokens, 600);
    CU_ASSERT_EQUAL(cost, 6000);
    CU_ASSERT_EQUAL(calls_used(&session).tokens, 600);
    CU_ASSERT_EQUAL(calls_used(&session).cost, 6000);
    CU_ASSERT_STRING_EQUAL(session.calls[TURN_CALLS_MAX - 2].outcome, "answered");
    CU_ASSERT_STRING_EQUAL(session.calls[TURN_CALLS_MAX - 1].outcome, "summed");
    calls_record_cut(&session, NULL, CALLS_STOPPED); /* of which nothing is known */
    CU_ASSERT_EQUAL(calls_used(&session).tokens, 600);
    calls_forget(&session);
    CU_ASSERT_EQUAL(session.call_count, 0);
    CU_ASSERT_EQUAL(calls_used(&session).tokens, 0);
}

static void plain_calls_hold_numbers_and_plain_words(void)
{
    struct session session = {.call_count = 0};
    counters_init();
    record(&session, 5, "gpt\xff");
    record(&session, 6, "gpt-5");
    calls_make_plain(&session);
    CU_ASSERT_STRING_EQUAL(session.calls[0].model, "");
    CU_ASSERT_STRING_EQUAL(session.calls[0].provider, "openai");
    CU_ASSERT_STRING_EQUAL(session.calls[0].request_id, "");
    CU_ASSERT_EQUAL(session.calls[0].tokens_in, 5);
    CU_ASSERT_EQUAL(session.calls[0].cost, 60);
    CU_ASSERT_STRING_EQUAL(session.calls[1].model, "gpt-5");
    session.calls[1].provider = session.calls[1].model = NULL; /* nobody knows whose it was */
    calls_make_plain(&session);
    CU_ASSERT_STRING_EQUAL(session.calls[1].provider, "");
    CU_ASSERT_STRING_EQUAL(session.calls[1].model, "");
    calls_forget(&session);
}

int main(void)
{
    CU_initialize_registry();
    CU_pSuite suite = CU_add_suite("calls", NULL, NULL);
    CU_add_test(suite, "counts beyond belief", counts_beyond_belief_are_not_kept);
    CU_add_test(suite, "calls beyond the rows", calls_beyond_the_rows_are_summed);
    CU_add_test(suite, "plain calls", plain_calls_hold_numbers_and_plain_words);
    CU_basic_run_tests();
    return CU_get_number_of_failures() != 0;
}
