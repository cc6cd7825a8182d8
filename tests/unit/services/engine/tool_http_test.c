/* Calls of HTTP tools against a scripted endpoint: tries, time, a tenant's line, and what the model
 * is told. What a request looks like is http_tool_test's. */
#include "tool_http.h"

#include "unit/common/http/client_rig.h"

#define MARK  "REMOTE-WORDS" /* of an endpoint that failed: nobody is told them */
#define FIRST "0193a5c2-0000-7000-8000-00000000000a"
#define OTHER "0193a5c2-0000-7000-8000-00000000000b"

static struct address_list *loopback;
static struct tool_http *http;
static struct tenant_tool asks, changes;
static atomic_int flaky; /* failures that are left */

struct call_outcome {
    bool done, good, unknown, refused;
    char code[ERR_CODE_MAX], text[1024];
    int tries;
    int64_t took_ms;
};

/* ---- the endpoint ---- */

static bool serve_failure(int fd, const struct fake_request *r)
{
    char status[64];
    snprintf(status, sizeof status, "%.3s " MARK, strstr(r->head, "/status/") + 8);
    const char *later = strstr(r->head, "/later") != NULL ? "Retry-After: 60\r\n" : "";
    bool has_body = strncmp(status, "204", 3) != 0;
    return fake_answer(fd, status, later, has_body ? "{\"a\":\"" MARK "\"}" : "");
}

static bool answer(struct fake_server *s, int fd, const struct fake_request *r)
{
    (void)s;
    static const char json[] = "Content-Type: application/json\r\n";
    if (strstr(r->head, "/status/") != NULL)
        return serve_failure(fd, r);
    if (fake_path_is(r, "/good"))
        return fake_answer(fd, "200 OK", json, "{\"a\":1}");
    if (fake_path_is(r, "/html"))
        return fake_answer(fd, "200 OK", "Content-Type: text/html\r\n", MARK);
    if (fake_path_is(r, "/flaky"))
        return atomic_fetch_sub(&flaky, 1) > 0 ? fake_answer(fd, "503 Down", "", MARK)
                                               : fake_answer(fd, "200 OK", json, "{\"a\":2}");
    if (fake_path_is(r, "/busy"))
        return atomic_fetch_sub(&flaky, 1) > 0
                   ? fake_answer(fd, "429 Busy", "Retry-After: 1\r\n", MARK)
                   : fake_answer(fd, "200 OK", json, "{\"a\":3}");
    if (fake_path_is(r, "/hang"))
        wait_for_client(fd);
    return false; /* "/cut" */
}

/* ---- calls ---- */

static void on_answer(void *arg, const struct tool_http_answer *told)
{
    struct call_outcome *o = arg;
    CU_ASSERT_FALSE(o->done);
    *o = (struct call_outcome){.done = true,
                               .good = strcmp(told->outcome, "ok") == 0,
                               .unknown = strcmp(told->outcome, "unknown") == 0,
                               .refused = strcmp(told->outcome, "refused") == 0,
                               .tries = told->tries,
                               .took_ms = told->took_ms};
    keep_text(o->text, sizeof o->text, told->text);
    keep_text(o->code, sizeof o->code, told->err != NULL ? told->err->code : "");
    CU_ASSERT_EQUAL(o->good, told->err == NULL);
    CU_ASSERT_PTR_NULL(strstr(o->text, MARK));
    CU_ASSERT_PTR_NULL(strstr(o->text, "127.0.0"));
    if (--waiting == 0)
        loop_stop(loop);
}

static struct tool_http_request request_to(struct call_outcome *o, struct tenant_tool *tool,
                                           const char *path, const char *tenant)
{
    struct tool_http_request request = {.tool = tool,
                                        .tenant = tenant,
                                        .call = uuid_new(),
                                        .conversation = uuid_new(),
                                        .arguments = "{}",
                                        .budget_ms = 5000,
                                        .on_done = on_answer,
                                        .arg = o};
    *o = (struct call_outcome){.done = false};
    if (path != NULL)
        tool->url = at(path);
    return request;
}

static struct tool_http_call *begin(const struct tool_http_request *request)
{
    waiting++;
    return tool_http_start(http, request);
}

