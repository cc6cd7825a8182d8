/* What a turn reserves before its first model is asked, what its commit keeps when there was none,
 * which model it waits for, and what counts as an outage when its models' limits do not let it ask.
 */
#include "unit/common/prompt/prompt_rig.h"

#include "assistants.h"
#include "base/clock.h"
#include "breaker.h"
#include "escalate.h"
#include "rate.h"
#include "session.h"

#include <sys/queue.h>

#define PROMPT_TOKENS 20000

struct bench {
    struct engine_shared shared;
    struct engine engine;
    struct sessions sessions;
    struct session session;
    struct assistant assistant;
};

/* A turn with a long conversation, of a tenant with a budget; units are not sent. */
static void begin(struct bench *bench)
{
    *bench = (struct bench){.shared.settings.prompt_tokens = PROMPT_TOKENS};
    bench->engine =
        (struct engine){.shared = &bench->shared, .sessions = &bench->sessions, .retiring = true};
    bench->sessions.engine = &bench->engine;
    TAILQ_INIT(&bench->sessions.reserves);
    bench->assistant = (struct assistant){
        .profile = dentist,
        .workflow = no_workflow,
        .models = {{.max_tokens = 100, .window = 1000}, {.max_tokens = 100, .price_in = 10}},
        .model_count = 2,
        .budget = {{1000, -1, -1}, {-1, -1, -1}}};
    bench->session = (struct session){.engine = &bench->engine,
                                      .state = TURN_THINKING,
                                      .arena = arena,
                                      .briefing = {.ready = true},
                                      .turn = {.context = talk(1, 40, 600),
                                               .events = "{}",
                                               .summary = "",
                                               .earlier = "",
                                               .reception = ""}};
}

static struct usage_amounts wish_of(struct bench *bench)
{
    think_assistant_ready(&bench->session, &bench->assistant);
    CU_ASSERT_PTR_EQUAL_FATAL(TAILQ_FIRST(&bench->sessions.reserves), &bench->session);
    return bench->session.most;
}

/* The first model's window holds little of the conversation, the second one's all: what is reserved
 * is the prompt that the second one would be sent. */
static void the_longest_prompt_of_the_chain_is_reserved(void)
{
    struct bench bench, alone;
    begin(&bench);
    begin(&alone);
    alone.assistant.models[0] = alone.assistant.models[1];
    alone.assistant.model_count = 1;
    const struct usage_amounts both = wish_of(&bench), second = wish_of(&alone);
    CU_ASSERT(second.tokens > 5000);
    CU_ASSERT_EQUAL(both.tokens, second.tokens);
    CU_ASSERT_EQUAL(both.cost, second.cost);
}

/* A turn that begins anew has used something that no commit has counted yet. */
static void what_was_used_before_is_reserved_too(void)
{
    struct bench bench, fresh;
    struct turn_llm_call calls[] = {{.tokens_in = 70, .tokens_out = 7, .cost = 9},
                                    {.tokens_in = -1, .tokens_out = -1, .cost = -1}};
    begin(&bench);
    begin(&fresh);
    bench.session.calls = calls;
    bench.session.call_count = 2;
    const struct usage_amounts most = wish_of(&bench), least = wish_of(&fresh);
    CU_ASSERT_EQUAL(most.tokens, least.tokens + 77);
    CU_ASSERT_EQUAL(most.cost, least.cost + 9);
    CU_ASSERT_EQUAL(most.segments, least.segments);
}

/* The prompt that the reservation measures is sent to nobody. */
static void a_reservation_records_no_prompt(void)
{
    struct bench bench;
    begin(&bench);
    wish_of(&bench);
    CU_ASSERT_PTR_NULL(bench.session.asked.prompt_record);
    CU_ASSERT_PTR_NULL(bench.session.asked.prompt_passages);
    CU_ASSERT_EQUAL(bench.session.asked.left_out, 0);
}

/* ---- limits per minute ---- */

static void never(void *arg)
{
    (void)arg;
}

/* Other turns have taken the second model's one place of this minute. */
static void begin_limited(struct bench *bench)
{
    struct rate_place place;
    begin(bench);
    bench->shared.settings.max_in_flight = 1;
    bench->shared.id_key = secret_new("01234567890123456789012345678901", 32);
    bench->engine.loop = loop_new();
    bench->engine.breakers = breakers_new();
    bench->engine.rates = rates_new(1);
    bench->engine.crowds = crowds_new(1, 100);
    bench->engine.sessions = sessions_new(&bench->engine);
    bench->assistant.models[1] =
        (struct assistant_model){.base_url = "b", .model = "m", .rate = {.requests = 1}};
    bench->assistant.budget = (struct usage_limits){{-1, -1, -1}, {-1, -1, -1}};
    bench->assistant.triggers =
        (struct triggers){.on = {"provider_outage"}, .on_count = 1, .has_rota = true};
    bench->session.timer = timer_new(bench->engine.loop, never, NULL);
    bench->session.turn.assistant = "a";
    bench->session.turn.deadline_ms = 120000;
    bench->session.started_ms = clock_mono_ms();
    rate_take(bench->engine.rates, rate_key(arena, bench->session.tenant, "b", "m"),
              &bench->assistant.models[1].rate, 0, clock_mono_ms(), 0, &place);
}

