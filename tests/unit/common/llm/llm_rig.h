/* What the tests of the model client share: a scripted server, calls against it and their outcome.
 * The request's path begins with the script's name. */
#ifndef DESK_TESTS_LLM_RIG_H
#define DESK_TESTS_LLM_RIG_H

#include "llm/llm.h"

#include <CUnit/Basic.h>
#include <signal.h>

#include "unit/common/http/fake_server.h"
#include "json/json.h"

struct script {
    const char *name, *status, *headers, *body;
    const char *text, *code; /* expected; code "" is success */
    enum err_class class;
    enum llm_finish finish;
};

/* The test's own, given to set_up's caller; serve_slow answers what no script names. */
static const struct script *script_list;
static size_t script_count;
static bool (*serve_slow)(int fd, const char *name);

struct outcome {
    bool done, cancel_on_text, cancel_on_first;
    int firsts; /* on_first came so often */
    char code[ERR_CODE_MAX], text[256], streamed[256], model[64], request_id[64];
    enum err_class class;
    enum llm_finish finish;
    int status, provider_status;
    int64_t tokens_in, tokens_out, tokens_cached, tokens_written, first_token_us, retry_after_ms;
    size_t argument_bytes;
    bool sent;
    struct llm_call *call;
};

static struct loop *loop;
static struct llm *llm;
static struct fake_server *server;
static int waiting;

static bool serve(struct fake_server *s, int fd, const struct fake_request *request)
{
    (void)s;
    const char *name = strchr(request->head, '/') + 1;
    for (size_t i = 0; i < script_count; i++) {
        size_t length = strlen(script_list[i].name);
        if (strncmp(name, script_list[i].name, length) == 0 && name[length] == '/')
            return fake_answer(fd, script_list[i].status, script_list[i].headers,
                               script_list[i].body);
    }
    return serve_slow(fd, name);
}

static void cancel(struct outcome *o)
{
    llm_cancel(llm, o->call);
    if (--waiting == 0)
        loop_stop(loop);
}

static void on_first(void *arg)
{
    struct outcome *o = arg;
    CU_ASSERT_FALSE(o->done);
    CU_ASSERT_STRING_EQUAL(o->streamed, "");
    o->firsts++;
    if (o->cancel_on_first)
        cancel(o);
}

static void on_text(void *arg, const char *bytes, size_t length)
{
    struct outcome *o = arg;
    CU_ASSERT_EQUAL(o->firsts, 1);
    strncat(o->streamed, bytes, length);
    if (o->cancel_on_text)
        cancel(o);
}

static void on_done(void *arg, const struct llm_result *result)
{
    struct outcome *o = arg;
    CU_ASSERT_FALSE(o->done);
    o->done = true;
    if (result->err != NULL) {
        snprintf(o->code, sizeof o->code, "%s", result->err->code);
        o->class = result->err->class;
        o->provider_status = result->err->provider_status;
        o->retry_after_ms = result->err->retry_after_ms;
    }
    CU_ASSERT_EQUAL(result->text_length, strlen(result->text));
    snprintf(o->text, sizeof o->text, "%s", result->text);
    snprintf(o->model, sizeof o->model, "%s", result->model);
    snprintf(o->request_id, sizeof o->request_id, "%s", result->request_id);
    o->finish = result->finish;
    o->status = result->status;
    o->tokens_in = result->tokens_in;
    o->tokens_out = result->tokens_out;
    o->tokens_cached = result->tokens_cached;
    o->tokens_written = result->tokens_written;
    o->argument_bytes = result->argument_bytes;
    o->sent = result->sent;
    o->first_token_us = result->first_token_us;
    if (--waiting == 0)
        loop_stop(loop);
}

static void give_up(void *arg)
{
    (void)arg;
    CU_FAIL("the loop did not end in time");
    loop_stop(loop);
}

static void run(void)
{
    struct timer *watchdog = timer_new(loop, give_up, NULL);
    timer_start(watchdog, 20000, 0);
    if (waiting > 0)
        loop_run(loop);
    timer_free(&watchdog);
}

static inline void start(struct outcome *o, const char *name, struct llm_request request)
{
    static const struct llm_message messages[] = {
        {.role = LLM_SYSTEM, .text = "You are \"kind\"."},
        {.role = LLM_USER, .text = "Gr\xC3\xBC\xC3\x9F\n"},
        {.role = LLM_ASSISTANT, .text = "Hi"}};
    char base[200];
    snprintf(base, sizeof base, "http://127.0.0.1:%d/%s/", server->port, name);
    request.base_url = base;
    if (request.model == NULL)
        request.model = "m-1";
    if (request.message_count == 0) {
        request.messages = messages;
        request.message_count = 3;
    }
    if (request.answer_max_bytes == 0)
        request.answer_max_bytes = 20;
    struct llm_callbacks callbacks = {
        .on_first = on_first, .on_text = on_text, .on_done = on_done, .arg = o};
    waiting++;
    o->call = llm_start(llm, &request, &callbacks);
    CU_ASSERT_FALSE(o->done);
}

/* Plays every script in this dialect. */
static inline void play_scripts(enum llm_dialect dialect)
{
    for (size_t i = 0; i < script_count; i++) {
        struct outcome o = {0};
        start(&o, script_list[i].name, (struct llm_request){.dialect = dialect, .temperature = -1});
        run();
        bool good = o.done && strcmp(o.code, script_list[i].code) == 0 &&
                    strcmp(o.text, script_list[i].text) == 0 && o.finish == script_list[i].finish &&
                    (o.code[0] == '\0' || o.class == script_list[i].class) &&
                    strcmp(o.streamed, o.text) == 0 && o.firsts == (o.text[0] != '\0');
        if (!good)
            printf("\n  %s: code \"%s\" text \"%s\" streamed \"%s\" finish %d class %d\n",
                   script_list[i].name, o.code, o.text, o.streamed, (int)o.finish, (int)o.class);
        CU_ASSERT_TRUE(good);
    }
}

static int set_up(void)
{
    signal(SIGPIPE, SIG_IGN);
    loop = loop_new();
    server = fake_server_start(serve);
    llm = llm_new(loop);
    return 0;
}

static int tear_down(void)
{
    llm_free(&llm);
    for (int i = 0; i < 5; i++)
        loop_pass(loop);
    loop_free(&loop);
    fake_server_stop(server);
    return 0;
}
/* The body of the last request, parsed; owned. */
static inline struct json *last_body(void)
{
    struct json *body = NULL;
    pthread_mutex_lock(&server->lock);
    CU_ASSERT_EQUAL(json_parse(server->last_body, strlen(server->last_body), &body, NULL), 0);
    pthread_mutex_unlock(&server->lock);
    return body;
}

/* Runs the registered suites; returns what main does. */
static int run_tests(void)
{
    CU_basic_set_mode(CU_BRM_VERBOSE);
    CU_basic_run_tests();
    unsigned failures = CU_get_number_of_failures();
    CU_cleanup_registry();
    return failures > 0 ? 1 : 0;
}

#endif
