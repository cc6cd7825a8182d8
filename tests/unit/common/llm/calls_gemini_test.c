/* Calls of tools in Gemini's answers, and the way of a signature there and back. */
#include "unit/common/llm/calls_rig.h"

#define EVENT(members) "data: {" members ",\"modelVersion\":\"g-1\"}\r\n\r\n"
#define PARTS(parts)                                                                               \
    "\"candidates\":[{\"index\":0,\"content\":{\"role\":\"model\",\"parts\":[" parts "]}}]"
#define LAST(parts, why)                                                                           \
    "\"candidates\":[{\"content\":{\"parts\":[" parts "]},\"finishReason\":\"" why "\"}]"
#define TEXT(text)       "{\"text\":\"" text "\"}"
#define CALL(name, args) "{\"functionCall\":{\"name\":\"" name "\",\"args\":" args "}}"
#define SIGNED(name, args, by)                                                                     \
    "{\"functionCall\":{\"name\":\"" name "\",\"args\":" args "},\"thoughtSignature\":\"" by "\"}"

static const struct call_script scripts[] = {
    {"call", EVENT(LAST(SIGNED("f", "{\"a\": 1, \"b\": [true, null]}", "c2ln+/="), "STOP")), "",
     "call-1=f({\"a\":1,\"b\":[true,null]})!c2ln+/=", "", LLM_TOOL_CALLS},
    {"two-at-once", EVENT(LAST(SIGNED("f", "{}", "c2ln") "," CALL("f", "{}"), "STOP")), "",
     "call-1=f({})!c2ln;call-2=f({})!", "", LLM_TOOL_CALLS},
    {"two-chunks",
     EVENT(PARTS(CALL("f", "{}"))) EVENT(PARTS(CALL("f", "{}"))) EVENT(LAST(TEXT(""), "STOP")), "",
     "call-1=f({})!;call-2=f({})!", "", LLM_TOOL_CALLS},
    {"with-ids",
     EVENT(LAST("{\"functionCall\":{\"id\":\"x1\",\"name\":\"f\",\"args\":{}}},"
                "{\"functionCall\":{\"id\":\"x1\",\"name\":\"g\"}}",
                "STOP")),
     "", "x1=f({})!;call-2=g({})!", "", LLM_TOOL_CALLS},
    {"text-and-call", EVENT(PARTS(TEXT("Let me see."))) EVENT(LAST(CALL("f", "{}"), "STOP")),
     "Let me see.", "call-1=f({})!", "", LLM_TOOL_CALLS},
    {"thought-and-call",
     EVENT(PARTS("{\"text\":\"hm\",\"thought\":true}")) EVENT(LAST(CALL("f", "{}"), "STOP")), "",
     "call-1=f({})!", "", LLM_TOOL_CALLS},
    {"whole", "{" LAST(TEXT("Well.") "," CALL("f", "{\"n\":\"Gr\xC3\xBC\xC3\x9F\"}"), "STOP") "}",
     "Well.", "call-1=f({\"n\":\"Gr\xC3\xBC\xC3\x9F\"})!", "", LLM_TOOL_CALLS},
    {"args-no-object", EVENT(LAST(CALL("f", "\"oops\""), "STOP")), "", "call-1=f(\"oops\")!", "",
     LLM_TOOL_CALLS},
    {"limit-behind-call", EVENT(PARTS(CALL("f", "{\"a\":1}"))) EVENT(LAST(TEXT(""), "MAX_TOKENS")),
     "", "call-1=f({\"a\":1})!", "", LLM_TOOL_CALLS},
    {"limit-before-call", EVENT(LAST(TEXT(""), "MAX_TOKENS")), "", "", "llm.empty", LLM_LENGTH},
    {"cut", EVENT(PARTS(CALL("f", "{}"))), "", "", "llm.truncated", LLM_TOOL_CALLS},
    {"malformed", EVENT(LAST(TEXT(""), "MALFORMED_FUNCTION_CALL")), "", "", "llm.unavailable",
     LLM_OTHER},
    {"safety", EVENT(PARTS(CALL("f", "{}"))) EVENT(LAST(TEXT(""), "SAFETY")), "", "",
     "llm.filtered", LLM_TOOL_CALLS},
    {"no-name", EVENT(LAST("{\"functionCall\":{\"args\":{}}}", "STOP")), "", "", "llm.nonsense",
     LLM_TOOL_CALLS},
    {"no-object", EVENT(LAST("{\"functionCall\":\"f\"}", "STOP")), "", "", "llm.nonsense",
     LLM_TOOL_CALLS},
    {"half-a-character", EVENT(LAST(CALL("f", "{\"n\":\"\xC3\"}"), "STOP")), "", "", "llm.nonsense",
     LLM_OTHER},
};

