/* Unit tests of access tokens against a scripted endpoint: bought once for all who ask, kept until
 * shortly before their end, asked for anew after a refusal; and what each answer means. */
#include "mail/oauth.h"

#include <CUnit/Basic.h>
#include <signal.h>

#include "base/clock.h"
#include "unit/common/http/fake_server.h"

static struct loop *loop;
static struct http_client *client;
static struct fake_server *server;
static struct oauth *oauth;
static struct secret *refresh;
static const struct uuid owner = {.bytes = {7}}, second = {.bytes = {8}};

/* What the endpoint answers next: status line, headers, body; # is its number. */
static atomic_int answered;
static const char *status, *headers, *body;

static bool serve(struct fake_server *s, int fd, const struct fake_request *request)
{
    char text[2000];
    const char *place = strchr(body, '#');
    int number = atomic_fetch_add(&answered, 1) + 1;
    (void)s, (void)request;
    if (place != NULL)
        snprintf(text, sizeof text, "%.*s%d%s", (int)(place - body), body, number, place + 1);
    return fake_answer(fd, status, headers, place != NULL ? text : body);
}

static void answer_with(const char *line, const char *text)
{
    status = line;
    headers = "Content-Type: application/json\r\n";
    body = text;
}

static int waiting;

struct seen {
    int calls;
    char token[100], code[ERR_CODE_MAX], message[ERR_MESSAGE_MAX];
    enum err_class class;
    int64_t retry_after_ms;
};

static void on_done(void *arg, const struct secret *token, const struct err *err)
{
    struct seen *seen = arg;
    seen->calls++;
    if (token != NULL) {
        snprintf(seen->token, sizeof seen->token, "%s", secret_reveal(token));
    } else {
        snprintf(seen->code, sizeof seen->code, "%s", err->code);
        snprintf(seen->message, sizeof seen->message, "%s", err->message);
        seen->class = err->class;
        seen->retry_after_ms = err->retry_after_ms;
    }
    if (--waiting == 0)
        loop_stop(loop);
}

static struct {
    int calls;
    int64_t version;
    char token[100];
} rotated;

static void on_rotated(void *arg, const struct uuid *whose, int64_t version,
                       const struct oauth_grant *grant)
{
    (void)arg;
    CU_ASSERT_EQUAL(memcmp(whose, &owner, sizeof owner), 0);
    rotated.calls++;
    rotated.version = version;
    snprintf(rotated.token, sizeof rotated.token, "%s", secret_reveal(grant->refresh_token));
}

static int set_up(void)
{
    signal(SIGPIPE, SIG_IGN);
    loop = loop_new();
    server = fake_server_start(serve);
    client = http_client_new(&(struct http_client_options){.loop = loop});
    refresh = secret_new("r&1", 3);
    return 0;
}

static int tear_down(void)
{
    http_client_free(&client);
    secret_free(&refresh);
    for (int i = 0; i < 5; i++)
        loop_pass(loop);
    loop_free(&loop);
    fake_server_stop(server);
    return 0;
}

static void begin(void)
{
    atomic_store(&answered, 0);
    memset(&rotated, 0, sizeof rotated);
    oauth = oauth_new(
        &(struct oauth_options){.loop = loop, .client = client, .on_rotated = on_rotated});
    answer_with("200 OK", "{\"access_token\":\"t#\",\"expires_in\":3600}");
}

static void finish(void)
{
    oauth_free(&oauth);
    loop_pass(loop);
}

static struct oauth_wait *ask_with(struct seen *seen, const struct uuid *whose, int64_t version,
                                   const struct secret *token, const char *scope)
{
    static char url[100];
    snprintf(url, sizeof url, "http://127.0.0.1:%d/token", server->port);
    const struct oauth_grant grant = {url, "client 1", scope, NULL, token};
    waiting++;
    return oauth_ask(oauth, whose, version, &grant, on_done, seen);
}

static struct oauth_wait *ask_for(struct seen *seen, const struct uuid *whose, int64_t version)
{
    return ask_with(seen, whose, version, refresh, "");
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
    timer_start(watchdog, 60000, 0);
    loop_run(loop);
    timer_free(&watchdog);
}

static struct seen wait_for(struct seen *seen)
{
    CU_ASSERT_EQUAL(seen->calls, 0); /* never from inside */
    run();
    CU_ASSERT_EQUAL(seen->calls, 1);
    return *seen;
}

static struct seen ask(const struct uuid *whose, int64_t version)
{
    struct seen seen = {0};
    ask_for(&seen, whose, version);
    return wait_for(&seen);
}

/* The grant comes with another refresh token. */
static struct seen ask_again(int64_t version, const char *text)
{
    struct seen seen = {0};
    struct secret *token = secret_new(text, strlen(text));
    ask_with(&seen, &owner, version, token, "");
    secret_free(&token);
    return wait_for(&seen);
}

/* For other things than before. */
static struct seen ask_other(int64_t version)
{
    struct seen seen = {0};
    ask_with(&seen, &owner, version, refresh, "mail.send");
    return wait_for(&seen);
}