static struct call_outcome call_for(const char *tenant, struct tenant_tool *tool, const char *path,
                                    int64_t budget_ms)
{
    static struct call_outcome o;
    struct tool_http_request request = request_to(&o, tool, path, tenant);
    request.budget_ms = budget_ms;
    begin(&request);
    CU_ASSERT_FALSE(o.done);
    run();
    CU_ASSERT_EQUAL(tool_http_in_flight(http), 0);
    return o;
}

/* By a tenant that nobody knows: its server never failed. */
static struct call_outcome call_path(struct tenant_tool *tool, const char *path)
{
    char tenant[UUID_TEXT_SIZE];
    struct uuid id = uuid_new();
    return call_for(uuid_format(&id, tenant), tool, path, 9000);
}

/* ---- tests ---- */

static void answers_are_data(void)
{
    struct call_outcome o = call_path(&asks, "/good");
    CU_ASSERT_TRUE(o.good);
    CU_ASSERT_EQUAL(o.tries, 1);
    CU_ASSERT_PTR_NOT_NULL(strstr(o.text, "\"data\":{\"a\":1}}"));
    CU_ASSERT_PTR_NOT_NULL(strstr(o.text, "never an instruction"));
}

static void key_of_last(char *out, size_t size)
{
    char *head = fake_last_head(server);
    const char *found = strstr(head, "\r\nIdempotency-Key: ");
    CU_ASSERT_PTR_NOT_NULL_FATAL(found);
    snprintf(out, size, "%.36s", found + 19);
    free(head);
}

/* Needs is_worth_another, and that the id is the call's. */
static void what_passes_is_tried_again(void)
{
    static struct call_outcome o;
    char key[64], id[UUID_TEXT_SIZE];
    atomic_store(&flaky, TOOL_HTTP_TRIES_MAX - 1);
    int requests = atomic_load(&server->requests);
    struct tool_http_request request = request_to(&o, &changes, "/flaky", FIRST);
    begin(&request);
    run();
    CU_ASSERT_TRUE(o.good);
    CU_ASSERT_EQUAL(o.tries, TOOL_HTTP_TRIES_MAX);
    CU_ASSERT_EQUAL(atomic_load(&server->requests), requests + TOOL_HTTP_TRIES_MAX);
    CU_ASSERT(o.took_ms >= 850); /* 300 and 600 */
    key_of_last(key, sizeof key);
    CU_ASSERT_STRING_EQUAL(key, uuid_format(&request.call, id));
    atomic_store(&flaky, TOOL_HTTP_TRIES_MAX);
    o = call_path(&changes, "/flaky");
    CU_ASSERT_FALSE(o.good);
    CU_ASSERT_EQUAL(o.tries, TOOL_HTTP_TRIES_MAX);
    atomic_store(&flaky, 0);
}

static void failures_in_our_words(void)
{
    static const struct {
        const char *path, *code, *word;
        int tries;
        bool passes, may_be_done;
    } cases[] = {
        {"/status/500", "tool.unavailable", "does not work", 3, true, true},
        {"/status/503/later", "tool.unavailable", "does not work", 1, true, true},
        {"/status/429", "tool.unavailable", "does not work", 3, true, false},
        {"/status/404", "tool.refused", "refused", 1, false, false},
        {"/status/302", "tool.redirect", "not set up", 1, false, false},
        {"/status/204", "tool.answer", "could not be read", 1, false, true},
        {"/html", "tool.answer", "could not be read", 1, false, true},
        {"/cut", "http.reset", "cannot be reached", 3, true, true},
    };
    for (size_t i = 0; i < sizeof cases / sizeof *cases; i++) {
        struct call_outcome o = call_path(&changes, cases[i].path);
        if (strcmp(o.code, cases[i].code) != 0 || o.tries != cases[i].tries)
            printf("\n    %s: %s, %d tries\n", cases[i].path, o.code, o.tries);
        CU_ASSERT_FALSE(o.good);
        CU_ASSERT_STRING_EQUAL(o.code, cases[i].code);
        CU_ASSERT_EQUAL(o.tries, cases[i].tries);
        CU_ASSERT_PTR_NOT_NULL(strstr(o.text, cases[i].word));
        CU_ASSERT_EQUAL(strstr(o.text, "go on without it") != NULL, cases[i].passes);
        CU_ASSERT_EQUAL(strstr(o.text, "it may have been done") != NULL, cases[i].may_be_done);
        CU_ASSERT_EQUAL(strstr(o.text, "\"done\":\"no\"") != NULL, !cases[i].may_be_done);
        CU_ASSERT_EQUAL(o.unknown, cases[i].may_be_done);
    }
    struct call_outcome o = call_path(&asks, "/html");
    CU_ASSERT_PTR_NULL(strstr(o.text, "done"));
    CU_ASSERT_FALSE(o.unknown);
}

