/* The bytes of requests that offer tools, or that hold calls and their results, in each dialect. In
 * what is expected ' stands for ". */
#include "unit/common/llm/llm_rig.h"

#define COUNT(array) (sizeof(array) / sizeof *(array))

static const struct llm_tool tools[] = {
    {"book", "Books a \"slot\".",
     "{\"type\":\"object\",\"properties\":{\"day\":{\"type\":\"string\"}}}"},
    {"end", "", NULL},
};

static const struct llm_message plain[] = {{.role = LLM_SYSTEM, .text = "rules"},
                                           {.role = LLM_USER, .text = "Book me"}};

/* A round of two calls, answered the other way round, and what the customer wrote meanwhile. */
static const struct llm_tool_call two_calls[] = {
    {"toolu_9", "book", "{ \"day\": \"Mon\", \"n\": 12345678901234567890 }", NULL},
    {"toolu_8", "end", "{}", NULL}};
static const struct llm_message one_round[] = {
    {.role = LLM_USER, .text = "Book me"},
    {.role = LLM_ASSISTANT, .text = "Well.", .calls = two_calls, .call_count = 2},
    {.role = LLM_TOOL, .call_id = "toolu_8", .tool_name = "end", .text = "no", .is_error = true},
    {.role = LLM_TOOL, .call_id = "toolu_9", .tool_name = "book", .text = "{\"ok\":true}"},
    {.role = LLM_USER, .text = "Thanks"}};

/* Two rounds that use the same ids, with results that are not objects. */
static const struct llm_tool_call call_of_first[] = {{"call-1", "book", "{}", NULL}};
static const struct llm_tool_call calls_of_second[] = {{"call-1", "end", "{}", NULL},
                                                       {"call-1", "end", "{\"b\":2}", NULL}};
static const struct llm_message two_rounds[] = {
    {.role = LLM_USER, .text = "x"},
    {.role = LLM_ASSISTANT, .text = " \n", .calls = call_of_first, .call_count = 1},
    {.role = LLM_TOOL, .call_id = "call-1", .text = "[1, 2]"},
    {.role = LLM_ASSISTANT, .text = "", .calls = calls_of_second, .call_count = 2},
    {.role = LLM_TOOL, .call_id = "call-1", .text = "first"},
    {.role = LLM_TOOL, .call_id = "call-1", .text = "{\"why\":\"full\"}", .is_error = true}};

/* What models write that no provider takes back, a call without a result, and results of none. */
static const struct llm_tool_call bad_calls[] = {{"a", "rm -rf \xC3\xBC", "{\"day\": oops", NULL},
                                                 {"b", "", "[1]", NULL},
                                                 {"c", "2day", "", NULL}};
static const struct llm_message bad_round[] = {
    {.role = LLM_TOOL, .call_id = "z", .text = "of nobody"},
    {.role = LLM_ASSISTANT, .text = "", .calls = bad_calls, .call_count = 3},
    {.role = LLM_TOOL, .call_id = "c", .text = "3"},
    {.role = LLM_TOOL, .call_id = "z", .text = "of nobody"},
    {.role = LLM_TOOL, .call_id = "a", .text = "1"},
    {.role = LLM_USER, .text = "x"},
    {.role = LLM_TOOL, .call_id = "b", .text = "too late"}};

#define CHAT_TOOLS                                                                                 \
    "'tools':[{'type':'function','function':{'name':'book','description':'Books a \\'slot\\'.',"   \
    "'parameters':{'type':'object','properties':{'day':{'type':'string'}}}}},{'type':'function',"  \
    "'function':{'name':'end','parameters':{'type':'object','properties':{}}}}],"
#define GEMINI_TOOLS                                                                               \
    "'tools':[{'functionDeclarations':[{'name':'book','description':'Books a \\'slot\\'.',"        \
    "'parametersJsonSchema':{'type':'object','properties':{'day':{'type':'string'}}}},"            \
    "{'name':'end','parametersJsonSchema':{'type':'object','properties':{}}}]}],"
#define ANTHROPIC_TOOLS                                                                            \
    "'tools':[{'name':'book','description':'Books a \\'slot\\'.','input_schema':{'type':'object'," \
    "'properties':{'day':{'type':'string'}}}},{'name':'end','input_schema':{'type':'object',"      \
    "'properties':{}}}],"
#define CHAT_END "'stream':true,'stream_options':{'include_usage':true}}"
#define SKIP     "'thoughtSignature':'skip_thought_signature_validator'"

enum offer { NONE, TOOLS, NO_MORE, NONE_AND_NO_MORE };

