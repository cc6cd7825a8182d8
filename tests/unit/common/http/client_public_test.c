/* Calls to hosts that a tenant chose: no private address is reached, by whatever name or over
 * whatever connection, unless it is on the client's list. */
#include "unit/common/http/client_rig.h"

#include <stdlib.h>

static struct address_list *exceptions; /* of the client under test */

/* Runs with a client that allows the networks. */
static void with_client(const char *networks, void (*test)(void))
{
    struct http_client *usual = client;
    CU_ASSERT_EQUAL_FATAL(address_list_parse(networks, &exceptions, NULL), 0);
    client = http_client_new(&(struct http_client_options){.loop = loop, .exceptions = exceptions});
    test();
    http_client_free(&client);
    address_list_free(&exceptions);
    client = usual;
}

static struct http_call guarded(const char *host, const char *path)
{
    struct http_call call = post(path, "must not leave");
    snprintf(url, sizeof url, "http://%s:%d%s", host, server->port, path);
    call.public_only = true;
    return call;
}

static void check_refused(const char *host)
{
    struct outcome o = {0};
    int connections = atomic_load(&server->connections);
    start(&o, guarded(host, "/ok"));
    run();
    if (strcmp(o.code, "http.address") != 0)
        printf("\n    %s: status %d, \"%s\"\n", host, o.status, o.code);
    CU_ASSERT_STRING_EQUAL(o.code, "http.address");
    CU_ASSERT_EQUAL(o.class, ERR_PERMANENT);
    CU_ASSERT_EQUAL(o.status, 0);
    CU_ASSERT_FALSE(o.body_sent);
    CU_ASSERT_EQUAL(atomic_load(&server->connections), connections);
}

/* Also the spellings that only the resolver takes for an address. */
static void refuses_private_hosts(void)
{
    static const char *const hosts[] = {
        "127.0.0.1",
        "localhost",
        "[::1]",
        "[::ffff:127.0.0.1]",
        "2130706433",
        "0x7f000001",
        "0177.0.0.1",
        "127.1",
        "0",
        "0.0.0.0",
        "169.254.169.254",
        "10.0.0.1",
        "[fd00::1]",
        "[fe80::1]",
        "[64:ff9b::7f00:1]",
        "[2002:7f00:1::]",
    };
    for (size_t i = 0; i < sizeof hosts / sizeof *hosts; i++)
        check_refused(hosts[i]);
}

static void test_refuses_private_hosts(void)
{
    with_client("", refuses_private_hosts);
}

static void test_refuses_without_a_list(void)
{
    check_refused("127.0.0.1"); /* the usual client has none */
}

/* A call without the guard leaves a connection to the host behind. */
static void takes_no_kept_connection(void)
{
    struct outcome before = {0}, after = {0};
    start(&before, post("/ok", "x"));
    run();
    CU_ASSERT_EQUAL(before.status, 200);
    check_refused("127.0.0.1");
    int connections = atomic_load(&server->connections);
    start(&after, post("/ok", "x")); /* by the same easy handle, which has forgotten the guard */
    run();
    CU_ASSERT_EQUAL(after.status, 200);
    CU_ASSERT_EQUAL(atomic_load(&server->connections), connections);
}

static void test_takes_no_kept_connection(void)
{
    with_client("", takes_no_kept_connection);
}

static void has_its_own_connection(void)
{
    struct outcome one = {0}, two = {0}, other = {0};
    int connections = atomic_load(&server->connections);
    start(&one, guarded("127.0.0.1", "/echo"));
    run();
    start(&two, guarded("127.0.0.1", "/echo"));
    run();
    start(&other, post("/ok", "x"));
    run();
    CU_ASSERT_EQUAL(one.status, 200);
    CU_ASSERT_STRING_EQUAL(one.body, "must not leave");
    CU_ASSERT_EQUAL(two.status, 200);
    CU_ASSERT_EQUAL(other.status, 200);
    CU_ASSERT_EQUAL(atomic_load(&server->connections), connections + 3);
}

static void test_listed_networks(void)
{
    with_client("127.0.0.0/8", has_its_own_connection);
}

static void other_networks(void)
{
    check_refused("127.0.0.1");
}

static void test_other_networks(void)
{
    with_client("127.0.0.2,10.0.0.0/8,fd00::/8", other_networks);
}

