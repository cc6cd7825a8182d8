/* The life of connections and of the HTTP server itself, over real sockets: keep-alive, pipelining,
 * limits of time and number, start and drain. */
#include "http/server_inside.h"
#include "unit/common/http/server_probe.h"

#define HOST   "Host: a.example\r\n"
#define SECOND "GET /second HTTP/1.1\r\n" HOST "\r\n"

/* ---- connections ---- */

static void test_pipelined(void)
{
    static const char body[] = "POST /a HTTP/1.1\r\n" HOST "Content-Length: 3\r\n\r\nabc";
    static const char chunked[] =
        "POST /b HTTP/1.1\r\n" HOST "Transfer-Encoding: chunked\r\n\r\n3\r\nabc\r\n0\r\n\r\n";
    char statuses[64];
    struct strbuf bytes;
    strbuf_init(&bytes, 1 << 16);
    for (int i = 0; i < 3; i++) {
        strbuf_add_text(&bytes, body);
        strbuf_add_text(&bytes, chunked);
    }
    int before = atomic_load(&handled);
    talk(bytes.data, bytes.length, statuses, sizeof statuses);
    CU_ASSERT_STRING_EQUAL(statuses, "200 200 200 200 200 200");
    CU_ASSERT_EQUAL(atomic_load(&handled) - before, 6);
    strbuf_clear(&bytes);
    strbuf_add_text(&bytes, body);
    strbuf_add_text(&bytes, "GET /405 HTTP/1.1\r\n" HOST "\r\n" SECOND);
    talk(bytes.data, bytes.length, statuses, sizeof statuses);
    CU_ASSERT_STRING_EQUAL(statuses, "200 405");
    char seen[sizeof last_seen];
    copy_seen(seen);
    CU_ASSERT_PTR_NOT_NULL(strstr(seen, "/405"));
    strbuf_fini(&bytes);
}

static void test_connection_header(void)
{
    static const struct {
        const char *bytes, *expected;
    } cases[] = {
        {"GET /x HTTP/1.1\r\n" HOST "\r\n" SECOND, "200 200"},
        {"GET /x HTTP/1.1\r\n" HOST "Connection: keep-alive\r\n\r\n" SECOND, "200 200"},
        {"GET /x HTTP/1.1\r\n" HOST "Connection: close\r\n\r\n" SECOND, "200"},
        {"GET /x HTTP/1.1\r\n" HOST "Connection: keep-alive, upgrade\r\n\r\n" SECOND, "200"},
        {"GET /x HTTP/1.1\r\n" HOST "Connection: close\r\nConnection: keep-alive\r\n\r\n" SECOND,
         "200"},
        {"GET /x HTTP/1.0\r\n" HOST "\r\n" SECOND, "200"},
        {"GET /x HTTP/1.0\r\n" HOST "Connection: Keep-Alive\r\n\r\n" SECOND, "200 200"},
        {"GET /204 HTTP/1.1\r\n" HOST "\r\n" SECOND, "204 200"},
        {"GET /silent HTTP/1.1\r\n" HOST "\r\n" SECOND, "500"},
        {"GET /503 HTTP/1.1\r\n" HOST "\r\n" SECOND, "503"},
        {"POST /x HTTP/1.1\r\n" HOST "Content-Length: 3\r\nExpect: 100-continue\r\n\r\nabc" SECOND,
         "100 200 200"},
    };
    for (size_t i = 0; i < sizeof cases / sizeof cases[0]; i++) {
        char statuses[64];
        talk(cases[i].bytes, strlen(cases[i].bytes), statuses, sizeof statuses);
        if (strcmp(statuses, cases[i].expected) != 0)
            fprintf(stderr, "connection[%zu]: got \"%s\"\n", i, statuses);
        CU_ASSERT_STRING_EQUAL(statuses, cases[i].expected);
    }
}

