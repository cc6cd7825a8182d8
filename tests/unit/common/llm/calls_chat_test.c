/* Calls of tools in Chat Completions answers: what counts as one, and what is refused. The bounds
 * of calls.c are tried here for all dialects. */
#include "unit/common/llm/calls_rig.h"

#define CHUNK(delta) "data: {\"model\":\"m-1\",\"choices\":[{\"index\":0,\"delta\":" delta "}]}\n\n"
#define TEXT(text)   CHUNK("{\"content\":\"" text "\"}")
#define FINISH(why)  "data: {\"choices\":[{\"delta\":{},\"finish_reason\":\"" why "\"}]}\n\n"
#define DONE         "data: [DONE]\n\n"
#define END          FINISH("tool_calls") DONE
#define CALLS(list)  CHUNK("{\"tool_calls\":[" list "]}")
#define AT(index, id, name, arguments)                                                             \
    "{\"index\":" index ",\"id\":\"" id "\",\"type\":\"function\",\"function\":{\"name\":\"" name  \
    "\",\"arguments\":\"" arguments "\"}}"
#define MORE(index, arguments)                                                                     \
    "{\"index\":" index ",\"function\":{\"arguments\":\"" arguments "\"}}"
#define BARE(id, name, arguments)                                                                  \
    "{\"id\":\"" id "\",\"function\":{\"name\":\"" name "\",\"arguments\":\"" arguments "\"}}"
#define FOUR(call) call "," call "," call "," call
#define A1         "{\\\"a\\\":1}"