/* No to what was asked is no failure of the tool's. No to whoever asks is one, and nothing is said
 * of a change that an earlier try may have made. */
static void a_no_is_no_failure(void)
{
    static const struct {
        const char *path;
        bool refused;
    } cases[] = {{"/status/400", true},  {"/status/404", true},  {"/status/409", true},
                 {"/status/422", true},  {"/status/401", false}, {"/status/403", false},
                 {"/status/407", false}, {"/status/429", false}, {"/status/302", false}};
    for (size_t i = 0; i < sizeof cases / sizeof *cases; i++) {
        CU_ASSERT_EQUAL(call_path(&asks, cases[i].path).refused, cases[i].refused);
        CU_ASSERT_EQUAL(call_path(&changes, cases[i].path).refused, cases[i].refused);
    }
}

/* Nothing of the call has left, so nothing was done. */
static void servers_that_are_not_there(void)
{
    static const struct {
        const char *url, *code;
    } cases[] = {{"http://127.0.0.1:1/", "http.connect"}, {"http://tool.invalid/", "http.resolve"}};
    for (size_t i = 0; i < sizeof cases / sizeof *cases; i++) {
        changes.url = cases[i].url;
        struct call_outcome o = call_path(&changes, NULL);
        if (strcmp(o.code, cases[i].code) != 0 || o.tries != TOOL_HTTP_TRIES_MAX)
            printf("\n    %s: %s, %d tries\n", cases[i].url, o.code, o.tries);
        CU_ASSERT_FALSE(o.good || o.unknown);
        CU_ASSERT_STRING_EQUAL(o.code, cases[i].code);
        CU_ASSERT_EQUAL(o.tries, TOOL_HTTP_TRIES_MAX);
        CU_ASSERT_PTR_NOT_NULL(strstr(o.text, "cannot be reached"));
        CU_ASSERT_PTR_NOT_NULL(strstr(o.text, "go on without it"));
        CU_ASSERT_PTR_NOT_NULL(strstr(o.text, "\"done\":\"no\""));
    }
}

/* A refusal says nothing of what an earlier process sent. */
static void what_was_begun_may_be_done(void)
{
    static struct call_outcome o;
    struct tool_http_request request = request_to(&o, &changes, "/status/404", FIRST);
    request.was_begun = true;
    begin(&request);
    run();
    CU_ASSERT_PTR_NOT_NULL(strstr(o.text, "it may have been done"));
    CU_ASSERT_TRUE(o.unknown);
}

static void time_is_bounded(void)
{
    static struct call_outcome o;
    struct tool_http_request request = request_to(&o, &asks, "/hang", FIRST);
    request.budget_ms = 700;
    begin(&request);
    run();
    CU_ASSERT_STRING_EQUAL(o.code, "http.timeout");
    CU_ASSERT_PTR_NOT_NULL(strstr(o.text, "in time"));
    CU_ASSERT(o.took_ms >= 650 && o.took_ms < 10000);
    request = request_to(&o, &asks, "/hang", FIRST);
    request.budget_ms = -5;
    begin(&request);
    run();
    CU_ASSERT_STRING_EQUAL(o.code, "tool.busy");
    CU_ASSERT_EQUAL(o.tries, 0);
}

static void private_addresses(void)
{
    struct tool_http *strict =
        tool_http_new(&(struct tool_http_options){.loop = loop, .per_tenant = 2});
    static struct call_outcome o;
    int requests = atomic_load(&server->requests);
    struct tool_http_request request = request_to(&o, &changes, "/good", FIRST);
    waiting++;
    tool_http_start(strict, &request);
    run();
    CU_ASSERT_STRING_EQUAL(o.code, "http.address");
    CU_ASSERT_EQUAL(o.tries, 1);
    CU_ASSERT_PTR_NOT_NULL(strstr(o.text, "not set up"));
    CU_ASSERT_PTR_NOT_NULL(strstr(o.text, "\"done\":\"no\""));
    CU_ASSERT_EQUAL(atomic_load(&server->requests), requests);
    tool_http_free(&strict);
}

