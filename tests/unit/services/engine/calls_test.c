/* What is kept of what a model's endpoint says of a call. */
#include "assistants.h"
#include "copies.h"
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
        calls_describe(arena, &model, &result, 7, &call);
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

/* ---- what nobody told ---- */

#define PROMPT 40 /* tokens, by our estimate */

/* Each way in which a call can end, with what its vendor told; of the counts, -1 is nothing. */
static const struct way {
    const char *name;
    int status;
    bool sent;
    int64_t told_in, told_out;
    const char *text;
    size_t argument_bytes;
    int64_t in, out;
} ways[] = {
    {"all told", 200, true, 5, 2, "Hello there", 0, 5, 2},
    {"no usage", 200, true, -1, -1, "Hello there", 0, PROMPT, 4},
    {"no usage, with calls of tools", 200, true, -1, -1, "Hm.", 30, PROMPT, 11},
    {"the prompt alone is told", 200, true, 5, -1, "Hello", 0, 5, 2},
    {"cut in the middle", 200, true, -1, -1, "Hello", 0, PROMPT, 2},
    {"slow to begin", 200, true, -1, -1, "", 0, PROMPT, 0},
    {"reset before a status", 0, true, -1, -1, "", 0, PROMPT, 0},
    {"no connection", 0, false, -1, -1, "", 0, -1, -1},
    {"refused", 400, true, -1, -1, "", 0, -1, -1},
    {"too fast", 429, true, -1, -1, "", 0, -1, -1},
    {"away", 503, true, -1, -1, "", 0, -1, -1},
    {"a gateway gave up", 504, true, -1, -1, "", 0, PROMPT, 0},
    {"beyond belief", 200, true, 1000000001, 1000000001, "Hello", 0, PROMPT, 2},
};

static struct llm_result result_of(const struct way *way)
{
    return (struct llm_result){.model = "",
                               .request_id = "",
                               .text = way->text,
                               .argument_bytes = way->argument_bytes,
                               .status = way->status,
                               .sent = way->sent,
                               .tokens_in = way->told_in,
                               .tokens_out = way->told_out,
                               .tokens_cached = -1};
}

static void check_counts(const struct way *way, const char *how, const struct turn_llm_call *call)
{
    const bool right = call->tokens_in == way->in && call->tokens_out == way->out &&
                       call->cost == (way->in < 0 ? -1 : 10 * (way->in + way->out));
    if (!right)
        printf("\n%s, %s: %lld in, %lld out\n", way->name, how, (long long)call->tokens_in,
               (long long)call->tokens_out);
    CU_ASSERT_TRUE(right);
}

/* Whoever makes it, and however it is recorded. */
static void what_nobody_told_is_estimated(void)
{
    struct assistant assistant = {
        .models = {{.model = "m", .provider = "p", .price_in = 10, .price_out = 10}},
        .model_count = 1};
    struct arena *arena = arena_new();
    for (size_t i = 0; i < sizeof ways / sizeof *ways; i++) {
        const struct llm_result result = result_of(&ways[i]);
        struct session session = {.asked.prompt_tokens = PROMPT};
        struct turn_llm_call call = calls_empty("stopped"), cut = calls_empty("stopped");
        calls_record(&session, &assistant, &result);
        calls_record_cut(&session, &assistant, CALLS_STOPPED, &result);
        calls_record_cut(&session, &assistant, CALLS_LOST_RACE, &result);
        calls_describe(arena, &assistant.models[0], &result, PROMPT, &call);
        calls_describe_cut(arena, &assistant.models[0], &result, PROMPT, &cut);
        for (int k = 0; k < 3; k++)
            check_counts(&ways[i], session.calls[k].outcome, &session.calls[k]);
        check_counts(&ways[i], "of a summary", &call);
        check_counts(&ways[i], "of a summary that is cut", &cut);
        CU_ASSERT_STRING_EQUAL(cut.outcome, "stopped");
        calls_forget(&session);
    }
    arena_free(&arena);
}

/* What a cache gave and what it keeps have prices of their own; a quarter more, where none is
 * known, by Anthropic's rule. */
static void caches_have_their_prices(void)
{
    static const struct {
        enum llm_dialect dialect;
        int64_t price_written, cost;
    } cases[] = {{LLM_ANTHROPIC, -1, 20 * 100 + 50 * 10 + 30 * 125 + 2 * 500},
                 {LLM_ANTHROPIC, 200, 20 * 100 + 50 * 10 + 30 * 200 + 2 * 500},
                 {LLM_CHAT, -1, 20 * 100 + 50 * 10 + 30 * 100 + 2 * 500}};
    struct arena *arena = arena_new();
    for (size_t i = 0; i < sizeof cases / sizeof *cases; i++) {
        const struct assistant_model model = {.provider = "p",
                                              .model = "m",
                                              .dialect = cases[i].dialect,
                                              .price_in = 100,
                                              .price_cached = 10,
                                              .price_written = cases[i].price_written,
                                              .price_out = 500};
        const struct llm_result result = {.model = "",
                                          .request_id = "",
                                          .text = "",
                                          .tokens_in = 100,
                                          .tokens_out = 2,
                                          .tokens_cached = 50,
                                          .tokens_written = 30};
        struct turn_llm_call call = calls_empty("stopped");
        calls_describe(arena, &model, &result, 0, &call);
        CU_ASSERT_EQUAL(call.cost, cases[i].cost);
    }
    arena_free(&arena);
}

