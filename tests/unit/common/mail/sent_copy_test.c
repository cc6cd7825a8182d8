/* Unit tests of the copy of a sent mail: into Dovecot's own folder and a named one, marked as seen;
 * and what scripted servers without one, or without room, make of it. */
#include "mail/sent_copy.h"

#include "unit/common/http/peer_rig.h"
#include "unit/common/mail/imap_peer.h"

#define MAIL "Subject: ours\r\n\r\nsent\r\n"

static struct secret *secret;
static struct {
    int calls;
    char code[ERR_CODE_MAX];
    bool perhaps;
} seen;

static int start_peer(void)
{
    return peer_rig_start("tests/unit/common/mail/dovecot_peer.py");
}

static void on_done(void *arg, const struct err *err, bool perhaps)
{
    (void)arg;
    seen.calls++;
    seen.perhaps = perhaps;
    snprintf(seen.code, sizeof seen.code, "%s", err != NULL ? err->code : "");
    loop_stop(loop);
}

static struct mail_sent_copy *start(const struct imap_session_options *session, const char *folder)
{
    memset(&seen, 0, sizeof seen);
    return mail_sent_copy_start(&(struct mail_sent_copy_options){.session = *session,
                                                                 .folder = folder,
                                                                 .message = MAIL,
                                                                 .length = sizeof MAIL - 1,
                                                                 .on_done = on_done});
}

static struct imap_session_options dovecot(const char *password)
{
    secret = secret_new(password, strlen(password));
    return (struct imap_session_options){
        .loop = loop,
        .host = "localhost",
        .port = (int)strtol(peer_says("tls_port"), NULL, 10),
        .security = STREAM_TLS,
        .ca_file = peer_says("ca"),
        .user = peer_says("user"),
        .secret = secret,
    };
}

static long sent(void)
{
    long value = -1;
    fprintf(rig.to, "sent\n");
    fflush(rig.to);
    CU_ASSERT_EQUAL_FATAL(fscanf(rig.from, " done %ld", &value), 1);
    return value;
}

static void test_dovecot(void)
{
    static const struct {
        const char *folder, *code;
        long after;
    } cases[] = {{"", "", 1},
                 {"Gesendet", "", 2},
                 {"Nowhere", "sent.folder", 2},
                 {"a\001b", "sent.folder", 2}};
    struct imap_session_options session = dovecot(peer_says("password"));
    for (size_t i = 0; i < sizeof cases / sizeof *cases; i++) {
        start(&session, cases[i].folder);
        run();
        CU_ASSERT_EQUAL(seen.calls, 1);
        CU_ASSERT_STRING_EQUAL(seen.code, cases[i].code);
        CU_ASSERT_EQUAL(sent(), cases[i].after); /* of those that are marked as seen */
    }
    secret_free(&secret);
    session = dovecot("wrong");
    start(&session, "");
    run();
    CU_ASSERT_STRING_EQUAL(seen.code, "imap.authentication");
    secret_free(&secret);
}

#define HELLO                                                                                      \
    {                                                                                              \
        NULL, "* OK [CAPABILITY IMAP4rev1] ready\r\n", 0                                           \
    }
#define CAN                                                                                        \
    {                                                                                              \
        "CAPABILITY", "* CAPABILITY IMAP4rev1 LITERAL+\r\nTAG OK done\r\n", 0                      \
    }
#define LOGIN HELLO, CAN, {"LOGIN \"ann\" \"pw\"", "TAG OK in\r\n", 0}, CAN
#define END                                                                                        \
    {"LOGOUT", "* BYE\r\nTAG OK\r\n", 0},                                                          \
    {                                                                                              \
        NULL, NULL, 0                                                                              \
    }

/* Lines of a literal are read one by one: the mail has three. */
#define APPENDED(folder, answer)                                                                   \
    {"APPEND " folder " (\\Seen) {23+}", NULL, 0}, {"Subject: ours", NULL, 0}, {"", NULL, 0},      \
        {"sent", NULL, 0},                                                                         \
    {                                                                                              \
        "", answer, 0                                                                              \
    }

static void scripted(const struct peer_step *steps, const char *code)
{
    struct imap_peer peer;
    secret = secret_new("pw", 2);
    peer_start(&peer, steps, true);
    struct imap_session_options session = {.loop = loop,
                                           .host = "127.0.0.1",
                                           .port = peer.port,
                                           .security = STREAM_PLAIN,
                                           .user = "ann",
                                           .secret = secret,
                                           .quiet_ms = 5000};
    start(&session, "");
    run();
    CU_ASSERT_EQUAL(seen.calls, 1);
    CU_ASSERT_STRING_EQUAL(seen.code, code);
    loop_pass(loop);
    peer_stop(&peer);
    if (peer.problem[0] != '\0')
        printf("\n    %s\n", peer.problem);
    CU_ASSERT_STRING_EQUAL(peer.problem, "");
    secret_free(&secret);
}

