/* What a version says of budgets, and the worst case of a turn. */
#include "assistants.h"
#include "budget.h"

#include <CUnit/Basic.h>
#include <CUnit/CUnit.h>
#include <string.h>

static struct usage_limits read_text(const char *text)
{
    struct json *json = NULL;
    struct err err;
    CU_ASSERT_EQUAL_FATAL(json_parse(text, strlen(text), &json, &err), 0);
    const struct usage_limits limits = budget_read(json_member(json, "budgets"));
    json_free(&json);
    return limits;
}

static void limits_of_a_version(void)
{
    struct usage_limits limits = read_text("{}");
    CU_ASSERT_FALSE(budget_is_set(&limits));
    limits = read_text("{\"budgets\":{}}");
    CU_ASSERT_FALSE(budget_is_set(&limits));
    limits = read_text("{\"budgets\":{\"day\":{},\"month\":{\"segments\":\"many\"}}}");
    CU_ASSERT_FALSE(budget_is_set(&limits));
    limits = read_text("{\"budgets\":{\"day\":{\"tokens\":5},\"month\":{\"cost\":100000000000000,"
                       "\"segments\":7}}}");
    CU_ASSERT_TRUE(budget_is_set(&limits));
    CU_ASSERT_EQUAL(limits.day.tokens, 5);
    CU_ASSERT_EQUAL(limits.day.cost, -1);
    CU_ASSERT_EQUAL(limits.day.segments, -1);
    CU_ASSERT_EQUAL(limits.month.tokens, -1);
    CU_ASSERT_EQUAL(limits.month.cost, 100000000000000);
    CU_ASSERT_EQUAL(limits.month.segments, 7);
}

static void one_call_without_tools(void)
{
    struct assistant assistant = {
        .models = {{.max_tokens = 300, .price_in = 150, .price_out = 600},
                   {.max_tokens = 100, .price_in = 10000, .price_out = -1}},
        .model_count = 2};
    const struct rounds rounds = {.count = 0};
    const struct usage_amounts worst = budget_worst(&assistant, 100, &rounds, false);
    CU_ASSERT_EQUAL(worst.tokens, 400);       /* the first model's answer is the longest */
    CU_ASSERT_EQUAL(worst.cost, 100 * 10000); /* the second one's prompt the dearest */
    CU_ASSERT_EQUAL(worst.segments, 0);
    assistant.models[0].price_in = assistant.models[1].price_in = -1;
    assistant.models[0].price_out = -1;
    CU_ASSERT_EQUAL(budget_worst(&assistant, 100, &rounds, false).cost, 0);
}

/* Whoever loses a race has read the prompt; the dearest prompt may be the loser's. */
static void a_race_reads_the_prompt_twice(void)
{
    const struct assistant assistant = {
        .models = {{.max_tokens = 300, .price_in = 150, .price_out = 600},
                   {.max_tokens = 100, .price_in = 10000, .price_out = -1}},
        .model_count = 2};
    const struct rounds rounds = {.count = 0};
    const struct usage_amounts worst = budget_worst(&assistant, 100, &rounds, true);
    CU_ASSERT_EQUAL(worst.tokens, 400 + 100);
    CU_ASSERT_EQUAL(worst.cost, 2 * 100 * 10000);
}

/* Mails and calls have nothing to do with the budget of texts. */
static void segments_are_those_of_texts(void)
{
    const struct usage_limits all = read_text("{\"budgets\":{\"day\":{\"tokens\":5,\"segments\":6},"
                                              "\"month\":{\"segments\":7}}}");
    const struct usage_limits text = budget_of_turn(&all, true);
    CU_ASSERT_EQUAL(text.day.segments, 6);
    CU_ASSERT_EQUAL(text.month.segments, 7);
    const struct usage_limits mail = budget_of_turn(&all, false);
    CU_ASSERT_EQUAL(mail.day.tokens, 5);
    CU_ASSERT_EQUAL(mail.day.segments, -1);
    CU_ASSERT_EQUAL(mail.month.segments, -1);
    CU_ASSERT_EQUAL(budget_segments(true), 25);
    CU_ASSERT_EQUAL(budget_segments(false), 0);
}

/* Each round is an answer, and part of every later prompt; no more are left than a turn may have.
 */
static void rounds_with_tools(void)
{
    struct assistant assistant = {.models = {{.max_tokens = 4}},
                                  .model_count = 1,
                                  .call_tools = {.items = {{.name = "book"}}, .count = 1}};
    struct rounds rounds = {.count = ROUNDS_MAX};
    CU_ASSERT_EQUAL(budget_worst(&assistant, 120, &rounds, false).tokens, 120 + 4);
    rounds.count = ROUNDS_MAX - 1;
    CU_ASSERT_EQUAL(budget_worst(&assistant, 120, &rounds, false).tokens, 2 * (120 + 4) + 4100);
    rounds.count = ROUNDS_MAX - 2;
    CU_ASSERT_EQUAL(budget_worst(&assistant, 120, &rounds, false).tokens, 3 * (120 + 4) + 3 * 4100);
}

/* What the worst case counts on is what the model is told. */
static void the_longest_answer_is_asked_for(void)
{
    struct assistant assistant = {.models = {{.max_tokens = 300}, {.max_tokens = 0}},
                                  .model_count = 2,
                                  .budget = read_text("{\"budgets\":{\"day\":{\"tokens\":5}}}")};
    const struct rounds rounds = {.count = 0};
    CU_ASSERT_EQUAL(budget_answer_tokens(&assistant, &assistant.models[0]), 300);
    const int longest = budget_answer_tokens(&assistant, &assistant.models[1]);
    CU_ASSERT(longest > 0);
    CU_ASSERT_EQUAL(budget_worst(&assistant, 100, &rounds, false).tokens, 100 + longest);
    assistant.budget = read_text("{}");
    CU_ASSERT_EQUAL(budget_answer_tokens(&assistant, &assistant.models[1]), 0);
}

int main(void)
{
    CU_initialize_registry();
    CU_pSuite suite = CU_add_suite("budget", NULL, NULL);
    CU_add_test(suite, "limits of a version", limits_of_a_version);
    CU_add_test(suite, "one call without tools", one_call_without_tools);
    CU_add_test(suite, "a race", a_race_reads_the_prompt_twice);
    CU_add_test(suite, "rounds with tools", rounds_with_tools);
    CU_add_test(suite, "segments", segments_are_those_of_texts);
    CU_add_test(suite, "the longest answer", the_longest_answer_is_asked_for);
    CU_basic_run_tests();
    return CU_get_number_of_failures() != 0;
}