static const struct request_case {
    const char *name;
    enum llm_dialect dialect;
    const struct llm_message *messages;
    size_t count;
    enum offer offer;
    const char *body;
} cases[] = {
    {"chat-none", LLM_CHAT, plain, COUNT(plain), NONE,
     "{'model':'m-1','messages':[{'role':'system','content':'rules'},{'role':'user','content':"
     "'Book me'}]," CHAT_END},
    {"chat-none-no-more", LLM_CHAT, plain, COUNT(plain), NONE_AND_NO_MORE,
     "{'model':'m-1','messages':[{'role':'system','content':'rules'},{'role':'user','content':"
     "'Book me'}]," CHAT_END},
    {"chat-tools", LLM_CHAT, plain, COUNT(plain), TOOLS,
     "{'model':'m-1'," CHAT_TOOLS "'messages':[{'role':'system','content':'rules'},"
     "{'role':'user','content':'Book me'}]," CHAT_END},
    {"chat-no-more", LLM_CHAT, plain, COUNT(plain), NO_MORE,
     "{'model':'m-1'," CHAT_TOOLS "'messages':[{'role':'system','content':'rules'},"
     "{'role':'user','content':'Book me'}],'tool_choice':'none'," CHAT_END},
    {"chat-round", LLM_CHAT, one_round, COUNT(one_round), NONE,
     "{'model':'m-1','messages':[{'role':'user','content':'Book me'},{'role':'assistant',"
     "'content':'Well.','tool_calls':[{'id':'call00001','type':'function','function':{'name':"
     "'book','arguments':'{ \\'day\\': \\'Mon\\', \\'n\\': 12345678901234567890 }'}},"
     "{'id':'call00002','type':'function','function':{'name':'end','arguments':'{}'}}]},"
     "{'role':'tool','tool_call_id':'call00001','content':'{\\'ok\\':true}'},"
     "{'role':'tool','tool_call_id':'call00002','content':'no'},"
     "{'role':'user','content':'Thanks'}]," CHAT_END},
    {"chat-two-rounds", LLM_CHAT, two_rounds, COUNT(two_rounds), NONE,
     "{'model':'m-1','messages':[{'role':'user','content':'x'},{'role':'assistant','content':null,"
     "'tool_calls':[{'id':'call00001','type':'function','function':{'name':'book','arguments':"
     "'{}'}}]},{'role':'tool','tool_call_id':'call00001','content':'[1, 2]'},{'role':'assistant',"
     "'content':null,'tool_calls':[{'id':'call00002','type':'function','function':{'name':'end',"
     "'arguments':'{}'}},{'id':'call00003','type':'function','function':{'name':'end','arguments':"
     "'{\\'b\\':2}'}}]},{'role':'tool','tool_call_id':'call00002','content':'first'},{'role':"
     "'tool','tool_call_id':'call00003','content':'{\\'why\\':\\'full\\'}'}]," CHAT_END},
    {"chat-bad", LLM_CHAT, bad_round, COUNT(bad_round), NONE,
     "{'model':'m-1','messages':[{'role':'assistant','content':null,'tool_calls':[{'id':"
     "'call00001','type':'function','function':{'name':'rm_-rf___','arguments':'{\\'day\\': oops'}}"
     ",{'id':'call00002','type':'function','function':{'name':'_','arguments':'[1]'}},{'id':"
     "'call00003','type':'function','function':{'name':'_day','arguments':''}}]},{'role':'tool',"
     "'tool_call_id':'call00001','content':'1'},{'role':'tool','tool_call_id':'call00002',"
     "'content':'not carried out'},{'role':'tool','tool_call_id':'call00003','content':'3'},"
     "{'role':'user','content':'x'}]," CHAT_END},

    {"gemini-none", LLM_GEMINI, plain, COUNT(plain), NONE,
     "{'systemInstruction':{'parts':[{'text':'rules'}]},'contents':[{'role':'user','parts':["
     "{'text':'Book me'}]}]}"},
    {"gemini-none-no-more", LLM_GEMINI, plain, COUNT(plain), NONE_AND_NO_MORE,
     "{'systemInstruction':{'parts':[{'text':'rules'}]},'contents':[{'role':'user','parts':["
     "{'text':'Book me'}]}]}"},
    {"gemini-tools", LLM_GEMINI, plain, COUNT(plain), TOOLS,
     "{'systemInstruction':{'parts':[{'text':'rules'}]}," GEMINI_TOOLS
     "'contents':[{'role':'user','parts':[{'text':'Book me'}]}]}"},
    {"gemini-no-more", LLM_GEMINI, plain, COUNT(plain), NO_MORE,
     "{'systemInstruction':{'parts':[{'text':'rules'}]}," GEMINI_TOOLS
     "'contents':[{'role':'user','parts':[{'text':'Book me'}]}],"
     "'toolConfig':{'functionCallingConfig':{'mode':'NONE'}}}"},
    {"gemini-round", LLM_GEMINI, one_round, COUNT(one_round), NONE,
     "{'systemInstruction':{},'contents':[{'role':'user','parts':[{'text':'Book me'}]},{'role':"
     "'model','parts':[{'text':'Well.'},{'functionCall':{'name':'book','args':{ 'day': 'Mon', "
     "'n': 12345678901234567890 }}," SKIP "},{'functionCall':{'name':'end','args':{}}}]},{'role':"
     "'user','parts':[{'functionResponse':{'name':'book','response':{'ok':true}}},"
     "{'functionResponse':{'name':'end','response':{'error':'no'}}},{'text':'Thanks'}]}]}"},
    {"gemini-two-rounds", LLM_GEMINI, two_rounds, COUNT(two_rounds), NONE,
     "{'systemInstruction':{},'contents':[{'role':'user','parts':[{'text':'x'}]},{'role':'model',"
     "'parts':[{'functionCall':{'name':'book','args':{}}," SKIP "}]},{'role':'user','parts':["
     "{'functionResponse':{'name':'book','response':{'result':[1, 2]}}}]},{'role':'model','parts':["
     "{'functionCall':{'name':'end','args':{}}," SKIP "},{'functionCall':{'name':'end','args':{'b':"
     "2}}}]},{'role':'user','parts':[{'functionResponse':{'name':'end','response':{'result':"
     "'first'}}},{'functionResponse':{'name':'end','response':{'error':{'why':'full'}}}}]}]}"},
    {"gemini-bad", LLM_GEMINI, bad_round, COUNT(bad_round), NONE,
     "{'systemInstruction':{},'contents':[{'role':'user','parts':[{'text':'(The business wrote "
     "first.)'}]},{'role':'model','parts':[{'functionCall':{'name':'rm_-rf___','args':{}}," SKIP
     "},{'functionCall':{'name':'_','args':{}}},{'functionCall':{'name':'_day','args':{}}}]},"
     "{'role':'user','parts':[{'functionResponse':{'name':'rm_-rf___','response':{'result':1}}},"
     "{'functionResponse':{'name':'_','response':{'error':'not carried out'}}},"
     "{'functionResponse':{'name':'_day','response':{'result':3}}},{'text':'x'}]}]}"},

    {"anthropic-none", LLM_ANTHROPIC, plain, COUNT(plain), NONE,
     "{'model':'m-1','max_tokens':1024,'system':[{'type':'text','text':'rules'}],'messages':[{"
     "'role':'user','content':[{'type':'text','text':'Book me'}]}],'stream':true}"},
    {"anthropic-none-no-more", LLM_ANTHROPIC, plain, COUNT(plain), NONE_AND_NO_MORE,
     "{'model':'m-1','max_tokens':1024,'system':[{'type':'text','text':'rules'}],'messages':[{"
     "'role':'user','content':[{'type':'text','text':'Book me'}]}],'stream':true}"},
    {"anthropic-tools", LLM_ANTHROPIC, plain, COUNT(plain), TOOLS,
     "{'model':'m-1','max_tokens':1024," ANTHROPIC_TOOLS
     "'system':[{'type':'text','text':'rules'}],'messages':[{"
     "'role':'user','content':[{'type':'text','text':'Book me'}]}],'stream':true}"},
    {"anthropic-no-more", LLM_ANTHROPIC, plain, COUNT(plain), NO_MORE,
     "{'model':'m-1','max_tokens':1024," ANTHROPIC_TOOLS
     "'system':[{'type':'text','text':'rules'}],'messages':[{"
     "'role':'user','content':[{'type':'text','text':'Book me'}]}],"
     "'tool_choice':{'type':'none'},'stream':true}"},
    {"anthropic-round", LLM_ANTHROPIC, one_round, COUNT(one_round), NONE,
     "{'model':'m-1','max_tokens':1024,'messages':[{'role':'user','content':[{'type':'text','text':"
     "'Book me'}]},{'role':'assistant','content':[{'type':'text','text':'Well.'},{'type':"
     "'tool_use','id':'call00001','name':'book','input':{ 'day': 'Mon', 'n': 12345678901234567890 "
     "}},{'type':'tool_use','id':'call00002','name':'end','input':{}}]},{'role':'user','content':["
     "{'type':'tool_result','tool_use_id':'call00001','content':'{\\'ok\\':true}'},{'type':"
     "'tool_result','tool_use_id':'call00002','content':'no','is_error':true},{'type':'text',"
     "'text':'Thanks'}]}],'stream':true}"},
    {"anthropic-two-rounds", LLM_ANTHROPIC, two_rounds, COUNT(two_rounds), NONE,
     "{'model':'m-1','max_tokens':1024,'messages':[{'role':'user','content':[{'type':'text','text':"
     "'x'}]},{'role':'assistant','content':[{'type':'tool_use','id':'call00001','name':'book',"
     "'input':{}}]},{'role':'user','content':[{'type':'tool_result','tool_use_id':'call00001',"
     "'content':'[1, 2]'}]},{'role':'assistant','content':[{'type':'tool_use','id':'call00002',"
     "'name':'end','input':{}},{'type':'tool_use','id':'call00003','name':'end','input':{'b':2}}]},"
     "{'role':'user','content':[{'type':'tool_result','tool_use_id':'call00002','content':'first'},"
     "{'type':'tool_result','tool_use_id':'call00003','content':'{\\'why\\':\\'full\\'}',"
     "'is_error':true}]}],'stream':true}"},
    {"anthropic-bad", LLM_ANTHROPIC, bad_round, COUNT(bad_round), NONE,
     "{'model':'m-1','max_tokens':1024,'messages':[{'role':'user','content':[{'type':'text','text':"
     "'(The business wrote first.)'}]},{'role':'assistant','content':[{'type':'tool_use','id':"
     "'call00001','name':'rm_-rf___','input':{}},{'type':'tool_use','id':'call00002','name':'_',"
     "'input':{}},{'type':'tool_use','id':'call00003','name':'_day','input':{}}]},{'role':'user',"
     "'content':[{'type':'tool_result','tool_use_id':'call00001','content':'1'},{'type':"
     "'tool_result','tool_use_id':'call00002','content':'not carried out','is_error':true},{'type':"
     "'tool_result','tool_use_id':'call00003','content':'3'},{'type':'text','text':'x'}]}],"
     "'stream':true}"},
};