/* What the turn tells people of if its time ends while it waits for its place. */
static const char *reason_of(struct bench *bench)
{
    struct session *session = &bench->session;
    think_assistant_ready(session, &bench->assistant);
    CU_ASSERT_EQUAL(session->state, TURN_PAUSED);
    session->commit = (struct turn_commit){.outcome = "fallback"};
    escalate_prepare(session, &bench->assistant);
    return session->commit.trigger.reason;
}

static void end_limited(struct bench *bench)
{
    timer_free(&bench->session.timer);
    sessions_free(&bench->engine.sessions);
    rates_free(&bench->engine.rates);
    crowds_free(&bench->engine.crowds);
    breakers_free(&bench->engine.breakers);
    secret_free(&bench->shared.id_key);
    loop_pass(bench->engine.loop);
    loop_free(&bench->engine.loop);
}

/* Guard: `failed` in note_failure. */
static void a_limit_alone_is_no_outage(void)
{
    struct bench bench;
    begin_limited(&bench);
    bench.assistant.models[0] = bench.assistant.models[1];
    CU_ASSERT_PTR_NULL(reason_of(&bench));
    CU_ASSERT_TRUE(bench.session.commit.trigger.calls);
    end_limited(&bench);
}

/* The first model is away, the second one's limit is reached. Guard: `failed` in take_model. */
static void a_model_left_alone_is_an_outage(void)
{
    struct bench bench;
    struct err err;
    begin_limited(&bench);
    err_set(&err, ERR_RETRY_LATER, "http.timeout", "it failed");
    for (int i = 0; i < 5; i++)
        breaker_report(bench.engine.breakers,
                       breaker_key_of(arena, bench.session.tenant, "a", 0, 0), false, &err,
                       clock_mono_ms());
    const char *reason = reason_of(&bench);
    CU_ASSERT_PTR_NOT_NULL_FATAL(reason);
    CU_ASSERT_STRING_EQUAL(reason, "provider_outage");
    end_limited(&bench);
}

/* Without a budget, but with all that limits the calls of models. */
static void begin_limits(struct bench *bench)
{
    begin(bench);
    bench->shared.settings.max_in_flight = 1;
    bench->engine.loop = loop_new();
    bench->engine.breakers = breakers_new();
    bench->engine.rates = rates_new(1);
    bench->engine.crowds = crowds_new(1, 100);
    bench->engine.sessions = sessions_new(&bench->engine);
    bench->assistant.budget = (struct usage_limits){{-1, -1, -1}, {-1, -1, -1}};
}

/* With a chain of which the first model has a place in some 5 s, and the second one is tried by
 * somebody else. */
static void begin_chain(struct bench *bench)
{
    struct err err;
    struct rate_place taken = {.key = NULL};
    const int64_t now_ms = clock_mono_ms();
    bool probe;
    begin_limits(bench);
    for (int i = 0; i < 2; i++) {
        struct assistant_model *model = &bench->assistant.models[i];
        model->base_url = i == 0 ? "http://first" : "http://second";
        model->model = "m";
        model->first_token_ms = 1000;
    }
    struct assistant_model *first = &bench->assistant.models[0];
    first->rate = (struct rate_limits){.requests = 1, .tokens = 100000};
    rate_take(bench->engine.rates, rate_key(arena, "", first->base_url, "m"), &first->rate, 1,
              now_ms - 56000, 0, &taken);
    const char *second = breaker_key_of(arena, "", "desk", 1, 1);
    err_set(&err, ERR_RETRY_LATER, "http.timeout", "it failed");
    err.retry_after_ms = 1;
    breaker_report(bench->engine.breakers, second, false, &err, now_ms - 1000);
    CU_ASSERT_EQUAL_FATAL(breaker_wait_ms(bench->engine.breakers, second, now_ms, &probe), 0);
    CU_ASSERT_TRUE_FATAL(probe);
    bench->session.timer = timer_new(bench->engine.loop, never, NULL);
    bench->session.started_ms = now_ms;
    bench->session.turn.deadline_ms = 60000;
    bench->session.turn.assistant = "desk";
    bench->session.turn.assistant_version = 1;
}

static void end_chain(struct bench *bench)
{
    timer_free(&bench->session.timer);
    sessions_free(&bench->engine.sessions);
    rates_free(&bench->engine.rates);
    crowds_free(&bench->engine.crowds);
    breakers_free(&bench->engine.breakers);
    loop_pass(bench->engine.loop);
    loop_free(&bench->engine.loop);
}

