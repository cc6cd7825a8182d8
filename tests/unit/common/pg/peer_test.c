/* Unit tests of connecting, against a scripted peer on loopback: name look-up, time limits,
 * rotation over hosts, back-off, and what PgBouncer says when its server is gone. */
#include "unit/common/pg/rig.h"

#include <arpa/inet.h>
#include <pthread.h>
#include <stdatomic.h>
#include <sys/socket.h>

enum act { ACT_CLOSE, ACT_HANG, ACT_FATAL, ACT_ERROR_WITHOUT_V, ACT_GARBAGE, ACT_COUNT };

struct peer {
    enum act act;
    int listener, port;
    atomic_int accepted, syncs; /* ends of units that came without an answer to the first */
    atomic_bool stop;
    char startup[512]; /* of the last connection; under the lock */
    pthread_mutex_t lock;
    struct thread *thread;
};

static bool readable(const struct peer *peer, int fd)
{
    struct pollfd wait = {.fd = fd, .events = POLLIN};
    while (!atomic_load(&peer->stop))
        if (poll(&wait, 1, 20) > 0)
            return true;
    return false;
}

/* Reads the startup message, zero bytes made readable. */
static bool read_startup(struct peer *peer, int fd)
{
    char text[512];
    if (!readable(peer, fd))
        return false;
    ssize_t length = read(fd, text, sizeof text - 1);
    if (length <= 8)
        return false;
    for (ssize_t i = 8; i < length; i++)
        if (text[i] == '\0')
            text[i] = '|';
    text[length] = '\0';
    pthread_mutex_lock(&peer->lock);
    memcpy(peer->startup, text + 8, (size_t)length - 7);
    pthread_mutex_unlock(&peer->lock);
    return true;
}

#define AUTH_OK_AND_READY "R\0\0\0\x08\0\0\0\0Z\0\0\0\x05I"
#define FATAL_LAST_WORDS  "E\0\0\0\x29SFATAL\0C08P01\0Mserver conn crashed?\0\0"
#define ERROR_WITHOUT_V   "E\0\0\0\x1bSERROR\0C08P01\0Mpooler\0\0"

/* Counts the Sync messages of all that comes until nothing more does for a while. */
static void count_syncs(struct peer *peer, int fd)
{
    static char bytes[65536];
    struct pollfd wait = {.fd = fd, .events = POLLIN};
    size_t length = 0;
    while (poll(&wait, 1, 300) > 0 && length < sizeof bytes) {
        ssize_t more = read(fd, bytes + length, sizeof bytes - length);
        if (more <= 0)
            break;
        length += (size_t)more;
    }
    for (size_t at = 0; at + 5 <= length;) {
        uint32_t size;
        memcpy(&size, bytes + at + 1, sizeof size);
        atomic_fetch_add(&peer->syncs, bytes[at] == 'S');
        at += 1 + ntohl(size);
    }
}

static void serve(struct peer *peer, int fd)
{
    static const struct {
        const char *bytes;
        size_t length;
    } answers[] = {
        [ACT_FATAL] = {FATAL_LAST_WORDS, sizeof FATAL_LAST_WORDS - 1},
        [ACT_ERROR_WITHOUT_V] = {ERROR_WITHOUT_V, sizeof ERROR_WITHOUT_V - 1},
        [ACT_GARBAGE] = {"\xff\xfe\xfd\xfc\x01\x02\x03\x04HTTP/1.1 400 Bad Request", 32},
    };
    if (peer->act == ACT_CLOSE || !read_startup(peer, fd))
        return;
    if (peer->act == ACT_HANG) {
        readable(peer, fd); /* until the client gives up, or the end */
        return;
    }
    (void)!write(fd, AUTH_OK_AND_READY, sizeof AUTH_OK_AND_READY - 1);
    if (!readable(peer, fd))
        return;
    if (peer->act == ACT_COUNT) {
        count_syncs(peer, fd);
        return;
    }
    char query[4096];
    (void)!read(fd, query, sizeof query);
    (void)!write(fd, answers[peer->act].bytes, answers[peer->act].length);
    if (peer->act == ACT_ERROR_WITHOUT_V)
        readable(peer, fd);
}

static void run_peer(void *arg)
{
    struct peer *peer = arg;
    while (readable(peer, peer->listener)) {
        int fd = accept(peer->listener, NULL, NULL);
        atomic_fetch_add(&peer->accepted, 1);
        serve(peer, fd);
        close(fd);
    }
}

static void start_peer(struct peer *peer, enum act act)
{
    struct sockaddr_in address = {.sin_family = AF_INET, .sin_addr.s_addr = htonl(INADDR_LOOPBACK)};
    socklen_t size = sizeof address;
    memset(peer, 0, sizeof *peer);
    peer->act = act;
    pthread_mutex_init(&peer->lock, NULL);
    peer->listener = socket(AF_INET, SOCK_STREAM | SOCK_CLOEXEC, 0);
    CU_ASSERT_EQUAL_FATAL(bind(peer->listener, (struct sockaddr *)&address, size), 0);
    CU_ASSERT_EQUAL_FATAL(listen(peer->listener, 16), 0);
    CU_ASSERT_EQUAL_FATAL(getsockname(peer->listener, (struct sockaddr *)&address, &size), 0);
    peer->port = ntohs(address.sin_port);
    peer->thread = thread_start(run_peer, peer);
}