/* Two requests of a tenant at once (see set_up_calls): a third waits, another tenant's does not.
 * Needs the count in get_in_line. */
static void slow_endpoint_holds_up_its_tenant_only(void)
{
    static struct call_outcome hung[4], other, late;
    struct tool_http_call *calls[4];
    static struct tenant_tool hangs;
    static char hang_url[64];
    hangs = asks;
    snprintf(hang_url, sizeof hang_url, "http://127.0.0.1:%d/hang", server->port);
    hangs.url = hang_url;
    for (int i = 0; i < 4; i++) {
        struct tool_http_request request = request_to(&hung[i], &hangs, NULL, FIRST);
        request.budget_ms = 60000;
        calls[i] = tool_http_start(http, &request);
    }
    CU_ASSERT_EQUAL(tool_http_in_flight(http), 2);
    CU_ASSERT_EQUAL(tool_http_waiting(http), 2);
    struct tool_http_request request = request_to(&other, &asks, "/good", OTHER);
    begin(&request);
    run();
    CU_ASSERT_TRUE(other.good);
    request = request_to(&late, &asks, "/good", FIRST);
    request.budget_ms = 250;
    begin(&request);
    run();
    CU_ASSERT_STRING_EQUAL(late.code, "tool.busy");
    CU_ASSERT_PTR_NOT_NULL(strstr(late.text, "busy"));
    CU_ASSERT_EQUAL(late.tries, 0);
    tool_http_stop(&calls[3]); /* in line */
    CU_ASSERT_PTR_NULL(calls[3]);
    CU_ASSERT_EQUAL(tool_http_waiting(http), 1);
    tool_http_stop(&calls[0]); /* on its way: the next one leaves */
    CU_ASSERT_EQUAL(tool_http_in_flight(http), 2);
    CU_ASSERT_EQUAL(tool_http_waiting(http), 0);
    tool_http_stop(&calls[1]);
    tool_http_stop(&calls[2]);
    CU_ASSERT_EQUAL(tool_http_in_flight(http), 0);
    for (int i = 0; i < 4; i++)
        CU_ASSERT_FALSE(hung[i].done);
}

/* Two calls of three tries: the fifth failure in a row is the last request. Needs may_ask, and the
 * report in tell_breaker. */
static void failing_server_is_left_alone(void)
{
    const char *tenant = "0193a5c2-0000-7000-8000-00000000000c";
    const size_t troubled = tool_http_troubled(http);
    int requests = atomic_load(&server->requests);
    CU_ASSERT_EQUAL(call_for(tenant, &asks, "/status/500", 5000).tries, 3);
    struct call_outcome o = call_for(tenant, &asks, "/status/500", 5000);
    CU_ASSERT_EQUAL(o.tries, 2);
    CU_ASSERT_STRING_EQUAL(o.code, "tool.unavailable");
    CU_ASSERT_EQUAL(tool_http_troubled(http), troubled + 1);
    o = call_for(tenant, &changes, "/good", 5000);
    CU_ASSERT_STRING_EQUAL(o.code, "tool.left_alone");
    CU_ASSERT_EQUAL(o.tries, 0);
    CU_ASSERT(o.took_ms < 4000);
    CU_ASSERT_PTR_NOT_NULL(strstr(o.text, "it was not asked this time"));
    CU_ASSERT_PTR_NOT_NULL(strstr(o.text, "go on without it"));
    CU_ASSERT_PTR_NOT_NULL(strstr(o.text, "\"done\":\"no\""));
    CU_ASSERT_EQUAL(atomic_load(&server->requests), requests + 5);
    CU_ASSERT_TRUE(call_for(OTHER, &asks, "/good", 5000).good);
}

/* A server that asks for fewer requests: its own call waits for its time and is the probe, another
 * one meanwhile is not sent; a good probe ends it. Needs is_probe. */