/* Guard: breaker_is_tried; the moment after which a probe is looked at again comes before each
 * place, so that the turn would queue for none. */
static void a_place_is_waited_for_beside_a_probe(void)
{
    struct bench bench;
    begin_chain(&bench);
    think_assistant_ready(&bench.session, &bench.assistant);
    CU_ASSERT_EQUAL(bench.session.state, TURN_PAUSED);
    CU_ASSERT_PTR_NOT_NULL(bench.session.asked.hold.rate.key);
    CU_ASSERT_EQUAL(bench.session.asked.model_index, 0);
    CU_ASSERT_TRUE(bench.session.model_retry_ms > 1000);
    end_chain(&bench);
}

/* A look for a place measures the prompt, which leaves for nobody; and measures it once. */
static void a_look_for_a_place_records_no_prompt(void)
{
    struct bench bench;
    begin_chain(&bench);
    think_assistant_ready(&bench.session, &bench.assistant);
    CU_ASSERT_PTR_NULL(bench.session.asked.prompt_record);
    CU_ASSERT_EQUAL(bench.session.asked.left_out, 0);
    CU_ASSERT_TRUE(bench.session.asked.hold.rate.tokens > 100);
    rate_give_back(bench.engine.rates, &bench.session.asked.hold.rate);
    CU_ASSERT_PTR_NOT_NULL_FATAL(bench.session.measured.tokens);
    bench.session.measured.tokens[0] = 7;
    bench.session.state = TURN_THINKING;
    think_assistant_ready(&bench.session, &bench.assistant);
    CU_ASSERT_EQUAL(bench.session.asked.hold.rate.tokens, 7);
    end_chain(&bench);
}

/* ---- calls at once ---- */

/* Both models of the chain may have one call at once, and have it. */
static void begin_crowded(struct bench *bench, struct crowd_place places[2])
{
    begin_limits(bench);
    bench->engine.llm = llm_new(bench->engine.loop);
    for (int i = 0; i < 2; i++) {
        struct assistant_model *model = &bench->assistant.models[i];
        model->base_url = "http://127.0.0.1:1";
        model->model = i == 0 ? "one" : "two";
        model->concurrent = 1;
        const struct crowd_wish wish = {rate_key(arena, "", model->base_url, model->model), 1,
                                        model->base_url};
        places[i] = (struct crowd_place){NULL, NULL};
        CU_ASSERT_TRUE_FATAL(crowd_take(bench->engine.crowds, &wish, &places[i]));
    }
    bench->session.timer = timer_new(bench->engine.loop, never, NULL);
    bench->session.started_ms = clock_mono_ms();
    bench->session.turn.deadline_ms = 60000;
    bench->session.turn.assistant = "desk";
    bench->session.turn.assistant_version = 1;
}

static void end_crowded(struct bench *bench, struct crowd_place places[2])
{
    struct session *session = &bench->session;
    if (session->asked.call != NULL)
        llm_cancel(bench->engine.llm, session->asked.call);
    session->asked.call = NULL;
    think_stop(session);
    CU_ASSERT_FALSE(asking_holds(&session->asked.hold));
    for (int i = 0; i < 2; i++)
        crowd_give_back(bench->engine.crowds, &places[i]);
    CU_ASSERT_EQUAL(crowds_waiting(bench->engine.crowds), 0);
    llm_free(&bench->engine.llm);
    end_chain(bench);
}

/* The next of the chain is asked, at once, in place of one that has as many calls as it may. */
static void a_crowded_model_is_passed_over(void)
{
    struct crowd_place places[2];
    struct bench bench;
    begin_crowded(&bench, places);
    crowd_give_back(bench.engine.crowds, &places[1]);
    think_assistant_ready(&bench.session, &bench.assistant);
    CU_ASSERT_EQUAL(bench.session.state, TURN_THINKING);
    CU_ASSERT_PTR_NOT_NULL(bench.session.asked.call);
    CU_ASSERT_EQUAL(bench.session.asked.model_index, 1);
    end_crowded(&bench, places);
}

/* A turn that found both as they are. */
static void begin_in_line(struct bench *bench, struct crowd_place places[2])
{
    begin_crowded(bench, places);
    think_assistant_ready(&bench->session, &bench->assistant);
    CU_ASSERT_EQUAL(bench->session.state, TURN_PAUSED);
    CU_ASSERT_EQUAL(crowds_waiting(bench->engine.crowds), 1);
}

/* Where there is no other one the turn waits, as long as its time allows; the place that comes
 * wakes it. What it had it gives back when it is stopped. */