static void end_peer(struct peer *peer)
{
    atomic_store(&peer->stop, true);
    thread_join(&peer->thread);
    close(peer->listener);
    pthread_mutex_destroy(&peer->lock);
}

/* Opens a pool of one connection and ends one unit; its outcome is returned. */
static struct outcome one_unit(const char *url, int64_t deadline_ms)
{
    static struct outcome out;
    struct pg_unit unit = {.deadline_ms = deadline_ms};
    rig_open();
    rig_pool(url, 1, 0);
    pg_add(&unit, "select 1");
    rig_submit(&unit, &out);
    rig_run();
    CU_ASSERT_TRUE(out.failed);
    CU_ASSERT_EQUAL(out.err.class, ERR_RETRY_LATER);
    rig_close();
    return out;
}

static void test_name_is_resolved_and_options_are_sent(void)
{
    static struct peer peer;
    char url[128];
    start_peer(&peer, ACT_HANG);
    snprintf(url, sizeof url, "postgresql://owner:pw@localhost:%d/desk?sslmode=disable", peer.port);
    struct outcome out = one_unit(url, 1000);
    CU_ASSERT_STRING_EQUAL(out.err.code, "pg.down");
    CU_ASSERT_TRUE(atomic_load(&peer.accepted) >= 1);
    end_peer(&peer);
    CU_ASSERT_PTR_NOT_NULL(strstr(peer.startup, "user|owner|"));
    CU_ASSERT_PTR_NOT_NULL(strstr(peer.startup, "database|desk|"));
    CU_ASSERT_PTR_NOT_NULL(strstr(peer.startup, "application_name|unit-test|"));
    CU_ASSERT_PTR_NOT_NULL(strstr(peer.startup, "client_encoding|UTF8|"));
    CU_ASSERT_PTR_NULL(strstr(peer.startup, "options|")); /* poolers refuse it */
}

static void test_unknown_name(void)
{
    struct outcome out = one_unit("postgresql://u@no-such-host.invalid/x?connect_timeout=1", 1500);
    CU_ASSERT_STRING_EQUAL(out.err.code, "pg.down");
    /* A resolver without a network may not answer at all; the loop goes on either way. */
    CU_ASSERT_TRUE(strstr(out.err.message, "no-such-host.invalid") != NULL ||
                   strstr(out.err.message, "look-up timed out") != NULL);
}

static void test_bad_url_tells_no_password(void)
{
    struct outcome out = one_unit("postgresql://u:hunter2@h/x?nonsense=hunter2", 100);
    CU_ASSERT_STRING_EQUAL(out.err.code, "pg.down");
    CU_ASSERT_PTR_NOT_NULL(strstr(out.err.message, "URL"));
    CU_ASSERT_PTR_NULL(strstr(out.err.message, "hunter2"));
}

static void test_connect_has_a_time_limit(void)
{
    static struct peer peer;
    char url[128];
    start_peer(&peer, ACT_HANG);
    snprintf(url, sizeof url, "host=127.0.0.1 port=%d sslmode=disable connect_timeout=1",
             peer.port);
    struct outcome out = one_unit(url, 3000);
    CU_ASSERT_PTR_NOT_NULL(strstr(out.err.message, "timed out"));
    CU_ASSERT_TRUE(atomic_load(&peer.accepted) >= 2);
    end_peer(&peer);
}

/* A first host that never answers must not keep the second from its turn. */
static void test_hosts_rotate(void)
{
    static struct peer dead, other;
    char url[160];
    static const char *const forms[] = {
        "postgresql://u@localhost:%d,localhost:%d/x?sslmode=disable&connect_timeout=1",
        "host=127.0.0.1,127.0.0.1 port=%d,%d user=u sslmode=disable connect_timeout=1",
    };
    for (size_t i = 0; i < 2; i++) {
        start_peer(&dead, ACT_HANG);
        start_peer(&other, ACT_FATAL);
#pragma GCC diagnostic push
#pragma GCC diagnostic ignored "-Wformat-nonliteral"
        snprintf(url, sizeof url, forms[i], dead.port, other.port);
#pragma GCC diagnostic pop
        struct outcome out = one_unit(url, 6000);
        CU_ASSERT_STRING_EQUAL(out.err.code, "pg.lost");
        CU_ASSERT_TRUE(atomic_load(&dead.accepted) >= 1);
        CU_ASSERT_TRUE(atomic_load(&other.accepted) >= 1);
        end_peer(&dead);
        end_peer(&other);
    }
}