/* "localhost" is ::1 and 127.0.0.1: the one that is allowed is used. */
static void one_of_two(void)
{
    struct outcome o = {0};
    start(&o, guarded("localhost", "/ok"));
    run();
    CU_ASSERT_EQUAL(o.status, 200);
}

static bool has_ipv6(void)
{
    struct sockaddr_in6 address = {.sin6_family = AF_INET6, .sin6_addr = IN6ADDR_LOOPBACK_INIT};
    int fd = socket(AF_INET6, SOCK_STREAM | SOCK_CLOEXEC, 0);
    bool bound = fd >= 0 && bind(fd, (struct sockaddr *)&address, sizeof address) == 0;
    if (fd >= 0)
        close(fd);
    return bound;
}

/* The allowed one does not answer: that may pass, and says so. */
static void other_of_two(void)
{
    struct outcome o = {0};
    start(&o, guarded("localhost", "/ok"));
    run();
    CU_ASSERT_STRING_EQUAL(o.code, "http.connect");
    CU_ASSERT_EQUAL(o.class, ERR_RETRY_LATER);
}

static void test_hosts_with_two_addresses(void)
{
    with_client("127.0.0.0/8", one_of_two);
    if (has_ipv6())
        with_client("::1", other_of_two);
}

static void follows_no_redirect(void)
{
    struct outcome o = {0};
    int requests = atomic_load(&server->requests);
    start(&o, guarded("127.0.0.1", "/moved"));
    run();
    CU_ASSERT_EQUAL(o.status, 302);
    CU_ASSERT_EQUAL(atomic_load(&server->requests), requests + 1);
}

static void test_follows_no_redirect(void)
{
    with_client("127.0.0.0/8", follows_no_redirect);
}

/* A proxy would connect in our place. */
static void ignores_the_environment(void)
{
    static const char *const names[] = {"http_proxy", "HTTP_PROXY", "all_proxy", "ALL_PROXY"};
    struct outcome o = {0};
    for (size_t i = 0; i < sizeof names / sizeof *names; i++)
        setenv(names[i], at(""), 1);
    int connections = atomic_load(&server->connections);
    start(&o, guarded("no-such-host.invalid", "/ok"));
    run();
    for (size_t i = 0; i < sizeof names / sizeof *names; i++)
        unsetenv(names[i]);
    CU_ASSERT_STRING_EQUAL(o.code, "http.resolve");
    CU_ASSERT_EQUAL(atomic_load(&server->connections), connections);
}

static void test_ignores_the_environment(void)
{
    with_client("127.0.0.0/8", ignores_the_environment);
}

static void other_schemes(void)
{
    static const char *const urls[] = {"file:///etc/hostname", "gopher://127.0.0.1/",
                                       "ftp://127.0.0.1/", "dict://127.0.0.1/"};
    for (size_t i = 0; i < sizeof urls / sizeof *urls; i++) {
        struct outcome o = {0};
        struct http_call call = guarded("127.0.0.1", "/ok");
        call.url = urls[i];
        start(&o, call);
        run();
        CU_ASSERT_STRING_EQUAL(o.code, "http.url");
    }
}

static void test_other_schemes(void)
{
    with_client("127.0.0.0/8", other_schemes);
}

int main(void)
{
    CU_initialize_registry();
    CU_pSuite suite = CU_add_suite("http client, public addresses", set_up, tear_down);
    CU_add_test(suite, "private hosts are refused", test_refuses_private_hosts);
    CU_add_test(suite, "also without a list", test_refuses_without_a_list);
    CU_add_test(suite, "no kept connection is taken", test_takes_no_kept_connection);
    CU_add_test(suite, "listed networks, each call its own connection", test_listed_networks);
    CU_add_test(suite, "other networks", test_other_networks);
    CU_add_test(suite, "hosts with two addresses", test_hosts_with_two_addresses);
    CU_add_test(suite, "redirects are not followed", test_follows_no_redirect);
    CU_add_test(suite, "the environment's proxy is ignored", test_ignores_the_environment);
    CU_add_test(suite, "other schemes", test_other_schemes);
    CU_basic_set_mode(CU_BRM_VERBOSE);
    CU_basic_run_tests();
    unsigned failures = CU_get_number_of_failures();
    CU_cleanup_registry();
    return failures > 0 ? 1 : 0;
}
