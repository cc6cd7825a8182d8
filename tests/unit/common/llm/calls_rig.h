/* What the tests of calls in answers share: each script is played whole and in pieces of one byte,
 * and with no tools offered where a script says what then comes of it. */
#ifndef DESK_TESTS_CALLS_RIG_H
#define DESK_TESTS_CALLS_RIG_H

#include "unit/common/llm/llm_rig.h"

#define OK_STREAM "HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n"

struct call_script {
    const char *name, *body;
    const char *text, *calls; /* expected: "id=name(arguments)!signature", joined by ";" */
    const char *code;         /* "" is success; class_of knows the class */
    enum llm_finish finish;
};

static const struct llm_tool call_tools[] = {
    {"f", "Does f.", "{\"type\":\"object\",\"properties\":{\"a\":{\"type\":\"integer\"}}}"},
    {"g", NULL, NULL}};

/* What is being served, and how. */
static const char *served_body;
static bool served_bytewise;

struct call_outcome {
    bool done, offered;
    int firsts;
    char code[ERR_CODE_MAX], text[100], calls[700], signature[400];
    enum err_class class;
    enum llm_finish finish;
};

static bool serve_calls(int fd, const char *name)
{
    (void)name;
    struct strbuf out;
    strbuf_init(&out, (size_t)8 << 20);
    strbuf_add_text(&out, OK_STREAM);
    for (const char *at = served_body; *at != '\0';) {
        size_t length = served_bytewise ? 1 : strlen(at);
        strbuf_printf(&out, "%zx\r\n", length);
        strbuf_add(&out, at, length);
        strbuf_add_text(&out, "\r\n");
        at += length;
    }
    strbuf_add_text(&out, "0\r\n\r\n");
    bool sent = fake_send(fd, out.data);
    strbuf_fini(&out);
    return sent;
}

/* The provider's part of a signature stands behind what it is signed for. */
static void note_call(struct call_outcome *o, const struct llm_tool_call *call)
{
    size_t used = strlen(o->calls);
    const char *bare = call->signature != NULL ? strrchr(call->signature, ':') + 1 : "";
    snprintf(o->calls + used, sizeof o->calls - used, "%s%s=%s(%.60s)%s%s", used > 0 ? ";" : "",
             call->id, call->name, call->arguments, call->signature != NULL ? "!" : "", bare);
    if (call->signature != NULL && o->signature[0] == '\0')
        snprintf(o->signature, sizeof o->signature, "%s", call->signature);
}

static void on_call_first(void *arg)
{
    ((struct call_outcome *)arg)->firsts++;
}

static void on_calls_done(void *arg, const struct llm_result *result)
{
    struct call_outcome *o = arg;
    o->done = true;
    if (result->err != NULL) {
        snprintf(o->code, sizeof o->code, "%s", result->err->code);
        o->class = result->err->class;
    }
    snprintf(o->text, sizeof o->text, "%s", result->text);
    for (size_t i = 0; i < result->call_count; i++)
        note_call(o, &result->calls[i]);
    o->finish = result->finish;
    if (--waiting == 0)
        loop_stop(loop);
}

/* Plays one body; `tools` false: none are offered. */
static struct call_outcome play(enum llm_dialect dialect, const char *body, bool bytewise,
                                bool tools)
{
    struct call_outcome o = {.offered = tools};
    static const struct llm_message message = {.role = LLM_USER, .text = "x"};
    char base[60];
    snprintf(base, sizeof base, "http://127.0.0.1:%d/v", server->port);
    struct llm_request request = {.dialect = dialect,
                                  .base_url = base,
                                  .model = "m-1",
                                  .messages = &message,
                                  .message_count = 1,
                                  .tools = call_tools,
                                  .tool_count = tools ? 2 : 0,
                                  .temperature = -1,
                                  .answer_max_bytes = 90};
    struct llm_callbacks callbacks = {
        .on_first = on_call_first, .on_done = on_calls_done, .arg = &o};
    served_body = body;
    served_bytewise = bytewise;
    waiting++;
    llm_start(llm, &request, &callbacks);
    run();
    return o;
}

static enum err_class class_of(const char *code)
{
    bool passes = strcmp(code, "llm.truncated") == 0 || strcmp(code, "llm.unavailable") == 0;
    return passes                              ? ERR_RETRY_LATER
           : strcmp(code, "llm.filtered") == 0 ? ERR_PERMANENT
                                               : ERR_FALL_BACK;
}

/* Its first word is told once: text, or a piece of a call, complete or not, that was offered. */
static bool has_begun_well(const struct call_outcome *o)
{
    const bool has_words = o->text[0] != '\0' || (o->offered && o->calls[0] != '\0');
    return has_words ? o->firsts == 1 : o->firsts <= (o->offered ? 1 : 0);
}

static void check_outcome(const struct call_script *script, const struct call_outcome *o)
{
    bool good = o->done && strcmp(o->code, script->code) == 0 &&
                strcmp(o->text, script->text) == 0 && strcmp(o->calls, script->calls) == 0 &&
                o->finish == script->finish && has_begun_well(o) &&
                (o->code[0] == '\0' || o->class == class_of(o->code));
    if (!good)
        printf("\n  %s%s: code \"%s\" text \"%s\" calls \"%s\" finish %d class %d\n", script->name,
               served_bytewise ? " (bytewise)" : "", o->code, o->text, o->calls, (int)o->finish,
               (int)o->class);
    CU_ASSERT_TRUE(good);
}

static void play_calls(enum llm_dialect dialect, const struct call_script *scripts, size_t count,
                       bool tools)
{
    for (size_t i = 0; i < count; i++)
        for (int bytewise = 0; bytewise < 2; bytewise++) {
            struct call_outcome o = play(dialect, scripts[i].body, bytewise == 1, tools);
            check_outcome(&scripts[i], &o);
        }
}

#endif
