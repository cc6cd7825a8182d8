/* The HTTP client against a scripted server: answers, limits, the gate, cancels, and above all that
 * a body never leaves twice. */
#include "unit/common/http/client_rig.h"

static void test_get_and_post(void)
{
    struct outcome get = {0}, echo = {0};
    start(&get, (struct http_call){.method = "GET", .url = at("/ok")});
    start(&echo, post("/echo", "the body"));
    run();
    CU_ASSERT_EQUAL(get.status, 200);
    CU_ASSERT_STRING_EQUAL(get.body, "hello");
    CU_ASSERT_STRING_EQUAL(get.code, "");
    CU_ASSERT_STRING_EQUAL(get.content_type, "text/plain");
    CU_ASSERT_FALSE(get.body_sent);
    CU_ASSERT(get.connect_us >= 0 && get.first_byte_us > 0 && get.total_us >= get.first_byte_us);
    CU_ASSERT_STRING_EQUAL(echo.body, "the body");
    CU_ASSERT_TRUE(echo.body_sent);
}

static void test_large_body_goes_whole(void)
{
    size_t length = 300000;
    char *body = xmalloc(length + 1);
    memset(body, 'b', length);
    body[length] = '\0';
    struct outcome o = {0};
    struct http_call call = post("/echo", body);
    call.answer_max_bytes = length;
    start(&o, call);
    run();
    CU_ASSERT_EQUAL(o.status, 200);
    CU_ASSERT_EQUAL(o.body_length, length);
    free(body);
}

static void test_headers_and_secrets(void)
{
    struct secret *password = secret_new("pass", 4), *bearer = secret_new("token", 5);
    const char *const headers[] = {"Content-Type: application/json", "X-Own: 1", NULL};
    struct outcome o = {0};
    struct http_call call = post("/ok", "{}");
    call.headers = headers;
    call.user = "user";
    call.password = password;
    start(&o, call);
    run();
    char *head = fake_last_head(server);
    CU_ASSERT_PTR_NOT_NULL(strstr(head, "Authorization: Basic dXNlcjpwYXNz\r\n"));
    CU_ASSERT_PTR_NOT_NULL(strstr(head, "Content-Type: application/json\r\n"));
    CU_ASSERT_PTR_NOT_NULL(strstr(head, "X-Own: 1\r\n"));
    CU_ASSERT_PTR_NULL(strcasestr(head, "Expect:"));
    free(head);
    struct outcome p = {0};
    start(&p, (struct http_call){.method = "GET", .url = at("/ok"), .bearer = bearer});
    run();
    head = fake_last_head(server);
    CU_ASSERT_PTR_NOT_NULL(strstr(head, "GET /ok HTTP/1.1\r\n"));
    CU_ASSERT_PTR_NOT_NULL(strstr(head, "Authorization: Bearer token\r\n"));
    CU_ASSERT_PTR_NULL(strstr(head, "X-Own"));
    CU_ASSERT_PTR_NULL(strstr(head, "Content-Length"));
    free(head);
    secret_free(&password);
    secret_free(&bearer);
}

static void test_statuses_are_answers(void)
{
    struct outcome limited = {0}, moved = {0}, interim = {0};
    start(&limited, post("/limited", "x"));
    start(&moved, (struct http_call){.method = "GET", .url = at("/moved")});
    start(&interim, (struct http_call){.method = "GET", .url = at("/interim")});
    run();
    CU_ASSERT_EQUAL(limited.status, 429);
    CU_ASSERT_STRING_EQUAL(limited.code, "");
    CU_ASSERT_STRING_EQUAL(limited.retry_after, "7");
    CU_ASSERT_STRING_EQUAL(limited.retry_after_ms, "6500");
    CU_ASSERT_STRING_EQUAL(limited.request_id, "req-1");
    CU_ASSERT_STRING_EQUAL(limited.body, "slow down");
    CU_ASSERT_EQUAL(moved.status, 302);
    CU_ASSERT_STRING_EQUAL(moved.body, "moved");
    CU_ASSERT_EQUAL(interim.status, 200);
    CU_ASSERT_STRING_EQUAL(moved.retry_after_ms, "");
    CU_ASSERT_STRING_EQUAL(interim.request_id, "");
}

