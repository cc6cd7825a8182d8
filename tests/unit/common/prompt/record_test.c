/* What is kept of a prompt is enough to build it again and to see whether it is the same. */
#include "prompt_rig.h"

#include "prompt/record.h"

static const struct llm_tool tools[] = {{"book", "d", "{}"}, {"cancel", "d", "{}"}};

static struct rounds_round round_of(int64_t number, int64_t claimed)
{
    struct rounds_round round = {
        .number = number, .after_position = 109, .claimed = claimed, .said = "x", .call_count = 1};
    round.calls[0] = (struct rounds_call){.provider_id = "p",
                                          .name = "book",
                                          .arguments = "{\"a\":1}",
                                          .done = true,
                                          .outcome = "ok",
                                          .result = "{}"};
    return round;
}

static void everything_comes_back(void)
{
    struct rounds_round one = round_of(1, 7), two = round_of(4, 7);
    const struct rounds rounds = {.items = {&one, &two}, .count = 2, .last_number = 4};
    const struct prompt_parts parts = {.context = talk(100, 9, 4),
                                       .channel = PROMPT_VOICE,
                                       .rounds = &rounds,
                                       .summary = "Wants a filling.",
                                       .earlier = "",
                                       .told = "Now \"quoted\"\n\xc3\xbc\n",
                                       .tools = tools,
                                       .tool_count = 2};
    const struct prompt prompt = build(&parts);
    const char *text = record_write(arena, &parts, &prompt,
                                    &(struct record_call){7, .version = 3, .no_more_tools = true});
    struct record record;
    struct err err;
    CU_ASSERT_EQUAL_FATAL(record_read(arena, text, &record, &err), 0);
    CU_ASSERT_EQUAL(record.channel, PROMPT_VOICE);
    CU_ASSERT_STRING_EQUAL(record.told, parts.told);
    CU_ASSERT_STRING_EQUAL(record.summary, parts.summary);
    CU_ASSERT_PTR_NULL(record.earlier);
    CU_ASSERT_EQUAL_FATAL(record.tool_count, 2);
    CU_ASSERT_STRING_EQUAL(record.tools[1], "cancel");
    CU_ASSERT_TRUE(record.no_more_tools);
    CU_ASSERT_EQUAL_FATAL(record.round_count, 2);
    CU_ASSERT_EQUAL(record.rounds[1], 4);
    CU_ASSERT_EQUAL(record.past_count, 9);
    CU_ASSERT_EQUAL(record.open_count, 1);
    CU_ASSERT_EQUAL(record.claimed, 7);
    CU_ASSERT_EQUAL(record.version, 3);
    CU_ASSERT_EQUAL(record.tokens, prompt.tokens);
    CU_ASSERT_EQUAL(strlen(record.digest), RECORD_DIGEST_SIZE - 1);
    CU_ASSERT_PTR_NOT_NULL(strstr(text, "\"past\":[100,101,"));
}

/* From the messages that a cut prompt held, without the budget, comes the same prompt: also when
 * the window was full, and the cut must not be made once more. */
static void a_cut_prompt_is_built_again(void)
{
    static const struct {
        int first, count;
        int64_t budget;
    } cases[] = {{101, 40, 0}, {100, 40, 0}, {102, 39, 6000}, {100, 40, 3000}, {1, 3, 2000}};
    for (size_t i = 0; i < sizeof cases / sizeof *cases; i++) {
        int end = cases[i].first + cases[i].count;
        struct prompt cut =
            build(&(struct prompt_parts){.context = talk(cases[i].first, cases[i].count, 300),
                                         .told = "Now.\n",
                                         .tokens_max = cases[i].budget});
        CU_ASSERT_FATAL(cut.past_count > 0);
        int from = (int)cut.past[0];
        struct prompt again =
            build(&(struct prompt_parts){.context = talk(from, end - from, 300), .told = "Now.\n"});
        char first[RECORD_DIGEST_SIZE], second[RECORD_DIGEST_SIZE];
        record_digest(&cut, first);
        record_digest(&again, second);
        CU_ASSERT_STRING_EQUAL(first, second);
    }
}

static void the_digest_sees_everything(void)
{
    struct rounds_round one = round_of(1, 7), other = round_of(1, 7);
    other.calls[0].arguments = "{\"a\":2}";
    const struct rounds with = {.items = {&one}, .count = 1, .last_number = 1};
    const struct rounds changed = {.items = {&other}, .count = 1, .last_number = 1};
    const char *context = talk(100, 9, 4);
    const struct prompt prompts[] = {
        build(&(struct prompt_parts){.context = context, .told = "a"}),
        build(&(struct prompt_parts){.context = context, .told = "b"}),
        build(&(struct prompt_parts){.context = talk(100, 9, 5), .told = "a"}),
        build(&(struct prompt_parts){.context = context, .told = "a", .rounds = &with}),
        build(&(struct prompt_parts){.context = context, .told = "a", .rounds = &changed}),
    };
    char digests[5][RECORD_DIGEST_SIZE];
    for (size_t i = 0; i < 5; i++) {
        record_digest(&prompts[i], digests[i]);
        for (size_t k = 0; k < i; k++)
            CU_ASSERT_STRING_NOT_EQUAL(digests[i], digests[k]);
    }
}

static void other_records_are_refused(void)
{
    static const char *const cases[] = {"{}", "[]", "7", "{\"sha256\":\"x\"}", "nonsense"};
    struct record record;
    struct err err;
    for (size_t i = 0; i < sizeof cases / sizeof *cases; i++)
        CU_ASSERT_EQUAL(record_read(arena, cases[i], &record, &err), -1);
}

int main(void)
{
    CU_initialize_registry();
    CU_pSuite suite = CU_add_suite("record", open_arena, close_arena);
    CU_add_test(suite, "everything comes back", everything_comes_back);
    CU_add_test(suite, "a cut prompt is built again", a_cut_prompt_is_built_again);
    CU_add_test(suite, "the digest sees everything", the_digest_sees_everything);
    CU_add_test(suite, "other records are refused", other_records_are_refused);
    CU_basic_run_tests();
    return CU_get_number_of_failures() != 0;
}
