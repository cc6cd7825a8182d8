/* Unit tests of the SMTP sender with servers that hang or drip: mails for others go on, whatever
 * the server does to its own. */
#include "unit/common/mail/smtp_rig.h"

#define PLAIN    "smtp://127.0.0.1:PORT?tls=none"
#define STARTTLS "smtp://desk%40clinic.example@localhost:PORT"

static const char *const servers[] = {"hang=plain;greet=hang",       "good=plain",
                                      "drip-1=plain;ehlo=slow:0.5",  "drip-2=plain;ehlo=slow:0.5",
                                      "tls-1=starttls;tls=slow:0.5", "tls-2=starttls;tls=slow:0.5"};

static struct mail_smtp *all;

static void begin(int threads)
{
    struct err err;
    struct mail_smtp_options options = {.loop = loop, .threads = threads, .ca_file = ca_file};
    all = sender;
    waiting = 0;
    CU_ASSERT_EQUAL_FATAL(mail_smtp_new(&options, &sender, &err), 0);
}

static void finish(void)
{
    mail_smtp_free(&sender);
    sender = all;
}

/* Twice as many as there are threads, all in front of the one that another server would take. */
static void test_one_server_hangs(void)
{
    enum { THREADS = 4, HANGING = 2 * THREADS };
    static struct outcome hanging[HANGING], good;
    struct mail_smtp_transfer *transfers[HANGING];
    begin(THREADS);
    for (size_t i = 0; i < HANGING; i++)
        transfers[i] =
            rig_send(&(struct sending){.url = PLAIN, .scenario = "hang"}, "", &hanging[i]);
    rig_send(&(struct sending){.url = PLAIN, .scenario = "good"}, "", &good);
    waiting = 1; /* whichever is done first */
    loop_run(loop);
    CU_ASSERT_TRUE(good.done);
    CU_ASSERT_EQUAL(good.class, MAIL_SMTP_ACCEPTED);
    for (size_t i = 0; i < HANGING; i++) {
        CU_ASSERT_FALSE(hanging[i].done);
        if (!hanging[i].done)
            mail_smtp_cancel(sender, transfers[i]);
    }
    finish();
}

/* Each keeps its thread with a byte now and then, and with that all that there may ever be, until
 * it is given up. */
static void drip(const char *url, const char *first, const char *second)
{
    const char *const scenarios[] = {first, second};
    static struct outcome dripping, good;
    begin(1);
    for (int i = 0; i < 2; i++) {
        rig_send(&(struct sending){.url = url,
                                   .scenario = scenarios[i],
                                   .limits = {.command_ms = 30000, .begin_ms = 2000}},
                 "s3cret", &dripping);
        loop_run(loop);
        CU_ASSERT_STRING_EQUAL(dripping.error, "smtp.timeout");
    }
    rig_send(&(struct sending){.url = PLAIN,
                               .scenario = "good",
                               .limits = {.command_ms = 10000, .begin_ms = 10000}},
             "", &good);
    loop_run(loop);
    CU_ASSERT_EQUAL(good.class, MAIL_SMTP_ACCEPTED);
    finish();
}

static void test_servers_that_drip(void)
{
    drip(PLAIN, "drip-1", "drip-2");
}

static void test_servers_that_drip_their_handshake(void)
{
    drip(STARTTLS, "tls-1", "tls-2");
}

int main(void)
{
    signal(SIGPIPE, SIG_IGN);
    rig_start(servers, sizeof servers / sizeof *servers);
    CU_initialize_registry();
    CU_pSuite suite = CU_add_suite("mail/smtp, slow servers", NULL, NULL);
    CU_add_test(suite, "one server hangs", test_one_server_hangs);
    CU_add_test(suite, "servers that drip", test_servers_that_drip);
    CU_add_test(suite, "servers that drip their handshake", test_servers_that_drip_their_handshake);
    CU_basic_set_mode(CU_BRM_VERBOSE);
    CU_basic_run_tests();
    unsigned failures = CU_get_number_of_failures();
    CU_cleanup_registry();
    rig_stop();
    return failures > 0 ? 1 : 0;
}