/* A call that was stopped, or lost a race, was one all the same. */
static void a_cut_call_has_its_times_and_its_id(void)
{
    struct assistant assistant = {.models = {{.model = "m", .provider = "p"}}, .model_count = 1};
    const struct llm_result so_far = {.model = "",
                                      .request_id = "req-1",
                                      .text = "Hel",
                                      .connect_us = -1,
                                      .first_token_us = 1500000,
                                      .total_us = 2750000};
    struct arena *arena = arena_new();
    struct session session = {.call_count = 0};
    struct turn_llm_call summary = calls_empty("stopped");
    counters_init();
    calls_record_cut(&session, &assistant, CALLS_STOPPED, &so_far);
    calls_record_cut(&session, &assistant, CALLS_LOST_RACE, &so_far);
    calls_describe_cut(arena, &assistant.models[0], &so_far, PROMPT, &summary);
    const struct turn_llm_call *const calls[] = {&session.calls[0], &session.calls[1], &summary};
    for (int i = 0; i < 3; i++) {
        CU_ASSERT_STRING_EQUAL(calls[i]->outcome, i == 1 ? "lost_race" : "stopped");
        CU_ASSERT_STRING_EQUAL(calls[i]->request_id, "req-1");
        CU_ASSERT_EQUAL(calls[i]->first_token_ms, 1500);
        CU_ASSERT_EQUAL(calls[i]->total_ms, 2750);
        CU_ASSERT_EQUAL(calls[i]->connect_ms, -1);
    }
    calls_forget(&session);
    arena_free(&arena);
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
    const struct llm_result unsent = {
        .text = "", .model = "", .tokens_in = -1, .tokens_out = -1, .tokens_cached = -1};
    calls_record_cut(&session, NULL, CALLS_STOPPED, &unsent); /* of which nothing is known */
    CU_ASSERT_EQUAL(calls_used(&session).tokens, 600);
    calls_forget(&session);
    CU_ASSERT_EQUAL(session.call_count, 0);
    CU_ASSERT_EQUAL(calls_used(&session).tokens, 0);
}

/* Sends the turn's round and returns how many calls go with it. */
static size_t send_round(struct session *session, struct arena *arena)
{
    static struct rounds_round round = {.number = 1, .said = ""};
    session->rounds = (struct rounds){.items = {&round}, .count = 1};
    return copies_round(arena, session).asked_count;
}

/* What is noted while the round is on its way is not in it, so it is kept and still reserved. */
static void what_came_meanwhile_is_not_stored(void)
{
    struct session session = {.most = {.tokens = 100, .cost = 1000}};
    struct arena *arena = arena_new();
    counters_init();
    record(&session, 5, "first");
    CU_ASSERT_EQUAL(send_round(&session, arena), 1);
    record(&session, 7, "second");
    record(&session, 8, "third");
    calls_stored(&session);
    CU_ASSERT_EQUAL(session.most.tokens, 94);
    CU_ASSERT_EQUAL(session.most.cost, 940);
    CU_ASSERT_EQUAL_FATAL(session.call_count, 2);
    CU_ASSERT_STRING_EQUAL(session.calls[0].model, "second");
    CU_ASSERT_STRING_EQUAL(session.calls[1].model, "third");
    CU_ASSERT_EQUAL(calls_used(&session).tokens, 17);
    CU_ASSERT_EQUAL(send_round(&session, arena), 2);
    calls_stored(&session);
    CU_ASSERT_EQUAL(session.call_count, 0);
    CU_ASSERT_EQUAL(session.most.tokens, 77);
    arena_free(&arena);
}

/* A row that is on its way takes nothing in any more. */
static void a_row_that_was_sent_sums_up_no_more(void)
{
    struct session session = {.call_count = 0};
    struct arena *arena = arena_new();
    counters_init();
    for (int i = 0; i < TURN_CALLS_MAX; i++)
        record(&session, 5, "");
    CU_ASSERT_EQUAL(send_round(&session, arena), TURN_CALLS_MAX);
    record(&session, 7, "");
    record(&session, 8, "");
    CU_ASSERT_EQUAL(calls_used(&session).tokens, TURN_CALLS_MAX * 6 + 17);
    calls_stored(&session);
    CU_ASSERT_EQUAL(session.call_count, 1);
    CU_ASSERT_EQUAL(calls_used(&session).tokens, 17);
    calls_forget(&session);
    arena_free(&arena);
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
    CU_add_test(suite, "what nobody told", what_nobody_told_is_estimated);
    CU_add_test(suite, "calls that were cut", a_cut_call_has_its_times_and_its_id);
    CU_add_test(suite, "prices of caches", caches_have_their_prices);
    CU_add_test(suite, "calls beyond the rows", calls_beyond_the_rows_are_summed);
    CU_add_test(suite, "calls noted meanwhile", what_came_meanwhile_is_not_stored);
    CU_add_test(suite, "a row that was sent", a_row_that_was_sent_sums_up_no_more);
    CU_add_test(suite, "plain calls", plain_calls_hold_numbers_and_plain_words);
    CU_basic_run_tests();
    return CU_get_number_of_failures() != 0;
}