/* ---- tests ---- */

static void test_one_request_for_all(void)
{
    struct seen a = {0}, b = {0}, c = {0};
    begin();
    ask_for(&a, &owner, 1);
    ask_for(&b, &owner, 1);
    struct oauth_wait *gone = ask_for(&c, &owner, 1);
    oauth_cancel(&gone);
    waiting--;
    CU_ASSERT_PTR_NULL(gone);
    run();
    CU_ASSERT_STRING_EQUAL(a.token, "t1");
    CU_ASSERT_STRING_EQUAL(b.token, "t1");
    CU_ASSERT_EQUAL(c.calls, 0);
    pthread_mutex_lock(&server->lock);
    CU_ASSERT_STRING_EQUAL(server->last_body,
                           "grant_type=refresh_token&refresh_token=r%261&client_id=client%201");
    pthread_mutex_unlock(&server->lock);
    CU_ASSERT_STRING_EQUAL(ask(&owner, 1).token, "t1"); /* kept */
    CU_ASSERT_STRING_EQUAL(ask(&second, 1).token, "t2");
    finish();
}

static void test_asks_anew(void)
{
    begin();
    CU_ASSERT_STRING_EQUAL(ask(&owner, 1).token, "t1");
    oauth_forget(oauth, &owner); /* the server refused it */
    oauth_forget(oauth, &second);
    CU_ASSERT_STRING_EQUAL(ask(&owner, 1).token, "t2");
    CU_ASSERT_STRING_EQUAL(ask_other(2).token, "t3"); /* another grant */
    answer_with("200 OK", "{\"access_token\":\"t#\",\"expires_in\":1}");
    oauth_forget(oauth, &owner);
    CU_ASSERT_STRING_EQUAL(ask_other(2).token, "t4");
    for (int64_t end_ms = clock_mono_ms() + 1000; clock_mono_ms() < end_ms;)
        ;
    CU_ASSERT_STRING_EQUAL(ask_other(2).token, "t5"); /* its time was over */
    finish();
}

static void test_a_new_refresh_token(void)
{
    begin();
    answer_with("200 OK", "{\"access_token\":\"t#\",\"refresh_token\":\"r-new\"}");
    CU_ASSERT_STRING_EQUAL(ask(&owner, 4).token, "t1");
    CU_ASSERT_EQUAL(rotated.calls, 1);
    CU_ASSERT_EQUAL(rotated.version, 4);
    CU_ASSERT_STRING_EQUAL(rotated.token, "r-new");
    oauth_forget(oauth, &owner);
    CU_ASSERT_STRING_EQUAL(ask(&owner, 4).token, "t2"); /* the same one again */
    CU_ASSERT_EQUAL(rotated.calls, 1);
    pthread_mutex_lock(&server->lock);
    CU_ASSERT_PTR_NOT_NULL(strstr(server->last_body, "refresh_token=r-new&"));
    pthread_mutex_unlock(&server->lock);
    finish();
}

/* It was kept in the database, and comes back from there; so do those of other processes. */
static void test_a_new_refresh_token_comes_back(void)
{
    begin();
    answer_with("200 OK", "{\"access_token\":\"t#\",\"refresh_token\":\"r-new\"}");
    CU_ASSERT_STRING_EQUAL(ask(&owner, 4).token, "t1");
    CU_ASSERT_STRING_EQUAL(ask_again(5, "r-new").token, "t1");
    CU_ASSERT_STRING_EQUAL(ask_again(6, "r-other").token, "t1");
    CU_ASSERT_EQUAL(rotated.calls, 1);
    oauth_forget(oauth, &owner);
    CU_ASSERT_STRING_EQUAL(ask_again(6, "r-other").token, "t2");
    pthread_mutex_lock(&server->lock);
    CU_ASSERT_PTR_NOT_NULL(strstr(server->last_body, "refresh_token=r-other&"));
    pthread_mutex_unlock(&server->lock);
    CU_ASSERT_EQUAL(rotated.calls, 2);
    CU_ASSERT_EQUAL(rotated.version, 6);
    finish();
}

/* The login was wrapped anew while the new one was to be written, which was refused for that. */
static void test_the_former_refresh_token_comes_back(void)
{
    begin();
    answer_with("200 OK", "{\"access_token\":\"t#\",\"refresh_token\":\"r-new\"}");
    CU_ASSERT_STRING_EQUAL(ask(&owner, 4).token, "t1");
    CU_ASSERT_EQUAL(rotated.calls, 1);
    for (int i = 0; i < 2; i++) {
        CU_ASSERT_STRING_EQUAL(ask(&owner, 5).token, "t1");
        CU_ASSERT_EQUAL(rotated.calls, 2); /* once for each version */
        CU_ASSERT_EQUAL(rotated.version, 5);
        CU_ASSERT_STRING_EQUAL(rotated.token, "r-new");
    }
    finish();
}

