/* What a summary takes of its model's limits per minute, on a real PostgreSQL: only a call does. */
#include "unit/common/store/turn_rig.h"

#include "assistants.h"
#include "breaker.h"
#include "session.h"
#include "summary.h"

#define ASSISTANT "00000000-0000-7000-8000-0000000000a1"
#define CLOSED    "http://127.0.0.1:1" /* nobody listens */

static struct engine_shared shared;
static struct engine engine;
static struct session session;

static bool has_assistant(void)
{
    return think_assistant(&session) != NULL;
}

static bool is_claiming(void)
{
    return summaries_in_flight(engine.summaries);
}

static bool is_over(void)
{
    return !summaries_in_flight(engine.summaries);
}

/* A turn was answered, its prompt left all out, and its tenant may use so many tokens a day. */
static void begin_engine(int tokens)
{
    begin_test();
    run(arena_printf(arena,
                     "INSERT INTO assistant_versions VALUES ('" TENANT "', '" ASSISTANT "', 1,"
                     " '{\"models\": [{\"base_url\": \"" CLOSED "\", \"model\": \"m\","
                     " \"requests_per_minute\": 1, \"first_token_ms\": 5000}],"
                     " \"budgets\": {\"day\": {\"tokens\": %d}}}', 'test', now())"
                     " ON CONFLICT (tenant_id, assistant_id, version)"
                     " DO UPDATE SET config = EXCLUDED.config",
                     tokens));
    struct claims claimed = claim_one(WORKER_A, 1, 1, "I am Ada");
    struct turn_started turn = start(WORKER_A, &claimed.rows[0]);
    struct turn_commit reply = commit_of(&claimed.rows[0], &turn);
    CU_ASSERT_EQUAL_FATAL(commit(WORKER_A, &reply).kind, TURN_COMMITTED);
    shared = (struct engine_shared){.settings.prompt_tokens = 4000};
    engine = (struct engine){.shared = &shared, .loop = rig_loop, .pg = rig_pg};
    engine.assistants = assistants_new(&engine);
    engine.breakers = breakers_new();
    engine.rates = rates_new(1);
    engine.llm = llm_new(rig_loop);
    engine.summaries = summaries_new(&engine);
    session = (struct session){
        .engine = &engine, .tenant = TENANT, .turn = turn, .commit = reply, .left_out = INT64_MAX};
    session.turn.assistant = ASSISTANT;
    session.turn.assistant_version = 1;
    CU_ASSERT_TRUE_FATAL(rig_until(has_assistant));
    summaries_after(engine.summaries, &session);
    CU_ASSERT_TRUE_FATAL(rig_until(is_claiming));
}

static void end_engine(void)
{
    pg_free(&rig_pg);
    summaries_free(&engine.summaries);
    assistants_free(&engine.assistants);
    breakers_free(&engine.breakers);
    rates_free(&engine.rates);
    llm_free(&engine.llm);
    end_test();
}

/* In how many ms the model may be asked. */
static int64_t next_place_ms(void)
{
    const struct assistant_model *model = &think_assistant(&session)->models[0];
    struct rate_place place = {.key = NULL};
    return rate_take(engine.rates, rate_key(arena, TENANT, model->base_url, model->model),
                     &model->rate, 1, clock_mono_ms(), 0, &place);
}

/* Guard: the place is taken by who has the claim; else a budget that is spent keeps turns from
 * their model. */
static void a_claim_that_is_refused_takes_no_place(void)
{
    begin_engine(1);
    CU_ASSERT_TRUE_FATAL(rig_until(is_over));
    CU_ASSERT_STRING_EQUAL(value("SELECT count(*) FROM summary_claims"), "0");
    CU_ASSERT_EQUAL(next_place_ms(), 0);
    end_engine();
}

static bool is_called(void)
{
    return is_over() &&
           strcmp(value("SELECT count(*) FROM llm_calls WHERE purpose = 'summary'"), "1") == 0;
}

static void a_call_takes_one(void)
{
    begin_engine(1000000);
    CU_ASSERT_TRUE_FATAL(rig_until(is_called));
    CU_ASSERT_TRUE(next_place_ms() > 0);
    end_engine();
}

int main(void)
{
    CU_initialize_registry();
    CU_pSuite suite = CU_add_suite("engine summaries", open_server, rig_end_server);
    CU_add_test(suite, "a refused claim", a_claim_that_is_refused_takes_no_place);
    CU_add_test(suite, "a call", a_call_takes_one);
    CU_basic_run_tests();
    return CU_get_number_of_failures() != 0;
}