static void test_streaming(void)
{
    struct outcome o = {0}, refused = {.refuse_data = true}, error = {0};
    struct http_call call = post("/drip", "x");
    call.on_data = on_data;
    start(&o, call);
    start(&refused, call);
    call.url = at("/limited");
    start(&error, call);
    run();
    CU_ASSERT_EQUAL(o.status, 200);
    CU_ASSERT_STRING_EQUAL(o.streamed, "xxxxxx");
    CU_ASSERT_EQUAL(o.body_length, 0);
    CU_ASSERT_STRING_EQUAL(refused.code, "http.aborted");
    CU_ASSERT_EQUAL(refused.pieces, 1);
    CU_ASSERT_STRING_EQUAL(error.body, "slow down"); /* an error's body is collected */
    CU_ASSERT_EQUAL(error.streamed_length, 0);
}

static void test_bounded_answer(void)
{
    struct outcome fits = {0}, not = {0};
    start(&fits, (struct http_call){.method = "GET", .url = at("/big"), .answer_max_bytes = 3000});
    start(&not, (struct http_call){.method = "GET", .url = at("/big"), .answer_max_bytes = 2999});
    run();
    CU_ASSERT_EQUAL(fits.body_length, 3000);
    CU_ASSERT_STRING_EQUAL(not .code, "http.too_large");
    CU_ASSERT_EQUAL(not .class, ERR_PERMANENT);
}

static void test_limits(void)
{
    struct outcome first = {0}, idle = {0}, total = {0}, alive = {0};
    struct http_call call = post("/hang", "x");
    call.first_byte_ms = 80;
    start(&first, call);
    call = post("/stall", "x");
    call.first_byte_ms = 5000;
    call.idle_ms = 80;
    start(&idle, call);
    call = post("/stall", "x");
    call.total_ms = 120;
    start(&total, call);
    call = post("/drip?slowly", "x"); /* 1,500 ms in all, 250 ms between bytes */
    call.idle_ms = 1000;
    start(&alive, call);
    run();
    CU_ASSERT_STRING_EQUAL(first.code, "http.timeout");
    CU_ASSERT_EQUAL(first.class, ERR_RETRY_LATER);
    CU_ASSERT_EQUAL(first.status, 0);
    CU_ASSERT_TRUE(first.body_sent);
    CU_ASSERT(first.total_us >= 79000 && first.total_us < 15000000);
    CU_ASSERT_STRING_EQUAL(idle.code, "http.timeout");
    CU_ASSERT_EQUAL(idle.status, 200);
    CU_ASSERT(idle.total_us < 15000000);
    CU_ASSERT_STRING_EQUAL(total.code, "http.timeout");
    CU_ASSERT_STRING_EQUAL(alive.code, "");
    CU_ASSERT_STRING_EQUAL(alive.body, "xxxxxx");
}

static void test_gate(void)
{
    struct outcome closed = {.gate = false}, open = {.gate = true};
    int bodies = atomic_load(&server->bodies);
    struct http_call call = post("/ok", "must not leave");
    call.may_send = gate;
    start(&closed, call);
    run();
    CU_ASSERT_TRUE(closed.gate_asked);
    CU_ASSERT_STRING_EQUAL(closed.code, "http.gate");
    CU_ASSERT_FALSE(closed.body_sent);
    CU_ASSERT_EQUAL(atomic_load(&server->bodies), bodies);
    start(&open, call);
    run();
    CU_ASSERT_EQUAL(open.status, 200);
    CU_ASSERT_EQUAL(atomic_load(&server->bodies), bodies + 1);
}

static void test_connect_failures(void)
{
    struct outcome refused = {0}, scheme = {0}, nonsense = {0}, name = {0};
    struct http_call call = post("/ok", "x");
    call.url = "http://127.0.0.1:1/";
    start(&refused, call);
    call.url = "file:///etc/passwd";
    start(&scheme, call);
    call.url = "http://";
    start(&nonsense, call);
    call.url = "http://no-such-host.invalid/";
    start(&name, call);
    run();
    CU_ASSERT_STRING_EQUAL(refused.code, "http.connect");
    CU_ASSERT_FALSE(refused.body_sent);
    CU_ASSERT_EQUAL(refused.connect_us, -1);
    CU_ASSERT_STRING_EQUAL(scheme.code, "http.url");
    CU_ASSERT_STRING_EQUAL(nonsense.code, "http.url");
    CU_ASSERT_EQUAL(nonsense.class, ERR_PERMANENT);
    CU_ASSERT_STRING_EQUAL(name.code, "http.resolve");
}

static void test_broken_answers(void)
{
    struct outcome close = {0}, cut = {0};
    start(&close, post("/close", "x"));
    start(&cut, post("/cut", "x"));
    run();
    CU_ASSERT_STRING_EQUAL(close.code, "http.reset");
    CU_ASSERT_EQUAL(close.status, 0);
    CU_ASSERT_TRUE(close.body_sent);
    CU_ASSERT_STRING_EQUAL(cut.code, "http.reset");
    CU_ASSERT_EQUAL(cut.status, 200);
}