static void test_finds_the_folder(void)
{
    static const struct peer_step named[] = {
        LOGIN,
        {"LIST \"\" \"*\"",
         "* LIST () \"/\" INBOX\r\n* LIST () \"/\" \"INBOX/Sent Items\"\r\n"
         "* LIST () \"/\" \"Sent out\"\r\nTAG OK\r\n",
         0},
        APPENDED("\"INBOX/Sent Items\"", "TAG OK [APPENDUID 1 2] done\r\n"),
        END};
    static const struct peer_step marked[] = {
        LOGIN,
        {"LIST",
         "* LIST () \".\" Sent\r\n* LIST (\\HasNoChildren \\Sent) \".\" \"Envoy&AOk-s\"\r\n"
         "* LIST () \".\" \"x.Sent\"\r\nTAG OK\r\n",
         0},
        APPENDED("\"Envoy&AOk-s\"", "TAG OK done\r\n"),
        END};
    scripted(named, "");
    scripted(marked, "");
}

static void test_refusals(void)
{
    static const struct peer_step none[] = {
        LOGIN,
        {"LIST", "* LIST (\\Noselect \\Sent) \"/\" Sent\r\n* LIST () NIL INBOX\r\nTAG OK\r\n", 0},
        END};
    static const struct peer_step full[] = {LOGIN,
                                            {"LIST", "* LIST () \"/\" Sent\r\nTAG OK\r\n", 0},
                                            APPENDED("\"Sent\"", "TAG NO [OVERQUOTA] no room\r\n"),
                                            END};
    static const struct peer_step gone[] = {LOGIN,
                                            {"LIST", "* LIST () \"/\" Sent\r\nTAG OK\r\n", 0},
                                            {"APPEND", "* BYE\r\n", 0},
                                            {NULL, NULL, 0}};
    static const struct peer_step busy[] = {
        LOGIN, {"LIST", "* BYE [UNAVAILABLE] too many\r\n", 0}, {NULL, NULL, 0}};
    static const struct peer_step late[] = {LOGIN,
                                            {"LIST", "* LIST () \"/\" Sent\r\nTAG OK\r\n", 0},
                                            APPENDED("\"Sent\"", "TAG OK done\r\n* BYE\r\n"),
                                            {NULL, NULL, 0}};
    static const struct peer_step own[] = {
        HELLO,
        CAN,
        {"LOGIN \"ann\" \"pw\"", "TAG OK in\r\n", 0},
        {"CAPABILITY", "* CAPABILITY IMAP4rev1 LITERAL+ X-GM-EXT-1\r\nTAG OK done\r\n", 0},
        END};
    scripted(own, "sent.own"); /* Gmail */
    scripted(none, "sent.folder");
    CU_ASSERT_FALSE(seen.perhaps);
    scripted(full, "sent.refused");
    CU_ASSERT_FALSE(seen.perhaps);
    scripted(busy, "imap.bye");
    CU_ASSERT_FALSE(seen.perhaps);
    scripted(gone, "imap.bye");
    CU_ASSERT_TRUE(seen.perhaps);
    scripted(late, ""); /* the server has it */
}

static void test_gives_up(void)
{
    struct imap_session_options session = dovecot(peer_says("password"));
    struct mail_sent_copy *copy = start(&session, "");
    loop_pass(loop);
    mail_sent_copy_cancel(&copy);
    CU_ASSERT_PTR_NULL(copy);
    mail_sent_copy_cancel(&copy);
    loop_pass(loop);
    CU_ASSERT_EQUAL(seen.calls, 0);
    secret_free(&secret);
}

int main(void)
{
    CU_initialize_registry();
    CU_pSuite suite = CU_add_suite("mail/sent_copy", start_peer, peer_rig_stop);
    CU_add_test(suite, "Dovecot", test_dovecot);
    CU_add_test(suite, "finds the folder", test_finds_the_folder);
    CU_add_test(suite, "refusals", test_refusals);
    CU_add_test(suite, "gives up", test_gives_up);
    CU_basic_set_mode(CU_BRM_VERBOSE);
    CU_basic_run_tests();
    unsigned failures = CU_get_number_of_failures();
    CU_cleanup_registry();
    return failures > 0 ? 1 : 0;
}