static void test_answer_bytes(void)
{
    static const struct {
        const char *bytes;
        const char *has[4], *lacks;
    } cases[] = {
        {"GET /405 HTTP/1.1\r\n" HOST "\r\n",
         {"HTTP/1.1 405 Method Not Allowed\r\n", "\r\nAllow: POST\r\n", "\r\nContent-Length: 0\r\n",
          "\r\nConnection: close\r\n\r\n"},
         "keep-alive"},
        {"GET /503 HTTP/1.1\r\n" HOST "\r\n",
         {"HTTP/1.1 503 ", "\r\nRetry-After: 7\r\n", "\r\nDate: ", "GMT\r\n"},
         "keep-alive"},
        {"GET /204 HTTP/1.1\r\n" HOST "\r\n",
         {"HTTP/1.1 204 ", "\r\nConnection: keep-alive\r\n\r\n", "", ""},
         "Content-Length"},
        {"GET /x HTTP/1.1\r\n" HOST "\r\n",
         {"HTTP/1.1 200 OK\r\n", "\r\nContent-Type: text/plain\r\n", "\r\nContent-Length: 15\r\n",
          "\r\n\r\nGET|/x|/x||||-0"},
         "close"},
        {"HEAD /x HTTP/1.1\r\n" HOST "\r\n",
         {"HTTP/1.1 200 OK\r\n", "\r\nContent-Length: 16\r\n", "", ""},
         "HEAD|"},
    };
    for (size_t i = 0; i < sizeof cases / sizeof cases[0]; i++) {
        struct strbuf answer;
        strbuf_init(&answer, 1 << 16);
        int fd = open_connection();
        put(fd, cases[i].bytes, strlen(cases[i].bytes));
        shutdown(fd, SHUT_WR);
        CU_ASSERT_TRUE(take(fd, &answer, 5000));
        for (int k = 0; k < 4; k++)
            CU_ASSERT_PTR_NOT_NULL(strstr(answer.data, cases[i].has[k]));
        CU_ASSERT_PTR_NULL(strstr(answer.data, cases[i].lacks));
        close(fd);
        strbuf_fini(&answer);
    }
}

/* ---- time ---- */

/* Sends one byte each `every_ms` until the server closes; returns how long that took. */
static int64_t drip(const char *head, const char *byte, int every_ms, char *statuses, size_t size)
{
    struct strbuf answer;
    strbuf_init(&answer, 1 << 16);
    int64_t begin_ms = clock_mono_ms();
    int fd = open_connection();
    put(fd, head, strlen(head));
    while (clock_mono_ms() - begin_ms < 3L * DEADLINE_MS) {
        if (take(fd, &answer, every_ms))
            break;
        if (byte != NULL)
            put(fd, byte, 1);
    }
    close(fd);
    statuses_of(&answer, statuses, size);
    strbuf_fini(&answer);
    return clock_mono_ms() - begin_ms;
}

static void test_slow_senders(void)
{
    static const struct {
        const char *head, *byte, *expected;
        int64_t least_ms, most_ms;
    } cases[] = {
        {"", NULL, "", 1500, 8500},                         /* silent */
        {"GET /x HT", NULL, "408", 1500, 8500},             /* half a head */
        {"GET /x HTTP/1.1\r\nX: ", "y", "408", 1500, 8500}, /* a dripping head */
        {"POST /x HTTP/1.1\r\n" HOST "Content-Length: 3000\r\n\r\n", "y", "408", 2500, 8500},
        {"POST /x HTTP/1.1\r\n" HOST "Content-Length: 3000\r\n\r\n", NULL, "408", 1400, 8500},
        {"POST /x HTTP/1.1\r\n" HOST "Transfer-Encoding: chunked\r\n\r\nfff\r\n", "y", "408", 2500,
         8500},
    };
    for (size_t i = 0; i < sizeof cases / sizeof cases[0]; i++) {
        char statuses[64];
        int before = atomic_load(&handled);
        int64_t took_ms = drip(cases[i].head, cases[i].byte, 50, statuses, sizeof statuses);
        bool ok = strcmp(statuses, cases[i].expected) == 0 && took_ms >= cases[i].least_ms &&
                  took_ms <= cases[i].most_ms && atomic_load(&handled) == before;
        if (!ok)
            fprintf(stderr, "slow[%zu]: \"%s\" after %lld ms\n", i, statuses, (long long)took_ms);
        CU_ASSERT_TRUE(ok);
    }
}

/* Far more idle connections than threads: a good client still gets through, and soon. */
static void test_idle_connections(void)
{
    enum { IDLE = 100 };
    int fds[IDLE];
    char statuses[64];
    for (int i = 0; i < IDLE; i++)
        fds[i] = open_connection();
    int64_t begin_ms = clock_mono_ms();
    talk(SECOND, strlen(SECOND), statuses, sizeof statuses);
    CU_ASSERT_STRING_EQUAL(statuses, "200");
    CU_ASSERT_TRUE(clock_mono_ms() - begin_ms < 1000L + IDLE / THREADS * 500);
    for (int i = 0; i < IDLE; i++)
        close(fds[i]);
}

/* ---- number ---- */

static bool wait_for(const atomic_int *value, int wanted)
{
    for (int i = 0; i < 10000; i++) {
        if (atomic_load(value) == wanted)
            return true;
        poll(NULL, 0, 1);
    }
    return false;
}