static bool answer_nothing(int fd, const char *name)
{
    (void)name;
    fake_answer(fd, "500 No", "", "");
    return true;
}

/* The last request's body with ' for "; free() it. */
static char *sent_body(void)
{
    pthread_mutex_lock(&server->lock);
    char *body = xstrdup(server->last_body);
    pthread_mutex_unlock(&server->lock);
    for (char *at = body; (at = strchr(at, '"')) != NULL;)
        *at = '\'';
    return body;
}

static char *send_case(const struct request_case *c, bool echo_reasoning)
{
    struct outcome o = {0};
    bool offered = c->offer == TOOLS || c->offer == NO_MORE;
    start(&o, c->name,
          (struct llm_request){.dialect = c->dialect,
                               .messages = c->messages,
                               .message_count = c->count,
                               .tools = tools,
                               .tool_count = offered ? COUNT(tools) : 0,
                               .no_more_tools = c->offer >= NO_MORE,
                               .echo_reasoning = echo_reasoning,
                               .temperature = -1});
    run();
    return sent_body();
}

static void test_bodies(void)
{
    for (size_t i = 0; i < COUNT(cases); i++) {
        char *body = send_case(&cases[i], false);
        if (strcmp(body, cases[i].body) != 0)
            printf("\n  %s:\n  sent     %s\n  expected %s\n", cases[i].name, body, cases[i].body);
        CU_ASSERT_STRING_EQUAL(body, cases[i].body);
        free(body);
    }
}