/* The server's threads count behind the client's back: waits for the count, bounded. */
static bool reaches(atomic_int *counter, int value)
{
    for (int i = 0; i < 2000 && atomic_load(counter) < value; i++)
        poll(NULL, 0, 1);
    return atomic_load(counter) == value;
}

/* A client of its own: its first request opens a connection. */
static void with_fresh_client(void (*test)(void))
{
    struct http_client_options options = {.loop = loop};
    struct http_client *usual = client;
    client = http_client_new(&options);
    test();
    http_client_free(&client);
    client = usual;
}

/* A kept connection that dies under its second request, after the body was read: the caller sees an
 * error and body_sent, the server saw each body once. libcurl's own retry would send it again. */
static void body_never_leaves_twice(void)
{
    struct outcome first = {0}, second = {0}, get = {0};
    start(&first, post("/close-second", "one"));
    run();
    int bodies = atomic_load(&server->bodies), connections = atomic_load(&server->connections);
    start(&second, post("/close-second", "two"));
    run();
    CU_ASSERT_EQUAL(first.status, 200);
    CU_ASSERT_STRING_EQUAL(second.code, "http.reset");
    CU_ASSERT_EQUAL(second.status, 0);
    CU_ASSERT_TRUE(second.body_sent);
    CU_ASSERT_EQUAL(atomic_load(&server->bodies), bodies + 1);
    /* curl did open the connection for its retry, so that the guard and not luck stopped it. */
    CU_ASSERT_TRUE(reaches(&server->connections, connections + 1));
    first.done = false;
    start(&first, post("/ok", "x"));
    run();
    start(&get, (struct http_call){.method = "GET", .url = at("/close-second")});
    run();
    CU_ASSERT_EQUAL(get.status, 200); /* what may be repeated is repeated */
}

static void post_without_body_leaves_once(void)
{
    struct outcome first = {0}, second = {0};
    start(&first, post("/close-second", ""));
    run();
    int requests = atomic_load(&server->requests);
    start(&second, post("/close-second", ""));
    run();
    CU_ASSERT_EQUAL(first.status, 200);
    CU_ASSERT_STRING_EQUAL(second.code, "http.reset");
    CU_ASSERT_TRUE(second.body_sent);
    CU_ASSERT_EQUAL(atomic_load(&server->requests), requests + 1);
}

static void test_body_never_leaves_twice(void)
{
    with_fresh_client(body_never_leaves_twice);
}

static void test_post_without_body_leaves_once(void)
{
    with_fresh_client(post_without_body_leaves_once);
}

static void test_cancel(void)
{
    struct outcome hung = {0}, killer = {0}, victim = {0};
    struct http_transfer *t = start(&hung, post("/hang", "x"));
    http_cancel(client, t); /* before the loop ever ran */
    waiting--;
    struct http_call call = post("/drip", "x");
    call.on_data = on_data;
    start(&killer, call);
    killer.victim = start(&victim, post("/hang", "x"));
    run();
    CU_ASSERT_EQUAL(killer.status, 200);
    CU_ASSERT_FALSE(hung.done);
    CU_ASSERT_FALSE(victim.done);
}

static void hanging_delays_no_other(void)
{
    struct outcome hung[5] = {0}, ok = {0};
    struct http_transfer *transfers[5];
    for (int i = 0; i < 5; i++)
        transfers[i] = start(&hung[i], post("/hang", "x"));
    waiting = 0;
    start(&ok, post("/ok", "x"));
    run();
    CU_ASSERT_EQUAL(ok.status, 200);
    for (int i = 0; i < 5; i++) {
        CU_ASSERT_FALSE(hung[i].done);
        http_cancel(client, transfers[i]);
    }
}

/* Started while the first connection is new: nothing may wait for the first one's answer. */
static void test_hanging_delays_no_other(void)
{
    with_fresh_client(hanging_delays_no_other);
}

static struct outcome chained;

static void chain_done(void *arg, const struct http_result *result)
{
    (void)arg;
    CU_ASSERT_EQUAL(result->status, 200);
    waiting--;
    start(&chained, post("/echo", "from inside on_done"));
}

static bool chain_data(void *arg, const char *bytes, size_t length)
{
    (void)bytes, (void)length;
    struct outcome *o = arg;
    if (o->victim == NULL) { /* a start from inside curl, and one that is cancelled at once */
        o->victim = start(o, (struct http_call){.method = "GET", .url = at("/ok")});
        struct outcome unused = {0};
        http_cancel(client, start(&unused, post("/hang", "x")));
        waiting--;
    }
    return true;
}

