/* What of a prompt is ours alone leaves in no reply: whatever a turn's prompt says of how to
 * answer, on texts, in calls and after an outage. */
#include "unit/services/engine/bench.h"

#include "base/text.h"
#include "prompt/prompt.h"
#include "prompt/rounds.h"
#include "prompt/tokens.h"
#include "rules.h"
#include "stranger.h"
#include "think_inside.h"
#include "tools.h"
#include "voice.h"
#include "voice_rules.h"

#include <string.h>

static struct session *begin(void)
{
    bench_begin(1);
    struct session *session = bench_turn(1, "{SM1}");
    session->turn.call_sid = "";
    return session;
}

static const struct assistant no_assistant = {.model_count = 0};

/* Whose rules its prompt has. */
static enum prompt_channel channel_told(struct session *session)
{
    return think_parts(session, &no_assistant, 0).channel;
}

/* Each piece of it of some length, wherever it begins. */
static void check_no_piece_leaves(struct session *session, const char *text)
{
    enum { PIECE = 120 };
    const size_t length = strlen(text);
    CU_ASSERT_TRUE_FATAL(length > PIECE);
    for (size_t at = 0; at + PIECE <= length; at += 40)
        CU_ASSERT_TRUE(rules_are_told(session, arena_strndup(session->arena, text + at, PIECE)));
}

static void rules_of_texts(void)
{
    struct session *session = begin();
    struct prompt_fixed fixed;
    const struct profile nobody = {"", "", "", "", "", ""};
    const struct workflow none = {.timezone = "UTC"};
    prompt_fix(session->arena, &nobody, &none, &fixed);
    const char *business = strstr(fixed.text, "\n\nBusiness:");
    CU_ASSERT_PTR_NOT_NULL_FATAL(business);
    check_no_piece_leaves(
        session, arena_strndup(session->arena, fixed.text, (size_t)(business - fixed.text)));
    CU_ASSERT_EQUAL(channel_told(session), PROMPT_SMS);
    for (size_t i = 0; i < PROMPT_CHANNELS; i++)
        check_no_piece_leaves(session, prompt_channel_rules[i]);
    CU_ASSERT_FALSE(rules_are_told(session, "You are welcome; the channel is open from nine."));
    bench_end();
}

/* What the model is told when it answers after all. */
static void rules_after_an_outage(void)
{
    struct session *session = begin();
    static const struct rounds no_rounds = {.count = 0};
    const struct prompt_fixed fixed = {"f", 1};
    const struct prompt_parts parts = {
        .fixed = &fixed,
        .context = "[{\"position\": 1, \"author\": \"system\", \"text\": \"\", \"open\": true}]",
        .rounds = &no_rounds};
    struct prompt prompt;
    struct err err;
    CU_ASSERT_EQUAL_FATAL(prompt_build(session->arena, &parts, &prompt, &err), 0);
    check_no_piece_leaves(session, prompt.messages[prompt.count - 1].text);
    bench_end();
}

static void rules_of_calls(void)
{
    struct session *session = begin();
    session->turn.call_sid = "CA1";
    session->turn.heard = session->turn.heard_reason = session->turn.language = "";
    session->turn.attestation = "failed";
    voice_started(session);
    CU_ASSERT_EQUAL(channel_told(session), PROMPT_VOICE);
    CU_ASSERT_PTR_NULL(voice_brief(session));
    check_no_piece_leaves(session, voice_cut_off_rules);
    check_no_piece_leaves(session, stranger_brief(session, &no_assistant));
    voice_free(session);
    bench_end();
}

static void rules_of_mails(void)
{
    struct session *session = begin();
    session->turn.is_mail = true;
    session->turn.verified = true;
    CU_ASSERT_EQUAL(channel_told(session), PROMPT_MAIL);
    CU_ASSERT_PTR_NULL(stranger_brief(session, &no_assistant));
    session->turn.verified = false;
    check_no_piece_leaves(session, stranger_brief(session, &no_assistant));
    bench_end();
}

/* `tenant apply` counts them without having them: rather too many than too few. */
static void tools_are_as_long_as_is_said(void)
{
    static const char *const names[] = {
        "take_message", "escalate",      "end_conversation", "check_availability",
        "book",         "reschedule",    "cancel",           "search_knowledge",
        "send_text",    "transfer_call", "switch_language"};
    const int64_t count = sizeof names / sizeof names[0];
    int64_t tokens = 0;
    for (int64_t i = 0; i < count; i++) {
        const struct tool *tool = tools_named(names[i]);
        CU_ASSERT_PTR_NOT_NULL_FATAL(tool);
        const struct llm_tool offered = {tool->name, tool->description, tool->parameters};
        tokens += tokens_of_tools(&offered, 1);
    }
    CU_ASSERT(tokens <= count * TOKENS_OF_DESK_TOOL);
    CU_ASSERT(tokens > count * TOKENS_OF_DESK_TOOL * 4 / 5);
}

int main(void)
{
    CU_initialize_registry();
    CU_pSuite suite = CU_add_suite("rules", NULL, NULL);
    CU_add_test(suite, "of texts", rules_of_texts);
    CU_add_test(suite, "after an outage", rules_after_an_outage);
    CU_add_test(suite, "of calls", rules_of_calls);
    CU_add_test(suite, "of mails", rules_of_mails);
    CU_add_test(suite, "tools", tools_are_as_long_as_is_said);
    CU_basic_run_tests();
    return CU_get_number_of_failures() != 0;
}
