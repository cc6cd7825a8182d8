/* Unit tests over TCP and TLS: the certificate is checked against the name although the address was
 * resolved before, and no answer stays in OpenSSL's buffer, which epoll does not see. */
#include "unit/common/pg/rig.h"

#include <arpa/inet.h>
#include <sys/socket.h>

static char url[400];

static int free_port(void)
{
    struct sockaddr_in address = {.sin_family = AF_INET, .sin_addr.s_addr = htonl(INADDR_LOOPBACK)};
    socklen_t size = sizeof address;
    int fd = socket(AF_INET, SOCK_STREAM | SOCK_CLOEXEC, 0);
    int bad = bind(fd, (struct sockaddr *)&address, size);
    bad |= getsockname(fd, (struct sockaddr *)&address, &size);
    close(fd);
    return bad == 0 ? ntohs(address.sin_port) : 0;
}

static int start(void)
{
    static const char *const argv[] = {"openssl",
                                       "req",
                                       "-x509",
                                       "-newkey",
                                       "ec",
                                       "-pkeyopt",
                                       "ec_paramgen_curve:P-256",
                                       "-nodes",
                                       "-keyout",
                                       "server.key",
                                       "-out",
                                       "server.crt",
                                       "-days",
                                       "2",
                                       "-subj",
                                       "/CN=localhost",
                                       "-addext",
                                       "subjectAltName=DNS:localhost",
                                       NULL};
    char settings[400];
    int port = free_port();
    if (!test_server_start(&rig_server) || port == 0)
        return 1;
    test_server_halt(&rig_server, SIGINT);
    snprintf(settings, sizeof settings,
             "listen_addresses = '127.0.0.1'\nport = %d\nssl = on\n"
             "ssl_cert_file = '%s/server.crt'\nssl_key_file = '%s/server.key'\n",
             port, rig_server.dir, rig_server.dir);
    snprintf(url, sizeof url,
             "postgresql://postgres@localhost:%d/postgres?sslmode=verify-full&sslrootcert=%s/"
             "server.crt",
             port, rig_server.dir);
    snprintf(rig_server.url, sizeof rig_server.url, "host=%s port=%d user=postgres dbname=postgres",
             rig_server.dir, port);
    return test_server_reap(test_server_spawn(&rig_server, argv)) &&
                   test_server_config(&rig_server, settings) && test_server_launch(&rig_server)
               ? 0
               : 1;
}

static void test_verifies_the_name(void)
{
    struct outcome out;
    char wrong[450];
    rig_open();
    rig_pool(url, 1, 0);
    rig_sql(&out, "select ssl || ' ' || version from pg_stat_ssl where pid = pg_backend_pid()",
            NULL, NULL);
    rig_run();
    CU_ASSERT_FALSE(out.failed);
    CU_ASSERT_STRING_EQUAL(out.text, "true TLSv1.3");
    rig_close();
    /* The same server under its address: the certificate does not name it. */
    snprintf(wrong, sizeof wrong, "%s&hostaddr=127.0.0.1", url);
    char *name = strstr(wrong, "localhost");
    memcpy(name, "127.0.0.1", 9);
    rig_open();
    rig_pool(wrong, 1, 0);
    struct pg_unit unit = {.deadline_ms = 2000};
    pg_add(&unit, "select 1");
    rig_submit(&unit, &out);
    rig_run();
    CU_ASSERT_TRUE(out.failed);
    CU_ASSERT_STRING_EQUAL(out.err.code, "pg.down");
    CU_ASSERT_PTR_NOT_NULL(strstr(out.err.message, "certificate"));
    rig_close();
}

/* Answers of every size around the lengths of TLS records and of libpq's buffer. */
static void test_answers_of_every_size(void)
{
    enum { COUNT = 600 };
    static struct outcome outs[COUNT];
    static char sizes[COUNT][12];
    rig_open();
    rig_pool(url, 1, 0);
    CU_ASSERT_TRUE(rig_until(rig_is_up));
    for (int i = 0; i < COUNT; i++) {
        struct pg_unit unit = {.deadline_ms = 15000};
        snprintf(sizes[i], sizeof sizes[i], "%d", 1 + i * 131 % 70000);
        pg_param(pg_add(&unit, "select repeat('x', $1::int)"), sizes[i]);
        pg_param(pg_add(&unit, "select $1::text"), sizes[i]);
        rig_submit(&unit, &outs[i]);
    }
    rig_run();
    int good = 0;
    for (int i = 0; i < COUNT; i++)
        good += !outs[i].failed && strcmp(outs[i].text, sizes[i]) == 0;
    CU_ASSERT_EQUAL(good, COUNT);
    rig_close();
}

int main(void)
{
    CU_initialize_registry();
    CU_pSuite suite = CU_add_suite("pg: TLS", start, rig_end_server);
    CU_add_test(suite, "verifies the name", test_verifies_the_name);
    CU_add_test(suite, "answers of every size", test_answers_of_every_size);
    CU_basic_set_mode(CU_BRM_VERBOSE);
    CU_basic_run_tests();
    unsigned failures = CU_get_number_of_failures();
    CU_cleanup_registry();
    return failures != 0 ? 1 : 0;
}