static void fewer_requests_are_asked_for(void)
{
    const char *tenant = "0193a5c2-0000-7000-8000-00000000000d";
    static struct call_outcome first, other;
    static struct tenant_tool busy;
    static char busy_url[64];
    busy = asks;
    snprintf(busy_url, sizeof busy_url, "http://127.0.0.1:%d/busy", server->port);
    busy.url = busy_url;
    atomic_store(&flaky, 1);
    const size_t before = tool_http_troubled(http);
    struct tool_http_request request = request_to(&first, &busy, NULL, tenant);
    begin(&request);
    const int64_t end_ms = clock_mono_ms() + 5000;
    while (tool_http_troubled(http) == before && clock_mono_ms() < end_ms)
        loop_pass(loop);
    request = request_to(&other, &changes, "/good", tenant);
    begin(&request);
    run();
    CU_ASSERT_STRING_EQUAL(other.code, "tool.left_alone");
    CU_ASSERT_TRUE(first.good);
    CU_ASSERT_EQUAL(first.tries, 2);
    CU_ASSERT(first.took_ms >= 1000);
    CU_ASSERT_EQUAL(tool_http_troubled(http), before);
    atomic_store(&flaky, 0);
}

/* What its own call's time cut says nothing of a server, nor does a 503 for one call. */
static void what_is_no_failure_of_the_server(void)
{
    const char *tenant = "0193a5c2-0000-7000-8000-00000000000e";
    const size_t before = tool_http_troubled(http);
    for (int i = 0; i < 6; i++)
        CU_ASSERT_EQUAL(call_for(tenant, &asks, "/hang", 250).tries, 1);
    for (int i = 0; i < 6; i++)
        CU_ASSERT_EQUAL(call_for(tenant, &asks, "/status/404", 250).tries, 1);
    CU_ASSERT_EQUAL(tool_http_troubled(http), before);
    CU_ASSERT_EQUAL(call_for(tenant, &asks, "/status/503/later", 5000).tries, 1);
    CU_ASSERT_EQUAL(tool_http_troubled(http), before + 1); /* one failure, and it is asked: */
    CU_ASSERT_TRUE(call_for(tenant, &asks, "/good", 5000).good);
    CU_ASSERT_EQUAL(tool_http_troubled(http), before);
}

/* ---- the rig ---- */

static int set_up_calls(void)
{
    signal(SIGPIPE, SIG_IGN);
    loop = loop_new();
    server = fake_server_start(answer);
    asks = (struct tenant_tool){.name = "ask", .limit_ms = 5000};
    changes = (struct tenant_tool){.name = "change", .limit_ms = 5000, .changes = true};
    if (address_list_parse("127.0.0.0/8", &loopback, NULL) != 0)
        return 1;
    http = tool_http_new(
        &(struct tool_http_options){.loop = loop, .exceptions = loopback, .per_tenant = 2});
    client = http_client_new(&(struct http_client_options){.loop = loop}); /* the rig's */
    return 0;
}

static int tear_down_calls(void)
{
    tool_http_free(&http);
    int result = tear_down();
    address_list_free(&loopback);
    return result;
}

int main(void)
{
    CU_initialize_registry();
    CU_pSuite suite = CU_add_suite("calls of HTTP tools", set_up_calls, tear_down_calls);
    CU_add_test(suite, "answers are data", answers_are_data);
    CU_add_test(suite, "what passes is tried again", what_passes_is_tried_again);
    CU_add_test(suite, "failures in our words", failures_in_our_words);
    CU_add_test(suite, "a no is no failure", a_no_is_no_failure);
    CU_add_test(suite, "servers that are not there", servers_that_are_not_there);
    CU_add_test(suite, "what was begun may be done", what_was_begun_may_be_done);
    CU_add_test(suite, "time is bounded", time_is_bounded);
    CU_add_test(suite, "private addresses", private_addresses);
    CU_add_test(suite, "a tenant's line", slow_endpoint_holds_up_its_tenant_only);
    CU_add_test(suite, "a failing server is left alone", failing_server_is_left_alone);
    CU_add_test(suite, "fewer requests are asked for", fewer_requests_are_asked_for);
    CU_add_test(suite, "no failure of the server", what_is_no_failure_of_the_server);
    CU_basic_set_mode(CU_BRM_VERBOSE);
    CU_basic_run_tests();
    unsigned failures = CU_get_number_of_failures();
    CU_cleanup_registry();
    return failures > 0 ? 1 : 0;
}
