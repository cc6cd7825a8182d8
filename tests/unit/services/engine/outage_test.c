/* What counts as an outage of the models when a turn ends without one: only that one was asked and
 * did not answer (think_test.c: or is left alone for that). Guard of each: `failed` of the session.
 */
#include "unit/services/engine/bench.h"

#include "base/clock.h"
#include "breaker.h"
#include "counters.h"
#include "escalate.h"
#include "rate.h"

#define TEXT                                                                                       \
    "[{\"position\":1,\"author\":\"contact\",\"text\":\"hi\",\"open\":true,\"event\":\"SM1\"}]"

static const struct assistant one_model = {
    .profile = {.language = "en"},
    .workflow = {.timezone = "UTC"},
    .fixed = {.text = "rules"},
    .models = {{.provider = "p", .base_url = "http://127.0.0.1:1", .model = "m"}},
    .model_count = 1,
    .budget = {{-1, -1, -1}, {-1, -1, -1}},
    .triggers = {.on = {"provider_outage"}, .on_count = 1, .has_rota = true},
};

/* A turn with a text, of which a model may be asked now; units are not sent. */
static struct session *begin(void)
{
    bench_begin(2);
    bench_shared.id_key = secret_new("01234567890123456789012345678901", 32);
    bench_shared.settings.prompt_tokens = 4000;
    bench.retiring = true;
    bench.breakers = breakers_new();
    bench.rates = rates_new(1);
    bench.crowds = crowds_new(1, 100);
    bench.llm = llm_new(bench.loop);
    struct session *session = bench_turn(1, "{SM1}");
    session->turn.context = TEXT;
    session->turn.deadline_ms = 60000;
    session->started_ms = clock_mono_ms();
    session->briefing.ready = true;
    return session;
}

/* What people are told of when the turn has come to the fallback wording. */
static const char *reason_of(struct session *session)
{
    CU_ASSERT_EQUAL(session->state, TURN_COMMITTING);
    CU_ASSERT_STRING_EQUAL(session->commit.outcome, "fallback");
    escalate_prepare(session, &one_model);
    CU_ASSERT_TRUE(session->commit.trigger.calls);
    return session->commit.trigger.reason;
}

static void end(void)
{
    llm_free(&bench.llm);
    bench_end();
    rates_free(&bench.rates);
    crowds_free(&bench.crowds);
    breakers_free(&bench.breakers);
    secret_free(&bench_shared.id_key);
}

static void a_model_that_does_not_answer_is_one(void)
{
    struct session *session = begin();
    think_assistant_ready(session, &one_model);
    CU_ASSERT_PTR_NOT_NULL_FATAL(session->asked.call);
    session_apply(session, EVENT_DEADLINE);
    const char *reason = reason_of(session);
    CU_ASSERT_PTR_NOT_NULL_FATAL(reason);
    CU_ASSERT_STRING_EQUAL(reason, "provider_outage");
    end();
}

static void no_model_is_none(void)
{
    struct assistant nobody = one_model;
    struct session *session = begin();
    nobody.model_count = 0;
    think_assistant_ready(session, &nobody);
    CU_ASSERT_PTR_NULL(reason_of(session));
    end();
}

/* Whatever the model before it in the chain did. */
static void a_prompt_that_cannot_be_built_is_none(void)
{
    struct session *session = begin();
    session->failed = true;
    session->turn.context = "{";
    think_assistant_ready(session, &one_model);
    session->turn.context = TEXT;
    CU_ASSERT_PTR_NULL(session->asked.call);
    CU_ASSERT_PTR_NULL(session->commit.trigger.reason);
    CU_ASSERT_PTR_NULL(reason_of(session));
    end();
}

/* The model answered: it asked for the tool. */
static void a_tool_at_the_deadline_is_none(void)
{
    struct session *session = begin();
    session->state = TURN_ACTING;
    session_apply(session, EVENT_DEADLINE);
    CU_ASSERT_PTR_NULL(reason_of(session));
    end();
}

int main(void)
{
    CU_initialize_registry();
    counters_init();
    CU_pSuite suite = CU_add_suite("outage", NULL, NULL);
    CU_add_test(suite, "no answer", a_model_that_does_not_answer_is_one);
    CU_add_test(suite, "no model", no_model_is_none);
    CU_add_test(suite, "no prompt", a_prompt_that_cannot_be_built_is_none);
    CU_add_test(suite, "a tool", a_tool_at_the_deadline_is_none);
    CU_basic_run_tests();
    return CU_get_number_of_failures() != 0;
}