static void test_concurrency(void)
{
    static const char held[] = "GET /hold HTTP/1.1\r\n" HOST "Connection: close\r\n\r\n";
    int fds[CONCURRENCY];
    char statuses[64];
    atomic_store(&hold, true);
    for (int i = 0; i < CONCURRENCY; i++) {
        fds[i] = open_connection();
        put(fds[i], held, sizeof held - 1);
    }
    CU_ASSERT_TRUE(wait_for(&inside, CONCURRENCY));
    static const char another[] = "POST /x HTTP/1.1\r\n" HOST "Content-Length: 3\r\n\r\nabc" SECOND;
    talk(another, sizeof another - 1, statuses, sizeof statuses);
    CU_ASSERT_STRING_EQUAL(statuses, "503");
    atomic_store(&hold, false);
    for (int i = 0; i < CONCURRENCY; i++) {
        struct strbuf answer;
        strbuf_init(&answer, 1 << 16);
        CU_ASSERT_TRUE(take(fds[i], &answer, 10000));
        statuses_of(&answer, statuses, sizeof statuses);
        CU_ASSERT_STRING_EQUAL(statuses, "200");
        strbuf_fini(&answer);
        close(fds[i]);
    }
    talk(SECOND, strlen(SECOND), statuses, sizeof statuses);
    CU_ASSERT_STRING_EQUAL(statuses, "200");
}

struct hammer {
    int good, bad;
};

static void hammer_run(void *arg)
{
    struct hammer *hammer = arg;
    for (int i = 0; i < 100; i++) {
        char statuses[64];
        static const char bytes[] =
            "POST /x HTTP/1.1\r\n" HOST "Content-Length: 3\r\n\r\nabc" SECOND;
        struct strbuf answers;
        strbuf_init(&answers, 1 << 16);
        int fd = open_connection();
        put(fd, bytes, sizeof bytes - 1);
        shutdown(fd, SHUT_WR);
        take(fd, &answers, 5000);
        statuses_of(&answers, statuses, sizeof statuses);
        bool good = strcmp(statuses, "200 200") == 0 || strcmp(statuses, "503") == 0 ||
                    strcmp(statuses, "200 503") == 0;
        hammer->good += good;
        hammer->bad += !good;
        close(fd);
        strbuf_fini(&answers);
    }
}

static void test_many_at_once(void)
{
    struct thread *threads[6];
    struct hammer hammers[6] = {{0, 0}};
    for (int i = 0; i < 6; i++)
        threads[i] = thread_start(hammer_run, &hammers[i]);
    for (int i = 0; i < 6; i++) {
        thread_join(&threads[i]);
        CU_ASSERT_EQUAL(hammers[i].bad, 0);
        CU_ASSERT_EQUAL(hammers[i].good, 100);
    }
}

/* ---- start and drain ---- */

static void test_listen_addresses(void)
{
    static const char *const bad[] = {
        "127.0.0.1:8443s",  "127.0.0.1:80r",
        "127.0.0.1:80o",    "8080",
        "127.0.0.1",        ":8080",
        "127.0.0.1:",       "127.0.0.1:99999",
        "[::1]:8080",       "+8080",
        "127.0.0.1:80,81",  "x.example:80",
        "127.0.0.1:80,90s", "0.0.0.0:80s",
        "127.0.0.1:-1",     "127.0.0.1: 80",
        "127.0.0.1:8080 ",  "",
        "x127.0.0.1:8080",  "127.0.0.1:8080:8081",
    };
    struct http_server_options options = {.threads = 1,
                                          .concurrency = 1,
                                          .body_max_bytes = 1,
                                          .request_deadline_ms = 1000,
                                          .handle = handle};
    for (size_t i = 0; i < sizeof bad / sizeof bad[0]; i++) {
        struct http_server *none = NULL;
        struct err err = {0};
        options.listen = bad[i];
        CU_ASSERT_EQUAL(http_server_start(&options, &none, &err), -1);
        CU_ASSERT_STRING_EQUAL(err.code, "http.listen");
        CU_ASSERT_EQUAL(err.class, ERR_PERMANENT);
        CU_ASSERT_PTR_NULL(none);
    }
}

