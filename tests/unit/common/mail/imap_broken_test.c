/* Unit tests of an IMAP session that reads a mail and is broken off at each of its bytes: it ends
 * once, is worth another try, and nothing of which a byte is missing counts as told. */
#include "mail/imap_session.h"

#include "unit/common/http/peer_rig.h"
#include "unit/common/mail/imap_peer.h"

static struct imap_peer peer;
static struct imap_session *session;
static struct secret *secret;
static struct {
    int ends, answers;
    bool good_end;
    enum err_class class;
    char mail[64];
} seen;

static void on_ready(void *arg)
{
    (void)arg;
    imap_session_select(session, "INBOX", false);
}

static void on_answer(void *arg, const struct imap_answer *answer)
{
    (void)arg;
    uint32_t uid = answer->uid_count > 0 ? answer->uids[0] : 0; /* asking again voids the answer */
    seen.answers++;
    switch (answer->ask) {
    case IMAP_ASK_SELECT:
        imap_session_search(session, 5, 0, 0);
        break;
    case IMAP_ASK_SEARCH:
        imap_session_look(session, &uid, 1);
        break;
    case IMAP_ASK_LOOK:
        uid = answer->looks[0].uid;
        imap_session_fetch(session, &uid, 1, 0);
        break;
    default:
        loop_stop(loop);
    }
}

static void on_mail(void *arg, const struct imap_mail *mail)
{
    (void)arg;
    CU_ASSERT_EQUAL(seen.answers, 3);
    snprintf(seen.mail, sizeof seen.mail, "%.*s", (int)mail->length, mail->bytes);
}

static void on_end(void *arg, const struct err *err)
{
    (void)arg;
    seen.ends++;
    seen.good_end = err == NULL;
    if (err != NULL)
        seen.class = err->class;
    loop_stop(loop);
}

static void on_alert(void *arg, const char *words)
{
    (void)arg, (void)words;
}

/* How many bytes the server said until it broke off or all was told. */
static size_t read_from(const struct peer_step *steps, size_t room)
{
    memset(&seen, 0, sizeof seen);
    peer_start_short(&peer, steps, true, room);
    session = imap_session_open(&(struct imap_session_options){.loop = loop,
                                                               .host = "127.0.0.1",
                                                               .port = peer.port,
                                                               .security = STREAM_PLAIN,
                                                               .auth = IMAP_AUTH_PASSWORD,
                                                               .user = "ann",
                                                               .secret = secret,
                                                               .mail_max = 100000,
                                                               .quiet_ms = 60000,
                                                               .on_ready = on_ready,
                                                               .on_mail = on_mail,
                                                               .on_answer = on_answer,
                                                               .on_alert = on_alert,
                                                               .on_end = on_end});
    run();
    imap_session_close(&session);
    loop_pass(loop);
    peer_stop(&peer);
    return peer.sent;
}

static void test_breaks_off_anywhere(void)
{
    static const struct peer_step steps[] = {
        {NULL, "* OK ready\r\n", 0},
        {"CAPABILITY", "* CAPABILITY IMAP4rev1 AUTH=PLAIN SASL-IR\r\nTAG OK\r\n", 0},
        {"AUTHENTICATE PLAIN", "TAG OK\r\n", 0},
        {"CAPABILITY", "* CAPABILITY IMAP4rev1 IDLE\r\nTAG OK\r\n", 0},
        {"SELECT", "* 1 EXISTS\r\n* OK [UIDVALIDITY 7]\r\n* OK [UIDNEXT 6]\r\nTAG OK\r\n", 0},
        {"UID SEARCH", "* SEARCH 5\r\nTAG OK\r\n", 0},
        {"UID FETCH 5",
         "* 1 FETCH (UID 5 RFC822.SIZE 12 INTERNALDATE \"02-Nov-2026 10:00:00 +0000\")\r\n"
         "TAG OK\r\n",
         0},
        {"UID FETCH 5", "* 1 FETCH (UID 5 BODY[] {12}\r\nA: b\r\n\r\ntext)\r\nTAG OK\r\n", 0},
        {NULL, NULL, 0}};
    const size_t whole = read_from(steps, SIZE_MAX);
    CU_ASSERT_STRING_EQUAL(peer.problem, "");
    CU_ASSERT_EQUAL_FATAL(seen.answers, 4);
    CU_ASSERT_STRING_EQUAL(seen.mail, "A: b\r\n\r\ntext");
    for (size_t room = 0; room < whole; room++) {
        CU_ASSERT_EQUAL(read_from(steps, room), room);
        CU_ASSERT_EQUAL(seen.ends, 1);
        CU_ASSERT_FALSE(seen.good_end);
        CU_ASSERT_EQUAL(seen.class, ERR_RETRY_LATER);
        CU_ASSERT_TRUE(seen.answers < 4);
        CU_ASSERT_TRUE(seen.mail[0] == '\0' || strcmp(seen.mail, "A: b\r\n\r\ntext") == 0);
    }
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
    CU_pSuite suite = CU_add_suite("imap broken off", set_up, tear_down);
    CU_add_test(suite, "breaks off anywhere", test_breaks_off_anywhere);
    CU_basic_set_mode(CU_BRM_VERBOSE);
    CU_basic_run_tests();
    unsigned failures = CU_get_number_of_failures();
    CU_cleanup_registry();
    return failures > 0 ? 1 : 0;
}