static const struct call_script scripts[] = {
    {"pieces",
     CHUNK("{\"role\":\"assistant\",\"content\":null}") CALLS(AT("0", "c1", "f", ""))
         CALLS(MORE("0", "{\\\"a")) CALLS(MORE("0", "\\\":")) CALLS(MORE("0", "1}")) END,
     "", "c1=f({\"a\":1})", "", LLM_TOOL_CALLS},
    {"unstreamed",
     "{\"choices\":[{\"message\":{\"content\":null,\"tool_calls\":[" BARE("c1", "f", A1) "," BARE(
         "c2", "f", "{}") "]},\"finish_reason\":\"tool_calls\"}]}",
     "", "c1=f({\"a\":1});c2=f({})", "", LLM_TOOL_CALLS},
    {"two-at-once", CALLS(AT("0", "c1", "f", A1) "," AT("1", "c2", "g", "{}")) END, "",
     "c1=f({\"a\":1});c2=g({})", "", LLM_TOOL_CALLS},
    {"interleaved",
     CALLS(AT("0", "c1", "f", "{")) CALLS(AT("1", "c2", "f", "{\\\"a\\\"")) CALLS(MORE("0", "}"))
         CALLS(MORE("1", ":2}")) END,
     "", "c1=f({});c2=f({\"a\":2})", "", LLM_TOOL_CALLS},
    {"index-gap", CALLS(AT("1", "c1", "f", "{")) CALLS(MORE("1", "}")) END, "", "c1=f({})", "",
     LLM_TOOL_CALLS},
    {"without-index",
     CALLS(BARE("c1", "f", A1) "," BARE("c2", "f", "{}")) CALLS(BARE("c3", "g", "")) END, "",
     "c1=f({\"a\":1});c2=f({});c3=g({})", "", LLM_TOOL_CALLS},
    {"without-index-goes-on",
     CALLS(BARE("c1", "f", "{")) CALLS("{\"function\":{\"arguments\":\"\\\"a\\\":\"}}")
         CALLS("{\"id\":\"c1\",\"function\":{\"name\":\"f\",\"arguments\":\"1}\"}}") END,
     "", "c1=f({\"a\":1})", "", LLM_TOOL_CALLS},
    {"one-index-for-all",
     CALLS(AT("0", "c1", "f", "{}")) CALLS(AT("0", "c2", "f", "{")) CALLS(MORE("0", "}")) END, "",
     "c1=f({});c2=f({})", "", LLM_TOOL_CALLS},
    {"one-index-no-ids", CALLS(AT("0", "", "f", "{}")) CALLS(AT("0", "", "g", "{}")) END, "",
     "call-1=f({});call-2=g({})", "", LLM_TOOL_CALLS},
    {"new-id-for-each-piece",
     CALLS(AT("0", "c1", "f", "{")) CALLS(AT("0", "c2", "", "\\\"a\\\":"))
         CALLS(AT("0", "c3", "", "1}")) END,
     "", "c1=f({\"a\":1})", "", LLM_TOOL_CALLS},
    {"name-later",
     CALLS("{\"index\":0,\"id\":\"c1\"}") CALLS("{\"index\":0,\"function\":{\"name\":\"f\"}}") END,
     "", "c1=f({})", "", LLM_TOOL_CALLS},
    {"name-again", CALLS(AT("0", "c1", "f", "{")) CALLS(AT("0", "c1", "f", "}")) END, "",
     "c1=f({})", "", LLM_TOOL_CALLS},
    {"ids-twice", CALLS(AT("0", "c", "f", "{}") "," AT("1", "c", "f", "{}")) END, "",
     "c=f({});call-2=f({})", "", LLM_TOOL_CALLS},
    {"id-of-ours",
     CALLS(AT("0", "call-2", "f", "{}") "," AT("1", "", "f", "{}") "," AT("2", "call-18", "g", ""))
         END,
     "", "call-2=f({});call-18=f({});call-3=g({})", "", LLM_TOOL_CALLS},
    {"value-for-text",
     CALLS("{\"index\":0,\"id\":\"c1\",\"function\":{\"name\":\"f\",\"arguments\":{\"a\":[1]}}}")
         END,
     "", "c1=f({\"a\":[1]})", "", LLM_TOOL_CALLS},
    {"unknown-tool", CALLS(AT("0", "c1", "rm -rf", "{}")) END, "", "c1=rm -rf({})", "",
     LLM_TOOL_CALLS},
    {"broken-arguments", CALLS(AT("0", "c1", "f", "{\\\"a\\\": oops")) END, "",
     "c1=f({\"a\": oops)", "", LLM_TOOL_CALLS},
    {"finish-stop", CALLS(AT("0", "c1", "f", "{}")) FINISH("stop") DONE, "", "c1=f({})", "",
     LLM_TOOL_CALLS},
    {"no-finish", CALLS(AT("0", "c1", "f", "{}")) DONE, "", "c1=f({})", "", LLM_TOOL_CALLS},
    {"umlauts",
     CALLS(AT("0", "c1", "f", "{\\\"n\\\":\\\"Gr\xC3\xBC\xC3\x9F \\ud83d\\ude00\\\"}")) END, "",
     "c1=f({\"n\":\"Gr\xC3\xBC\xC3\x9F \xF0\x9F\x98\x80\"})", "", LLM_TOOL_CALLS},
    {"text-and-call", TEXT("Let me see.") CALLS(AT("0", "c1", "f", "{}")) END, "Let me see.",
     "c1=f({})", "", LLM_TOOL_CALLS},

    {"limit-behind-call", CALLS(AT("0", "c1", "f", A1)) FINISH("length") DONE, "",
     "c1=f({\"a\":1})", "", LLM_TOOL_CALLS},
    {"limit-in-second",
     CALLS(AT("0", "c1", "f", "{}")) CALLS(AT("1", "c2", "f", "{\\\"a\\\":1")) FINISH("length")
         DONE,
     "", "c1=f({})", "", LLM_TOOL_CALLS},
    {"limit-in-call", CALLS(AT("0", "c1", "f", "{\\\"a\\\":")) FINISH("length") DONE, "", "",
     "llm.empty", LLM_LENGTH},
    {"limit-before-arguments", CALLS(AT("0", "c1", "f", "")) FINISH("length") DONE, "", "",
     "llm.empty", LLM_LENGTH},
    {"limit-in-call-after-text",
     TEXT("I'll book it.") CALLS(AT("0", "c1", "f", "{")) FINISH("length") DONE, "I'll book it.",
     "", "llm.empty", LLM_LENGTH},
    {"limit-in-text", TEXT("half a") FINISH("length") DONE, "half a", "", "", LLM_LENGTH},
    {"cut-in-arguments", CALLS(AT("0", "c1", "f", "{\\\"a\\\":")), "", "", "llm.truncated",
     LLM_TOOL_CALLS},
    {"cut-behind-text", TEXT("Wait.") CALLS(AT("0", "c1", "f", "{}")), "Wait.", "", "llm.truncated",
     LLM_TOOL_CALLS},
    {"error-behind-call",
     CALLS(AT("0", "c1", "f", "{}")) "data: {\"error\":{\"code\":502,\"message\":\"m\"}}\n\n", "",
     "", "llm.unavailable", LLM_TOOL_CALLS},
    {"filtered", CALLS(AT("0", "c1", "f", "{}")) FINISH("content_filter") DONE, "", "",
     "llm.filtered", LLM_TOOL_CALLS},

    {"old-call",
     CHUNK("{\"function_call\":{\"name\":\"f\",\"arguments\":\"{}\"}}") FINISH("function_call")
         DONE,
     "", "", "llm.empty", LLM_TOOL_CALLS},
    {"old-call-and-text",
     CHUNK("{\"content\":\"x\",\"function_call\":{\"name\":\"f\"}}") FINISH("function_call") DONE,
     "x", "", "", LLM_TOOL_CALLS},
    {"finish-without-call", FINISH("tool_calls") DONE, "", "", "llm.empty", LLM_TOOL_CALLS},
    {"no-list", CHUNK("{\"tool_calls\":{\"id\":\"c1\"}}") END, "", "", "llm.empty", LLM_TOOL_CALLS},
    {"no-name", CALLS(AT("0", "c1", "", "{}")) END, "", "", "llm.nonsense", LLM_TOOL_CALLS},
    {"second-without-name", CALLS(AT("0", "c1", "f", "{}") "," MORE("1", "{}")) END, "", "",
     "llm.nonsense", LLM_TOOL_CALLS},
    {"no-object", CALLS("7") END, "", "", "llm.nonsense", LLM_TOOL_CALLS},
    {"other-kind", CALLS("{\"type\":\"custom\",\"custom\":{\"name\":\"f\",\"input\":\"x\"}}") END,
     "", "", "llm.nonsense", LLM_TOOL_CALLS},
    {"index-below", CALLS(AT("-1", "c1", "f", "{}")) END, "", "", "llm.nonsense", LLM_TOOL_CALLS},
    {"index-broken", CALLS(AT("0.5", "c1", "f", "{}")) END, "", "", "llm.nonsense", LLM_TOOL_CALLS},
    {"index-text", CALLS(AT("\"0\"", "c1", "f", "{}")) END, "", "", "llm.nonsense", LLM_TOOL_CALLS},
    {"endless-name",
     CALLS(AT("0", "c1",
              "f23456789 f23456789 f23456789 f23456789 f23456789 "
              "f23456789 f23456789 f23456789 f23456789 f23456",
              "{}")) END,
     "", "", "llm.nonsense", LLM_TOOL_CALLS},
    {"half-a-character", CALLS(AT("0", "c1", "f", "{\xC3")) CALLS(MORE("0", "\xBC}")) END, "", "",
     "llm.nonsense", LLM_OTHER},
    {"too-many", CALLS(FOUR(FOUR(BARE("", "f", "{}"))) "," BARE("", "f", "{}")) END, "", "",
     "llm.nonsense", LLM_TOOL_CALLS},
};

