/* Model calls that no commit takes, while the database is away and while the process ends. */
#include "counters.h"
#include "unit/services/engine/bench.h"

#include <stddef.h>

/* Of a turn that waits to begin anew: a call that was answered, or one that was stopped before its
 * prompt had left. */
static struct session *waiting(bool answered)
{
    static const struct assistant assistant = {.models = {{.provider = "p", .model = "m"}},
                                               .model_count = 1};
    const struct llm_result result = {
        .model = "", .request_id = "", .tokens_in = 5, .tokens_out = 1, .tokens_cached = -1};
    const struct llm_result unsent = {
        .text = "", .model = "", .tokens_in = -1, .tokens_out = -1, .tokens_cached = -1};
    struct session *session = bench_session();
    if (answered)
        calls_record(session, &assistant, &result);
    else
        calls_record_cut(session, &assistant, CALLS_STOPPED, &unsent);
    return session;
}

static int64_t lost_of(int answered, int stopped)
{
    const int64_t before = metric_value(counters.calls_lost);
    for (int i = 0; i < stopped; i++)
        leftovers_take(bench.leftovers, waiting(false));
    for (int i = 0; i < answered; i++)
        leftovers_take(bench.leftovers, waiting(true));
    return metric_value(counters.calls_lost) - before;
}

/* All sessions that may be in memory can be lost at once. Guard: the limit of the setting. */
static void as_many_as_sessions_are_kept(void)
{
    bench_begin(2);
    CU_ASSERT_EQUAL(lost_of(4, 0), 0);
    CU_ASSERT_EQUAL(lost_of(1, 0), 1);
    bench_end();
}

/* Nothing would be counted of them. Guard: their own number. */
static void stopped_calls_take_no_ones_place(void)
{
    bench_begin(2);
    CU_ASSERT_EQUAL(lost_of(4, 4), 0);
    CU_ASSERT_EQUAL(lost_of(0, 1), 1); /* and are bounded too */
    bench_end();
}

/* Guard: in the last step of a drain sessions are dropped before nothing is sent any more. */
static void a_drain_waits_for_the_calls_of_who_waits(void)
{
    static max_align_t nothing_in_hand[64]; /* an intake, as it is when it does nothing */
    bench_begin(2);
    waiting(true);
    bench.intake = bench.voice_intake = (struct intake *)nothing_in_hand;
    bench.draining = true;
    engine_drain_step(&bench);
    CU_ASSERT_FALSE(bench.retiring);
    CU_ASSERT_FALSE(leftovers_idle(bench.leftovers));
    CU_ASSERT_EQUAL(sessions_count(bench.sessions), 0);
    bench_end();
}

int main(void)
{
    CU_initialize_registry();
    counters_init();
    CU_pSuite suite = CU_add_suite("leftovers", NULL, NULL);
    CU_add_test(suite, "as many as sessions", as_many_as_sessions_are_kept);
    CU_add_test(suite, "stopped calls", stopped_calls_take_no_ones_place);
    CU_add_test(suite, "a drain", a_drain_waits_for_the_calls_of_who_waits);
    CU_basic_run_tests();
    return CU_get_number_of_failures() != 0;
}