static const struct call_script unasked[] = {
    {"call", EVENT(LAST(SIGNED("f", "{}", "c2ln"), "STOP")), "", "call-1=f({})", "llm.empty",
     LLM_TOOL_CALLS},
};

static void test_scripts(void)
{
    play_calls(LLM_GEMINI, scripts, sizeof scripts / sizeof *scripts, true);
}

static void test_unasked(void)
{
    play_calls(LLM_GEMINI, unasked, sizeof unasked / sizeof *unasked, false);
}

/* A signature of so many bytes. */
static struct call_outcome play_signed(int length)
{
    struct strbuf body;
    strbuf_init(&body, (size_t)1 << 20);
    strbuf_printf(&body,
                  "data: {\"candidates\":[{\"content\":{\"parts\":[{\"functionCall\":{\"name\":"
                  "\"f\"},\"thoughtSignature\":\"%0*d\"}]},\"finishReason\":\"STOP\"}]}\n\n",
                  length, 0);
    struct call_outcome o = play(LLM_GEMINI, body.data, false, true);
    strbuf_fini(&body);
    return o;
}

static void test_large_signature(void)
{
    struct call_outcome fits = play_signed(60000), large = play_signed(70000);
    CU_ASSERT_STRING_EQUAL(fits.code, "");
    CU_ASSERT_STRING_EQUAL(large.code, "llm.nonsense");
}

/* Sends one round back, to the model that signed it, to another one, and to another base URL. */
static void check_sent(const char *signature, const char *model, const char *name,
                       const char *expected)
{
    struct outcome o = {0};
    const struct llm_tool_call calls[] = {{"call-1", "f", "{}", signature},
                                          {"call-2", "f", "{}", NULL}};
    const struct llm_message messages[] = {
        {.role = LLM_USER, .text = "x"},
        {.role = LLM_ASSISTANT, .text = "", .calls = calls, .call_count = 2}};
    char base[60];
    served_body = "data: {" LAST(TEXT("x"), "STOP") "}\n\n";
    start(&o, name,
          (struct llm_request){.dialect = LLM_GEMINI,
                               .model = model,
                               .messages = messages,
                               .message_count = 2,
                               .tools = call_tools,
                               .tool_count = 2,
                               .temperature = -1});
    run();
    struct json *body = last_body();
    const struct json *content = json_next(json_first(json_member(body, "contents")));
    const struct json *part = json_first(json_member(content, "parts"));
    const char *given = json_member_text(part, "thoughtSignature");
    snprintf(base, sizeof base, "%s", given != NULL ? given : "-");
    CU_ASSERT_STRING_EQUAL(base, expected);
    CU_ASSERT_PTR_NULL(json_member(json_next(part), "thoughtSignature"));
    json_free(&body);
}

static void test_signature(void)
{
    char own[200], bare[200];
    struct call_outcome o =
        play(LLM_GEMINI, EVENT(LAST(SIGNED("f", "{}", "c2ln"), "STOP")), false, true);
    snprintf(own, sizeof own, "gemini:m-1:http%%3A%%2F%%2F127.0.0.1%%3A%d%%2Fv:c2ln", server->port);
    CU_ASSERT_STRING_EQUAL(o.signature, own);
    snprintf(own, sizeof own, "gemini:m-1:http%%3A%%2F%%2F127.0.0.1%%3A%d%%2Fv%%2F:c2ln",
             server->port); /* as `start` writes the base URL */
    snprintf(bare, sizeof bare, "%.*s", (int)(strlen(own) - 4), own);
    check_sent(own, "m-1", "v", "c2ln");
    check_sent(bare, "m-1", "v", "-");
    check_sent(own, "m-2", "v", "skip_thought_signature_validator");
    check_sent(own, "m-1", "w", "skip_thought_signature_validator");
    check_sent(NULL, "m-1", "v", "skip_thought_signature_validator");
}

int main(void)
{
    serve_slow = serve_calls;
    CU_initialize_registry();
    CU_pSuite suite = CU_add_suite("calls of Gemini's dialect", set_up, tear_down);
    CU_add_test(suite, "every script", test_scripts);
    CU_add_test(suite, "without tools offered", test_unasked);
    CU_add_test(suite, "large signatures", test_large_signature);
    CU_add_test(suite, "where a signature is sent", test_signature);
    return run_tests();
}