/* Nobody offered tools: text is judged as if there were no calls. */
static const struct call_script unasked[] = {
    {"call", CALLS(AT("0", "c1", "f", "{}")) END, "", "c1=f({})", "llm.empty", LLM_TOOL_CALLS},
    {"text-and-call", TEXT("x") CALLS(AT("0", "c1", "f", "{}")) END, "x", "c1=f({})", "",
     LLM_TOOL_CALLS},
    {"limit-in-call", TEXT("x") CALLS(AT("0", "c1", "f", "{")) FINISH("length") DONE, "x", "", "",
     LLM_TOOL_CALLS},
    {"no-name", TEXT("x") CALLS(AT("0", "c1", "", "{}")) END, "x", "", "", LLM_TOOL_CALLS},
    {"index-below", CALLS(AT("-1", "c1", "f", "{}")) TEXT("x") CALLS(AT("0", "c1", "f", "{}")) END,
     "x", "", "", LLM_TOOL_CALLS},
    {"too-many", CALLS(FOUR(FOUR(BARE("", "f", "{}"))) "," BARE("", "f", "{}")) TEXT("x") END, "x",
     "", "", LLM_TOOL_CALLS},
};

static void test_scripts(void)
{
    play_calls(LLM_CHAT, scripts, sizeof scripts / sizeof *scripts, true);
}

