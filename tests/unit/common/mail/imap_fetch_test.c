/* Unit tests of mails that are fetched together: each comes once and by its UID, in whatever order
 * and company the server sends them, and not more bytes than the session takes. */
#include "mail/imap_session.h"

#include "unit/common/http/peer_rig.h"
#include "unit/common/mail/imap_peer.h"

#define LOGIN                                                                                      \
    {NULL, "* OK ready\r\n", 0},                                                                   \
        {"CAPABILITY", "* CAPABILITY IMAP4rev1 AUTH=PLAIN SASL-IR\r\nTAG OK\r\n", 0},              \
        {"AUTHENTICATE PLAIN", "TAG OK\r\n", 0},                                                   \
    {                                                                                              \
        "CAPABILITY", "* CAPABILITY IMAP4rev1\r\nTAG OK\r\n", 0                                    \
    }

static struct imap_peer peer;
static struct imap_session *session;
static struct secret *secret;
static const uint32_t uids[] = {5, 6, 7, 9, 11, 12};
static struct {
    char mails[256]; /* "UID=text;" of each as it came */
    int answers;
    bool ok;
    char code[ERR_CODE_MAX];
} seen;

static void on_ready(void *arg)
{
    (void)arg;
    imap_session_fetch(session, uids, sizeof uids / sizeof *uids, 0);
}

static void on_mail(void *arg, const struct imap_mail *mail)
{
    (void)arg;
    size_t at = strlen(seen.mails);
    CU_ASSERT_EQUAL(seen.answers, 0);
    snprintf(seen.mails + at, sizeof seen.mails - at, "%u=%.*s;", mail->uid, (int)mail->length,
             mail->bytes);
}

static void on_answer(void *arg, const struct imap_answer *answer)
{
    (void)arg;
    seen.answers++;
    seen.ok = answer->ok;
    loop_stop(loop);
}

static void on_end(void *arg, const struct err *err)
{
    (void)arg;
    snprintf(seen.code, sizeof seen.code, "%s", err != NULL ? err->code : "");
    loop_stop(loop);
}

static void fetch_from(const struct peer_step *steps, size_t mail_max)
{
    memset(&seen, 0, sizeof seen);
    peer_start(&peer, steps, true);
    session = imap_session_open(&(struct imap_session_options){.loop = loop,
                                                               .host = "127.0.0.1",
                                                               .port = peer.port,
                                                               .security = STREAM_PLAIN,
                                                               .auth = IMAP_AUTH_PASSWORD,
                                                               .user = "ann",
                                                               .secret = secret,
                                                               .mail_max = mail_max,
                                                               .quiet_ms = 60000,
                                                               .on_ready = on_ready,
                                                               .on_mail = on_mail,
                                                               .on_answer = on_answer,
                                                               .on_end = on_end});
    run();
    imap_session_close(&session);
    loop_pass(loop);
    peer_stop(&peer);
    CU_ASSERT_STRING_EQUAL(peer.problem, "");
}

/* UIDs that follow each other are asked for as a range. One is told twice, one was not asked for,
 * one is only a flag that changed, one is gone. */
static void test_each_once(void)
{
    static const struct peer_step steps[] = {LOGIN,
                                             {"UID FETCH 5:7,9,11:12 (UID BODY.PEEK[])\r\n",
                                              "* 2 FETCH (UID 6 BODY[] {3}\r\nsix)\r\n"
                                              "* 1 FETCH (UID 5 BODY[] \"five\")\r\n"
                                              "* 2 FETCH (UID 6 BODY[] {5}\r\nagain)\r\n"
                                              "* 4 FETCH (UID 8 BODY[] {5}\r\neight)\r\n"
                                              "* 3 FETCH (FLAGS (\\Seen) UID 7)\r\n"
                                              "* 5 FETCH (BODY[] {4}\r\nnine UID 9)\r\n"
                                              "* 6 FETCH (UID 11 BODY[] {0}\r\n)\r\n"
                                              "* 3 FETCH (UID 7 BODY[] {5}\r\nseven)\r\nTAG OK\r\n",
                                              0},
                                             {NULL, NULL, 0}};
    fetch_from(steps, 1000);
    CU_ASSERT_STRING_EQUAL(seen.mails, "6=six;5=five;9=nine;11=;7=seven;");
    CU_ASSERT_EQUAL(seen.answers, 1);
    CU_ASSERT_TRUE(seen.ok);
}

static void test_refused(void)
{
    static const struct peer_step steps[] = {
        LOGIN,
        {"UID FETCH", "* 1 FETCH (UID 5 BODY[] {4}\r\nfive)\r\nTAG NO [LIMIT] slowly\r\n", 0},
        {NULL, NULL, 0}};
    fetch_from(steps, 1000);
    CU_ASSERT_STRING_EQUAL(seen.mails, "5=five;");
    CU_ASSERT_EQUAL(seen.answers, 1);
    CU_ASSERT_FALSE(seen.ok);
}

/* The bound holds for all of them together: 64 KiB of slack and one byte. */
static void test_too_many_bytes(void)
{
    static char large[3][33000];
    static struct peer_step steps[9] = {LOGIN};
    size_t length = 0;
    for (size_t i = 0; i < 3; i++) {
        length = (size_t)snprintf(large[i], sizeof large[i],
                                  "* %zu FETCH (UID %zu BODY[] {32769}\r\n", i + 1, i + 5);
        memset(large[i] + length, 'y', 32769);
        snprintf(large[i] + length + 32769, sizeof large[i] - length - 32769, ")\r\n");
        steps[4 + i] = (struct peer_step){i == 0 ? "UID FETCH" : NULL, large[i], length + 32772};
    }
    fetch_from(steps, 1);
    CU_ASSERT_EQUAL(seen.answers, 0);
    CU_ASSERT_STRING_EQUAL(seen.code, "imap.literal");
    CU_ASSERT_EQUAL(strncmp(seen.mails, "5=yyy", 5), 0);
}

static int set_up(void)
{
    signal(SIGPIPE, SIG_IGN);
    loop = loop_new();
    secret = secret_new("pw", 2);
    return 0;
}

static int tear_down(void)
{
    secret_free(&secret);
    loop_free(&loop);
    return 0;
}

int main(void)
{
    CU_initialize_registry();
    CU_pSuite suite = CU_add_suite("imap fetches together", set_up, tear_down);
    CU_add_test(suite, "each once", test_each_once);
    CU_add_test(suite, "refused", test_refused);
    CU_add_test(suite, "too many bytes", test_too_many_bytes);
    CU_basic_set_mode(CU_BRM_VERBOSE);
    CU_basic_run_tests();
    unsigned failures = CU_get_number_of_failures();
    CU_cleanup_registry();
    return failures > 0 ? 1 : 0;
}