static void a_crowded_chain_is_waited_for(void)
{
    struct crowd_place places[2];
    struct bench bench;
    begin_in_line(&bench, places);
    CU_ASSERT_TRUE(bench.session.model_retry_ms > 50000);
    crowd_give_back(bench.engine.crowds, &places[0]);
    CU_ASSERT_EQUAL(crowds_waiting(bench.engine.crowds), 0);
    bench.session.state = TURN_THINKING; /* as the timer has it */
    think_assistant_ready(&bench.session, &bench.assistant);
    CU_ASSERT_PTR_NOT_NULL(bench.session.asked.call);
    CU_ASSERT_EQUAL(bench.session.asked.model_index, 0);
    CU_ASSERT_FALSE(bench.session.failed);
    end_crowded(&bench, places);
}

/* Its time is over: whoever is behind it in the line is not held up by it. */
static void who_stops_waits_no_more(void)
{
    struct crowd_place places[2];
    struct bench bench;
    begin_in_line(&bench, places);
    end_crowded(&bench, places);
}

/* ---- rounds ---- */

/* A round of the turn whose tools have answered with so many bytes each. */
static void add_round(struct session *session, size_t calls, size_t bytes)
{
    struct rounds_round *round = arena_alloc(arena, sizeof *round);
    *round = (struct rounds_round){.number = ++session->rounds.last_number, .said = ""};
    char *result = arena_alloc(arena, bytes + 1);
    memset(result, 'a', bytes);
    result[bytes] = '\0';
    for (; round->call_count < calls; round->call_count++)
        round->calls[round->call_count] = (struct rounds_call){.provider_id = "c",
                                                               .name = "look",
                                                               .arguments = "{}",
                                                               .done = true,
                                                               .outcome = "ok",
                                                               .result = result};
    session->rounds.items[session->rounds.count++] = round;
}

/* The turn has what it asked for, and goes on. */
static bool reserves_again(struct bench *bench)
{
    struct session *session = &bench->session;
    if (session->list == LIST_RESERVES)
        session_unlist(session);
    session->reserved = true;
    session->state = TURN_THINKING;
    think_assistant_ready(session, &bench->assistant);
    return session->list == LIST_RESERVES;
}

/* Results as long as tools may have them are in each prompt that follows; those that the worst case
 * counted on are asked about no more. Guard: is_reserved; without it a turn uses several times its
 * reservation, and ten at once exceed a budget by ten times that. */
static void long_results_are_reserved_before_they_are_read(void)
{
    struct crowd_place places[2];
    struct bench bench;
    begin_crowded(&bench, places);
    bench.assistant.budget = (struct usage_limits){{1000, -1, -1}, {-1, -1, -1}};
    bench.assistant.call_tools =
        (struct assistant_tools){.items = {{"look", "", "{}"}}, .count = 1};
    think_assistant_ready(&bench.session, &bench.assistant);
    CU_ASSERT_EQUAL_FATAL(bench.session.list, LIST_RESERVES);
    const struct usage_amounts first = bench.session.most;
    add_round(&bench.session, 1, 1000);
    CU_ASSERT_FALSE(reserves_again(&bench));
    add_round(&bench.session, ROUND_CALLS_MAX, 16000);
    CU_ASSERT_TRUE_FATAL(reserves_again(&bench));
    /* four calls more, each with all of that in its prompt */
    CU_ASSERT(bench.session.most.tokens > 4 * ROUND_CALLS_MAX * 16000 / 3);
    CU_ASSERT(bench.session.most.tokens > first.tokens);
    CU_ASSERT_FALSE(reserves_again(&bench));
    bench.session.list = LIST_NONE;
    end_crowded(&bench, places);
}

int main(void)
{
    CU_initialize_registry();
    CU_pSuite suite = CU_add_suite("think", open_arena, close_arena);
    CU_add_test(suite, "the longest prompt", the_longest_prompt_of_the_chain_is_reserved);
    CU_add_test(suite, "what was used before", what_was_used_before_is_reserved_too);
    CU_add_test(suite, "no prompt is recorded", a_reservation_records_no_prompt);
    CU_add_test(suite, "a limit is no outage", a_limit_alone_is_no_outage);
    CU_add_test(suite, "a model left alone is one", a_model_left_alone_is_an_outage);
    CU_add_test(suite, "a place beside a probe", a_place_is_waited_for_beside_a_probe);
    CU_add_test(suite, "a look for a place", a_look_for_a_place_records_no_prompt);
    CU_add_test(suite, "a crowded model", a_crowded_model_is_passed_over);
    CU_add_test(suite, "a crowded chain", a_crowded_chain_is_waited_for);
    CU_add_test(suite, "who stops", who_stops_waits_no_more);
    CU_add_test(suite, "long results", long_results_are_reserved_before_they_are_read);
    CU_basic_run_tests();
    return CU_get_number_of_failures() != 0;
}