static void test_unasked(void)
{
    play_calls(LLM_CHAT, unasked, sizeof unasked / sizeof *unasked, false);
}

/* A call of f whose arguments are `first` bytes, then one of g with `second`. */
static struct call_outcome play_large(size_t first, size_t second)
{
    struct strbuf body;
    strbuf_init(&body, (size_t)1 << 20);
    strbuf_add_text(&body, CALLS(AT("0", "c1", "f", "") "," AT("1", "c2", "g", "")));
    for (size_t i = 0; i < 2; i++) {
        size_t length = i == 0 ? first : second;
        strbuf_printf(&body,
                      "data: {\"choices\":[{\"delta\":{\"tool_calls\":[{\"index\":%zu,\"function\":"
                      "{\"arguments\":\"%*s\"}}]}}]}\n\n",
                      i, (int)length, "");
    }
    strbuf_add_text(&body, END);
    struct call_outcome o = play(LLM_CHAT, body.data, false, true);
    strbuf_fini(&body);
    return o;
}

static void test_large(void)
{
    struct call_outcome fits = play_large(30000, LLM_ARGUMENTS_MAX - 30000);
    CU_ASSERT_STRING_EQUAL(fits.code, "");
    CU_ASSERT_EQUAL(strncmp(fits.calls, "c1=f( ", 6), 0);
    struct call_outcome together = play_large(30000, LLM_ARGUMENTS_MAX - 30000 + 1);
    CU_ASSERT_STRING_EQUAL(together.code, "llm.nonsense");
    CU_ASSERT_STRING_EQUAL(together.calls, "");
    struct call_outcome alone = play_large(0, LLM_ARGUMENTS_MAX + 1);
    CU_ASSERT_STRING_EQUAL(alone.code, "llm.nonsense");
}

static void test_as_many_as_may_be(void)
{
    struct call_outcome o = play(LLM_CHAT, CALLS(FOUR(FOUR(BARE("", "f", "{}")))) END, false, true);
    CU_ASSERT_STRING_EQUAL(o.code, "");
    CU_ASSERT_PTR_NOT_NULL(strstr(o.calls, "call-1=f({});call-2=f({});"));
    CU_ASSERT_PTR_NOT_NULL(strstr(o.calls, ";call-16=f({})"));
}

/* The beginning of a call, and then nothing for ever. */
static bool serve_beginning(int fd, const char *name)
{
    char byte, chunk[400];
    const char *body = CALLS(AT("0", "c1", "f", "{"));
    (void)name;
    fake_send(fd, OK_STREAM);
    snprintf(chunk, sizeof chunk, "%zx\r\n%s\r\n", strlen(body), body);
    fake_send(fd, chunk);
    while (recv(fd, &byte, 1, 0) > 0)
        ;
    return false;
}

static void test_sign_of_life(void)
{
    struct outcome o = {0};
    serve_slow = serve_beginning;
    start(&o, "begins",
          (struct llm_request){
              .tools = call_tools, .tool_count = 2, .first_token_ms = 300, .idle_ms = 900});
    run();
    CU_ASSERT_STRING_EQUAL(o.code, "http.timeout"); /* not llm.first_token */
    serve_slow = serve_calls;
}

int main(void)
{
    serve_slow = serve_calls;
    CU_initialize_registry();
    CU_pSuite suite = CU_add_suite("calls of the chat dialect", set_up, tear_down);
    CU_add_test(suite, "every script", test_scripts);
    CU_add_test(suite, "without tools offered", test_unasked);
    CU_add_test(suite, "large arguments", test_large);
    CU_add_test(suite, "sixteen calls", test_as_many_as_may_be);
    CU_add_test(suite, "a call is a sign of life", test_sign_of_life);
    return run_tests();
}