static void test_back_off(void)
{
    static struct peer peer;
    char url[128];
    start_peer(&peer, ACT_CLOSE);
    snprintf(url, sizeof url, "host=127.0.0.1 port=%d sslmode=disable", peer.port);
    struct outcome out = one_unit(url, 1500);
    CU_ASSERT_STRING_EQUAL(out.err.code, "pg.down");
    int tries = atomic_load(&peer.accepted);
    CU_ASSERT_TRUE(tries >= 3 && tries <= 12); /* 25-50, 50-100, 100-200, ... ms apart */
    end_peer(&peer);
}

static struct peer *counted;

static bool twenty_tries(void)
{
    return atomic_load(&counted->accepted) >= 20;
}

/* Pauses that went on doubling to the default of 2 s would take half a minute for 20 tries. */
static void test_back_off_has_a_maximum(void)
{
    static struct peer peer;
    char url[128];
    start_peer(&peer, ACT_CLOSE);
    counted = &peer;
    snprintf(url, sizeof url, "host=127.0.0.1 port=%d sslmode=disable", peer.port);
    rig_open();
    struct pg_options options = {
        .loop = rig_loop, .url = url, .name = "unit-test", .connections = 1, .retry_max_ms = 60};
    rig_pg = pg_new(&options);
    CU_ASSERT_TRUE(rig_until(twenty_tries));
    rig_close();
    end_peer(&peer);
}

/* docs/adr/0002: behind PgBouncer, the next client reads what a dead one had asked for beyond the
 * unit in flight. */
static void test_one_unit_in_flight(void)
{
    static struct peer peer;
    struct outcome outs[5];
    char url[128];
    start_peer(&peer, ACT_COUNT);
    snprintf(url, sizeof url, "host=127.0.0.1 port=%d sslmode=disable", peer.port);
    rig_open();
    rig_pool(url, 1, 0);
    for (int i = 0; i < 5; i++) {
        struct pg_unit unit = {.deadline_ms = 1500};
        pg_add(&unit, "select 1");
        pg_add(&unit, "select 2");
        rig_submit(&unit, &outs[i]);
    }
    rig_run();
    CU_ASSERT_TRUE(atomic_load(&peer.syncs) <= atomic_load(&peer.accepted));
    CU_ASSERT_TRUE(atomic_load(&peer.syncs) >= 1);
    rig_close();
    end_peer(&peer);
}

static void test_last_words(void)
{
    static const struct {
        enum act act;
        const char *message;
    } cases[] = {
        {ACT_FATAL, "server conn crashed?"},
        {ACT_ERROR_WITHOUT_V, "pooler"},
        {ACT_GARBAGE, ""},
    };
    for (size_t i = 0; i < sizeof cases / sizeof cases[0]; i++) {
        static struct peer peer;
        char url[128];
        start_peer(&peer, cases[i].act);
        snprintf(url, sizeof url, "host=127.0.0.1 port=%d sslmode=disable", peer.port);
        int64_t start = clock_mono_ms();
        struct outcome out = one_unit(url, 12000);
        CU_ASSERT_STRING_EQUAL(out.err.code, "pg.lost");
        CU_ASSERT_PTR_NOT_NULL(strstr(out.err.message, cases[i].message));
        CU_ASSERT_TRUE(clock_mono_ms() - start < 9000); /* not by its deadline */
        end_peer(&peer);
    }
}

/* Frees while the look-up thread works, and while the connect is under way. */
static void test_free_while_connecting(void)
{
    static struct peer peer;
    char url[128];
    start_peer(&peer, ACT_HANG);
    snprintf(url, sizeof url, "host=localhost port=%d sslmode=disable", peer.port);
    for (int passes = 0; passes < 8; passes++) {
        rig_open();
        rig_pool(url, 4, 0);
        for (int i = 0; i < passes; i++)
            loop_pass(rig_loop);
        rig_close();
    }
    end_peer(&peer);
}

int main(void)
{
    CU_initialize_registry();
    CU_pSuite suite = CU_add_suite("pg: connecting", NULL, NULL);
    CU_add_test(suite, "names and options", test_name_is_resolved_and_options_are_sent);
    CU_add_test(suite, "unknown name", test_unknown_name);
    CU_add_test(suite, "bad URL", test_bad_url_tells_no_password);
    CU_add_test(suite, "time limit", test_connect_has_a_time_limit);
    CU_add_test(suite, "hosts rotate", test_hosts_rotate);
    CU_add_test(suite, "back-off", test_back_off);
    CU_add_test(suite, "back-off has a maximum", test_back_off_has_a_maximum);
    CU_add_test(suite, "one unit in flight", test_one_unit_in_flight);
    CU_add_test(suite, "last words of a pooler", test_last_words);
    CU_add_test(suite, "free while connecting", test_free_while_connecting);
    CU_basic_set_mode(CU_BRM_VERBOSE);
    CU_basic_run_tests();
    unsigned failures = CU_get_number_of_failures();
    CU_cleanup_registry();
    return failures != 0 ? 1 : 0;
}
