/* Calls of tools in Anthropic's answers. */
#include "unit/common/llm/calls_rig.h"

#define EVENT(type, members) "event: " type "\ndata: {\"type\":\"" type "\"" members "}\n\n"
#define START                                                                                      \
    EVENT("message_start", ",\"message\":{\"id\":\"msg_1\",\"model\":\"c-1\",\"content\":[]}")
#define BLOCK(index, members)                                                                      \
    EVENT("content_block_start", ",\"index\":" index ",\"content_block\":{" members "}")
#define USE(id, name) "\"type\":\"tool_use\",\"id\":\"" id "\",\"name\":\"" name "\",\"input\":{}"
#define DELTA(index, members)                                                                      \
    EVENT("content_block_delta", ",\"index\":" index ",\"delta\":{" members "}")
#define TEXT(index, text)                                                                          \
    BLOCK(index, "\"type\":\"text\",\"text\":\"\"")                                                \
    DELTA(index, "\"type\":\"text_delta\",\"text\":\"" text "\"")
#define INPUT(index, json)                                                                         \
    DELTA(index, "\"type\":\"input_json_delta\",\"partial_json\":\"" json "\"")
#define STOP_BLOCK(index) EVENT("content_block_stop", ",\"index\":" index)
#define FINISH(why)       EVENT("message_delta", ",\"delta\":{\"stop_reason\":\"" why "\"}")
#define STOP              EVENT("message_stop", "")
#define END               FINISH("tool_use") STOP
#define WHOLE(content, why)                                                                        \
    "{\"type\":\"message\",\"id\":\"msg_1\",\"content\":[" content "],\"stop_reason\":\"" why "\"" \
    "}"

static const struct call_script scripts[] = {
    {"pieces",
     START BLOCK("0", USE("t1", "f")) INPUT("0", "") INPUT("0", "{\\\"a\\\"") INPUT("0", ":1}")
         STOP_BLOCK("0") END,
     "", "t1=f({\"a\":1})", "", LLM_TOOL_CALLS},
    {"text-and-two",
     START TEXT("0", "Let me see.") STOP_BLOCK("0") BLOCK("1", USE("t1", "f")) INPUT("1", "{}")
         STOP_BLOCK("1") BLOCK("2", USE("t2", "g")) STOP_BLOCK("2") END,
     "Let me see.", "t1=f({});t2=g({})", "", LLM_TOOL_CALLS},
    {"interleaved",
     START BLOCK("0", USE("t1", "f")) BLOCK("1", USE("t2", "f")) INPUT("0", "{\\\"a\\\"")
         INPUT("1", "{") INPUT("0", ":1}") INPUT("1", "}") END,
     "", "t1=f({\"a\":1});t2=f({})", "", LLM_TOOL_CALLS},
    {"whole",
     WHOLE("{\"type\":\"text\",\"text\":\"Well.\"},{\"type\":\"tool_use\",\"id\":\"t1\",\"name\":"
           "\"f\",\"input\":{\"a\":1}},{" USE("t2", "g") "}",
           "tool_use"),
     "Well.", "t1=f({\"a\":1});t2=g({})", "", LLM_TOOL_CALLS},
    {"input-at-start",
     START BLOCK("0", "\"type\":\"tool_use\",\"id\":\"t1\",\"name\":\"f\",\"input\":{\"a\":1}") END,
     "", "t1=f({\"a\":1})", "", LLM_TOOL_CALLS},
    {"broken-input", START BLOCK("0", USE("t1", "f")) INPUT("0", "{\\\"a\\\": oops") END, "",
     "t1=f({\"a\": oops)", "", LLM_TOOL_CALLS},
    {"umlauts",
     START BLOCK("0", USE("t1", "f")) INPUT("0", "{\\\"n\\\":\\\"Gr\xC3\xBC\xC3\x9F\\\"}") END, "",
     "t1=f({\"n\":\"Gr\xC3\xBC\xC3\x9F\"})", "", LLM_TOOL_CALLS},
    {"others-input",
     START BLOCK("0", "\"type\":\"server_tool_use\",\"id\":\"s\",\"name\":\"web\"") INPUT("0", "{}")
         TEXT("1", "x") FINISH("end_turn") STOP,
     "x", "", "", LLM_STOP},
    {"no-id", START BLOCK("0", "\"type\":\"tool_use\",\"name\":\"f\"") END, "", "call-1=f({})", "",
     LLM_TOOL_CALLS},
    {"limit-behind-call",
     START BLOCK("0", USE("t1", "f")) INPUT("0", "{}") FINISH("max_tokens") STOP, "", "t1=f({})",
     "", LLM_TOOL_CALLS},
    {"limit-in-call",
     START BLOCK("0", USE("t1", "f")) INPUT("0", "{\\\"a") STOP_BLOCK("0") FINISH("max_tokens")
         STOP,
     "", "", "llm.empty", LLM_LENGTH},
    {"cut", START TEXT("0", "x") BLOCK("1", USE("t1", "f")) INPUT("1", "{"), "x", "",
     "llm.truncated", LLM_TOOL_CALLS},
    {"refusal", START BLOCK("0", USE("t1", "f")) INPUT("0", "{}") FINISH("refusal") STOP, "", "",
     "llm.filtered", LLM_TOOL_CALLS},
    {"no-name", START BLOCK("0", "\"type\":\"tool_use\",\"id\":\"t1\"") END, "", "", "llm.nonsense",
     LLM_TOOL_CALLS},
    {"input-of-nothing", START INPUT("3", "{}") FINISH("end_turn") STOP, "", "", "llm.nonsense",
     LLM_OTHER},
    {"index-twice", START BLOCK("0", USE("t1", "f")) BLOCK("0", USE("t2", "g")) END, "", "",
     "llm.nonsense", LLM_TOOL_CALLS},
    {"index-below", START BLOCK("-1", USE("t1", "f")) END, "", "", "llm.nonsense", LLM_TOOL_CALLS},
    {"half-a-character",
     START BLOCK("0", USE("t1", "f")) INPUT("0", "{\xC3") INPUT("0", "\xBC}") END, "", "",
     "llm.nonsense", LLM_TOOL_CALLS},
};

static const struct call_script unasked[] = {
    {"call", START BLOCK("0", USE("t1", "f")) INPUT("0", "{}") END, "", "t1=f({})", "llm.empty",
     LLM_TOOL_CALLS},
    {"input-of-nothing", START INPUT("3", "{}") TEXT("0", "x") FINISH("end_turn") STOP, "x", "", "",
     LLM_STOP},
};

static void test_scripts(void)
{
    play_calls(LLM_ANTHROPIC, scripts, sizeof scripts / sizeof *scripts, true);
}

static void test_unasked(void)
{
    play_calls(LLM_ANTHROPIC, unasked, sizeof unasked / sizeof *unasked, false);
}

int main(void)
{
    serve_slow = serve_calls;
    CU_initialize_registry();
    CU_pSuite suite = CU_add_suite("calls of Anthropic's dialect", set_up, tear_down);
    CU_add_test(suite, "every script", test_scripts);
    CU_add_test(suite, "without tools offered", test_unasked);
    return run_tests();
}