/* A model that wants its (empty) reasoning back wants it beside calls, too. */
static void test_reasoning(void)
{
    const struct request_case c = {"reasoning",       LLM_CHAT, two_rounds,
                                   COUNT(two_rounds), NONE,     NULL};
    char *body = send_case(&c, true);
    CU_ASSERT_PTR_NOT_NULL(
        strstr(body, "'content':null,'reasoning_content':'','tool_calls':[{'id':'call00001'"));
    free(body);
}

/* A name of 64 letters is sent whole, a longer one is cut to them. */
static void test_long_name(void)
{
    char name[91], wanted[100];
    memset(name, 'n', sizeof name - 1);
    name[sizeof name - 1] = '\0';
    const struct llm_tool_call call = {"a", name, "{}", NULL};
    const struct llm_message messages[] = {
        {.role = LLM_USER, .text = "x"},
        {.role = LLM_ASSISTANT, .text = "", .calls = &call, .call_count = 1}};
    const struct request_case c = {"long-name", LLM_CHAT, messages, 2, NONE, NULL};
    char *body = send_case(&c, false);
    snprintf(wanted, sizeof wanted, "{'name':'%.64s',", name);
    CU_ASSERT_PTR_NOT_NULL(strstr(body, wanted));
    free(body);
}

int main(void)
{
    serve_slow = answer_nothing;
    CU_initialize_registry();
    CU_pSuite suite = CU_add_suite("tools in requests", set_up, tear_down);
    CU_add_test(suite, "every body", test_bodies);
    CU_add_test(suite, "reasoning beside calls", test_reasoning);
    CU_add_test(suite, "a long name", test_long_name);
    return run_tests();
}
