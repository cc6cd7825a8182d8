/* What a turn reserves before its first model is asked, and what its commit keeps when there was
 * none. */
#include "unit/common/prompt/prompt_rig.h"

#include "assistants.h"
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
    CU_ASSERT_PTR_NULL(bench.session.prompt_record);
    CU_ASSERT_PTR_NULL(bench.session.prompt_passages);
    CU_ASSERT_EQUAL(bench.session.left_out, 0);
}

int main(void)
{
    CU_initialize_registry();
    CU_pSuite suite = CU_add_suite("think", open_arena, close_arena);
    CU_add_test(suite, "the longest prompt", the_longest_prompt_of_the_chain_is_reserved);
    CU_add_test(suite, "what was used before", what_was_used_before_is_reserved_too);
    CU_add_test(suite, "no prompt is recorded", a_reservation_records_no_prompt);
    CU_basic_run_tests();
    return CU_get_number_of_failures() != 0;
}