static void test_address_in_use(void)
{
    char listen[64];
    struct err err = {0};
    struct http_server *none = NULL;
    snprintf(listen, sizeof listen, "127.0.0.1:%d", http_server_port(server));
    struct http_server_options options = {.listen = listen,
                                          .threads = 1,
                                          .concurrency = 1,
                                          .body_max_bytes = 1,
                                          .request_deadline_ms = 1000,
                                          .handle = handle};
    CU_ASSERT_EQUAL(http_server_start(&options, &none, &err), -1);
    CU_ASSERT_STRING_EQUAL(err.code, "http.listen");
    CU_ASSERT_PTR_NULL(none);
}

static bool has_connection(void)
{
    pthread_mutex_lock(&server->mutex);
    bool has = server->connections > 0;
    pthread_mutex_unlock(&server->mutex);
    return has;
}

static void wait_for_connection(void)
{
    for (int i = 0; i < 1000 && !has_connection(); i++)
        poll(NULL, 0, 10);
    CU_ASSERT_TRUE(has_connection());
}

/* What has not come whole when the server stops, which ends all reading first, is no mistake of the
 * client's: he is told to come again. Guard: http_server_draining in handle and on_error. */
static void test_stop_before_all_has_come(void)
{
    static const char *const parts[] = {
        "POST /x HTTP/1.1\r\n" HOST "Content-Length: 9\r\n\r\nabc",
        "POST /x HTTP/1.1\r\n" HOST,
    };
    struct http_server_options options = {.listen = "127.0.0.1:0",
                                          .threads = 2,
                                          .concurrency = 2,
                                          .body_max_bytes = 100,
                                          .request_deadline_ms = 10000,
                                          .handles_drain = true,
                                          .handle = handle};
    for (size_t i = 0; i < sizeof parts / sizeof parts[0]; i++) {
        struct http_server *others = server;
        struct err err;
        char statuses[64];
        CU_ASSERT_EQUAL_FATAL(http_server_start(&options, &server, &err), 0);
        int fd = open_connection();
        put(fd, parts[i], strlen(parts[i]));
        wait_for_connection();
        http_server_drain(server, 50);
        http_watch_end_waiting(server);
        struct strbuf answer;
        strbuf_init(&answer, 1 << 16);
        take(fd, &answer, 5000);
        statuses_of(&answer, statuses, sizeof statuses);
        CU_ASSERT_STRING_EQUAL(statuses, "503");
        strbuf_fini(&answer);
        close(fd);
        http_server_free(&server);
        server = others;
    }
}

static void let_go(void *arg)
{
    (void)arg;
    poll(NULL, 0, 300);
    atomic_store(&hold, false);
}

/* The last test: the server is of no use afterwards. */
static void test_drain(void)
{
    static const char held[] = "GET /hold HTTP/1.1\r\n" HOST "\r\n";
    char statuses[64];
    atomic_store(&hold, true);
    int fd = open_connection();
    put(fd, held, sizeof held - 1);
    CU_ASSERT_TRUE(wait_for(&inside, 1));
    CU_ASSERT_FALSE(http_server_drain(server, 50));
    talk(SECOND, strlen(SECOND), statuses, sizeof statuses);
    CU_ASSERT_STRING_EQUAL(statuses, "503");
    struct thread *thread = thread_start(let_go, NULL);
    CU_ASSERT_TRUE(http_server_drain(server, 10000));
    thread_join(&thread);
    struct strbuf answer;
    strbuf_init(&answer, 1 << 16);
    take(fd, &answer, 1000);
    statuses_of(&answer, statuses, sizeof statuses);
    CU_ASSERT_STRING_EQUAL(statuses, "200");
    strbuf_fini(&answer);
    close(fd);
}

int main(void)
{
    CU_initialize_registry();
    CU_pSuite suite = CU_add_suite("http server: life", set_up, tear_down);
    CU_add_test(suite, "pipelined requests", test_pipelined);
    CU_add_test(suite, "keep-alive and close", test_connection_header);
    CU_add_test(suite, "the bytes of answers", test_answer_bytes);
    CU_add_test(suite, "slow senders", test_slow_senders);
    CU_add_test(suite, "idle connections", test_idle_connections);
    CU_add_test(suite, "bounded concurrency", test_concurrency);
    CU_add_test(suite, "many at once", test_many_at_once);
    CU_add_test(suite, "listen addresses", test_listen_addresses);
    CU_add_test(suite, "address in use", test_address_in_use);
    CU_add_test(suite, "stop before all has come", test_stop_before_all_has_come);
    CU_add_test(suite, "drain", test_drain);
    CU_basic_set_mode(CU_BRM_VERBOSE);
    CU_basic_run_tests();
    unsigned failures = CU_get_number_of_failures();
    CU_cleanup_registry();
    return failures > 0 ? 1 : 0;
}