static void test_start_from_callbacks(void)
{
    struct outcome inner = {0};
    chained = (struct outcome){0};
    struct http_call call = post("/drip", "x");
    call.on_data = chain_data;
    call.on_done = chain_done;
    call.arg = &inner;
    waiting++;
    http_start(client, &call);
    run();
    CU_ASSERT_EQUAL(inner.status, 200);
    CU_ASSERT_STRING_EQUAL(chained.body, "from inside on_done");
}

#define MANY 1500

static void test_many_over_shards(void)
{
    static struct outcome many[MANY];
    memset(many, 0, sizeof many);
    for (int i = 0; i < MANY; i++)
        start(&many[i], post("/echo", "many"));
    run();
    int good = 0;
    for (int i = 0; i < MANY; i++)
        good += many[i].status == 200 && strcmp(many[i].body, "many") == 0;
    CU_ASSERT_EQUAL(good, MANY);
}

static void test_bounded_connections(void)
{
    struct http_client_options options = {.loop = loop, .max_connections = 3};
    struct http_client *other = http_client_new(&options), *usual = client;
    struct outcome o[30];
    memset(o, 0, sizeof o);
    int connections = atomic_load(&server->connections);
    client = other;
    for (int i = 0; i < 30; i++)
        start(&o[i], post("/drip", "x"));
    run();
    for (int i = 0; i < 30; i++)
        CU_ASSERT_EQUAL(o[i].status, 200);
    CU_ASSERT_EQUAL(atomic_load(&server->connections) - connections, 3);
    struct outcome left = {0};
    start(&left, post("/hang", "x"));
    waiting = 0;
    http_client_free(&other); /* with a transfer in flight */
    CU_ASSERT_PTR_NULL(other);
    CU_ASSERT_FALSE(left.done);
    client = usual;
}

static void test_retry_after(void)
{
    CU_ASSERT_EQUAL(http_retry_after_ms(NULL), 0);
    CU_ASSERT_EQUAL(http_retry_after_ms("7"), 7000);
    CU_ASSERT_EQUAL(http_retry_after_ms("0"), 0);
    CU_ASSERT_EQUAL(http_retry_after_ms("-3"), 0);
    CU_ASSERT_EQUAL(http_retry_after_ms("soon"), 0);
    CU_ASSERT_EQUAL(http_retry_after_ms("99999999999999999999"), 0);
    CU_ASSERT_EQUAL(http_retry_after_ms("999999999"), 24 * 3600 * 1000);
    CU_ASSERT_EQUAL(http_retry_after_ms("Sun, 06 Nov 1994 08:49:37 GMT"), 0);
    char date[64];
    time_t in_a_minute = (time_t)(clock_wall_ms() / 1000 + 60);
    struct tm tm;
    gmtime_r(&in_a_minute, &tm);
    strftime(date, sizeof date, "%a, %d %b %Y %H:%M:%S GMT", &tm);
    int64_t ms = http_retry_after_ms(date);
    CU_ASSERT(ms > 50000 && ms <= 60000);
}

int main(void)
{
    CU_initialize_registry();
    CU_pSuite suite = CU_add_suite("http client", set_up, tear_down);
    CU_add_test(suite, "get and post", test_get_and_post);
    CU_add_test(suite, "a large body goes whole", test_large_body_goes_whole);
    CU_add_test(suite, "headers and secrets", test_headers_and_secrets);
    CU_add_test(suite, "every status is an answer", test_statuses_are_answers);
    CU_add_test(suite, "streaming", test_streaming);
    CU_add_test(suite, "bounded answer", test_bounded_answer);
    CU_add_test(suite, "time limits", test_limits);
    CU_add_test(suite, "the gate", test_gate);
    CU_add_test(suite, "connect failures", test_connect_failures);
    CU_add_test(suite, "broken answers", test_broken_answers);
    CU_add_test(suite, "a body never leaves twice", test_body_never_leaves_twice);
    CU_add_test(suite, "nor does a POST without body", test_post_without_body_leaves_once);
    CU_add_test(suite, "cancel", test_cancel);
    CU_add_test(suite, "a hanging answer delays no other", test_hanging_delays_no_other);
    CU_add_test(suite, "start from callbacks", test_start_from_callbacks);
    CU_add_test(suite, "many over shards", test_many_over_shards);
    CU_add_test(suite, "bounded connections", test_bounded_connections);
    CU_add_test(suite, "Retry-After", test_retry_after);
    CU_basic_set_mode(CU_BRM_VERBOSE);
    CU_basic_run_tests();
    unsigned failures = CU_get_number_of_failures();
    CU_cleanup_registry();
    return failures > 0 ? 1 : 0;
}