/* The second one is there before the first is read back. */
static void test_two_new_refresh_tokens(void)
{
    begin();
    answer_with("200 OK", "{\"access_token\":\"t#\",\"refresh_token\":\"r-one\"}");
    CU_ASSERT_STRING_EQUAL(ask(&owner, 4).token, "t1");
    oauth_forget(oauth, &owner);
    answer_with("200 OK", "{\"access_token\":\"t#\",\"refresh_token\":\"r-two\"}");
    CU_ASSERT_STRING_EQUAL(ask(&owner, 4).token, "t2");
    CU_ASSERT_EQUAL(rotated.version, 4);
    CU_ASSERT_STRING_EQUAL(ask_again(5, "r-one").token, "t2");
    oauth_forget(oauth, &owner);
    answer_with("200 OK", "{\"access_token\":\"t#\"}");
    CU_ASSERT_STRING_EQUAL(ask_again(5, "r-one").token, "t3");
    pthread_mutex_lock(&server->lock);
    CU_ASSERT_PTR_NOT_NULL(strstr(server->last_body, "refresh_token=r-two&"));
    pthread_mutex_unlock(&server->lock);
    finish();
}

static void test_answers(void)
{
    static const struct {
        const char *status, *body, *code;
        enum err_class class;
    } cases[] = {
        {"400 Bad Request", "{\"error\":\"invalid_grant\",\"error_description\":\"secret words\"}",
         "oauth.refused", ERR_FALL_BACK},
        {"401 Unauthorized", "{\"error\":\"invalid_client\"}", "oauth.refused", ERR_FALL_BACK},
        {"401 Unauthorized", "no json", "oauth.refused", ERR_FALL_BACK},
        {"400 Bad Request", "{\"error\":\"temporarily_unavailable\"}", "oauth.unavailable",
         ERR_RETRY_LATER},
        {"400 Bad Request", "{\"error\":\"<b>what</b>\"}", "oauth.endpoint", ERR_FALL_BACK},
        {"404 Not Found", "", "oauth.endpoint", ERR_FALL_BACK},
        {"302 Found", "", "oauth.endpoint", ERR_FALL_BACK},
        {"503 Unavailable", "", "oauth.unavailable", ERR_RETRY_LATER},
        {"429 Too Many", "{}", "oauth.unavailable", ERR_RETRY_LATER},
        {"200 OK", "<html>", "oauth.answer", ERR_RETRY_LATER},
        {"200 OK", "{}", "oauth.answer", ERR_RETRY_LATER},
        {"200 OK", "{\"access_token\":\"a\\r\\nb\"}", "oauth.answer", ERR_RETRY_LATER},
        {"200 OK", "{\"access_token\":7}", "oauth.answer", ERR_RETRY_LATER},
    };
    begin();
    for (size_t i = 0; i < sizeof cases / sizeof *cases; i++) {
        answer_with(cases[i].status, cases[i].body);
        struct seen seen = ask(&owner, 1);
        CU_ASSERT_STRING_EQUAL(seen.code, cases[i].code);
        CU_ASSERT_EQUAL(seen.class, cases[i].class);
        CU_ASSERT_PTR_NULL(strstr(seen.message, "secret words"));
        CU_ASSERT_PTR_NULL(strstr(seen.message, "<b>"));
    }
    headers = "Retry-After: 7\r\n";
    status = "503 Unavailable";
    CU_ASSERT_EQUAL(ask(&owner, 1).retry_after_ms, 7000);
    finish();
}

static void test_nobody_there(void)
{
    struct seen seen = {0};
    const struct oauth_grant grant = {"http://127.0.0.1:1/", "c", "", NULL, refresh};
    begin();
    waiting++;
    oauth_ask(oauth, &owner, 1, &grant, on_done, &seen);
    run();
    CU_ASSERT_STRING_EQUAL(seen.code, "http.connect");
    CU_ASSERT_EQUAL(seen.class, ERR_RETRY_LATER);
    ask_for(&seen, &owner, 2); /* ends with a request in flight */
    loop_pass(loop);
    waiting--;
    finish();
    CU_ASSERT_EQUAL(seen.calls, 1);
}

int main(void)
{
    CU_initialize_registry();
    CU_pSuite suite = CU_add_suite("mail/oauth", set_up, tear_down);
    CU_add_test(suite, "one request for all", test_one_request_for_all);
    CU_add_test(suite, "asks anew", test_asks_anew);
    CU_add_test(suite, "a new refresh token", test_a_new_refresh_token);
    CU_add_test(suite, "a new refresh token comes back", test_a_new_refresh_token_comes_back);
    CU_add_test(suite, "the former one comes back", test_the_former_refresh_token_comes_back);
    CU_add_test(suite, "two new refresh tokens", test_two_new_refresh_tokens);
    CU_add_test(suite, "answers", test_answers);
    CU_add_test(suite, "nobody there", test_nobody_there);
    CU_basic_set_mode(CU_BRM_VERBOSE);
    CU_basic_run_tests();
    unsigned failures = CU_get_number_of_failures();
    CU_cleanup_registry();
    return failures > 0 ? 1 : 0;
}
