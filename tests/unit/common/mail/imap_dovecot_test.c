/* The IMAP session against Dovecot: logins over TLS and STARTTLS, a hostile mail byte for byte,
 * news by IDLE, and mails that vanish. Nothing is marked as seen. */
#include "mail/imap_session.h"

#include "unit/common/http/peer_rig.h"

static struct imap_session *session;
static struct secret *secret;

static int start_peer(void)
{
    return peer_rig_start("tests/unit/common/mail/dovecot_peer.py");
}

/* Lets the peer do something and returns the number that it answers. */
static long let_peer(const char *word)
{
    long value = -1;
    fprintf(rig.to, "%s\n", word);
    fflush(rig.to);
    CU_ASSERT_EQUAL_FATAL(fscanf(rig.from, " done %ld", &value), 1);
    return value;
}

/* ---- one step at a time: the loop runs until the session tells something ---- */

static struct {
    bool ready, ended, answered;
    char code[ERR_CODE_MAX];
    struct imap_answer answer;
    size_t mails, length; /* of the last */
} seen;
static char last_mail[2 * 1024 * 1024 + 4096]; /* the last one's beginning */

static void on_ready(void *arg)
{
    (void)arg;
    seen.ready = true;
    loop_stop(loop);
}

static void on_answer(void *arg, const struct imap_answer *answer)
{
    (void)arg;
    seen.answered = true;
    seen.answer = *answer; /* good until the next question */
    loop_stop(loop);
}

static void on_mail(void *arg, const struct imap_mail *came)
{
    (void)arg;
    seen.mails++;
    seen.length = came->length;
    memcpy(last_mail, came->bytes,
           came->length < sizeof last_mail ? came->length : sizeof last_mail);
}

static void on_end(void *arg, const struct err *err)
{
    (void)arg;
    seen.ended = true;
    snprintf(seen.code, sizeof seen.code, "%s", err != NULL ? err->code : "");
    loop_stop(loop);
}

/* One step: the loop runs until the session tells something. */
static void step(void)
{
    memset(&seen, 0, sizeof seen);
    run();
}

static void open_session(enum stream_security security, const char *password)
{
    bool tls = security == STREAM_TLS;
    secret = secret_new(password, strlen(password));
    struct imap_session_options options = {
        .loop = loop,
        .host = "localhost",
        .port = (int)strtol(peer_says(tls ? "tls_port" : "port"), NULL, 10),
        .security = security,
        .ca_file = peer_says("ca"),
        .user = peer_says("user"),
        .secret = secret,
        .on_ready = on_ready,
        .on_mail = on_mail,
        .on_answer = on_answer,
        .on_end = on_end,
    };
    session = imap_session_open(&options);
    step();
}

static void close_session(void)
{
    imap_session_close(&session);
    secret_free(&secret);
    loop_pass(loop);
}

static void fetch(uint32_t uid, size_t text_max)
{
    imap_session_fetch(session, &uid, 1, text_max);
}

static void test_logs_in_over_tls(void)
{
    static const enum stream_security ways[] = {STREAM_TLS, STREAM_STARTTLS_IMAP};
    for (size_t i = 0; i < 2; i++) {
        open_session(ways[i], peer_says("password"));
        CU_ASSERT_TRUE_FATAL(seen.ready);
        CU_ASSERT_TRUE(imap_session_can(session, "IDLE"));
        imap_session_logout(session);
        step();
        CU_ASSERT_TRUE(seen.ended);
        CU_ASSERT_STRING_EQUAL(seen.code, "");
        close_session();
        open_session(ways[i], "wrong");
        CU_ASSERT_STRING_EQUAL(seen.code, "imap.authentication");
        close_session();
    }
}

static void select_inbox(void)
{
    CU_ASSERT_TRUE_FATAL(imap_session_select(session, "INBOX", false));
    step();
    CU_ASSERT_TRUE_FATAL(seen.answer.ok);
}

static void test_reads(void)
{
    static const uint32_t uids[] = {1, 2, 9};
    open_session(STREAM_TLS, peer_says("password"));
    CU_ASSERT_FALSE_FATAL(seen.ended);
    imap_session_select(session, "No such box", false);
    step();
    CU_ASSERT_FALSE(seen.answer.ok);
    CU_ASSERT_PTR_NOT_NULL(strstr(seen.answer.words, "exist"));
    select_inbox();
    CU_ASSERT_EQUAL(seen.answer.selected.exists, 3);
    CU_ASSERT_EQUAL(seen.answer.selected.next_uid, 4);
    CU_ASSERT_TRUE(seen.answer.selected.validity > 0);
    imap_session_search(session, 2, 50001, 1000);
    step();
    CU_ASSERT_EQUAL_FATAL(seen.answer.uid_count, 2);
    CU_ASSERT_EQUAL(seen.answer.uids[0], 2);
    imap_session_search(session, 4, 50003, 0);
    step();
    CU_ASSERT_EQUAL(seen.answer.uid_count, 0);
    imap_session_search(session, 1, 0, 0); /* the newest */
    step();
    CU_ASSERT_EQUAL_FATAL(seen.answer.uid_count, 1);
    CU_ASSERT_EQUAL(seen.answer.uids[0], 3);

    long size = strtol(peer_says("size"), NULL, 10);
    imap_session_look(session, uids, 3);
    step();
    CU_ASSERT_EQUAL_FATAL(seen.answer.look_count, 2);
    CU_ASSERT_EQUAL(seen.answer.looks[1].uid, 2);
    CU_ASSERT_EQUAL(seen.answer.looks[1].size_bytes, size);
    CU_ASSERT_TRUE(seen.answer.looks[1].internal_ms > 1700000000000);
    fetch(2, 0);
    step();
    CU_ASSERT_EQUAL_FATAL(seen.mails, 1);
    CU_ASSERT_EQUAL(seen.length, (size_t)size);
    CU_ASSERT_EQUAL(strncmp(last_mail, "Subject: hostile\r\n\r\n)\r\nA1 OK", 28), 0);
    CU_ASSERT_EQUAL(memcmp(last_mail + size - 4, "xx\r\n", 4), 0);
    fetch(2, 100);
    step();
    CU_ASSERT_EQUAL(seen.length, 120);
    fetch(9, 0);
    step();
    CU_ASSERT_TRUE(seen.answer.ok);
    CU_ASSERT_EQUAL(seen.mails, 0);
    CU_ASSERT_EQUAL(let_peer("flags"), 0); /* nobody has read anything */
    close_session();
}

static void test_hears_of_news(void)
{
    open_session(STREAM_STARTTLS_IMAP, peer_says("password"));
    select_inbox();
    uint32_t next = seen.answer.selected.next_uid;
    imap_session_search(session, next, next + 10, 0);
    step();
    CU_ASSERT_FALSE(imap_session_has_news(session));
    imap_session_idle(session, 20000);
    let_peer("deliver");
    step();
    CU_ASSERT_EQUAL(seen.answer.ask, IMAP_ASK_IDLE);
    CU_ASSERT_TRUE(imap_session_has_news(session));
    imap_session_search(session, next, next + 10, 0);
    step();
    CU_ASSERT_EQUAL_FATAL(seen.answer.uid_count, 1);
    CU_ASSERT_EQUAL(seen.answer.uids[0], next);
    imap_session_idle(session, 50); /* nothing comes: its time is over */
    step();
    CU_ASSERT_TRUE(seen.answer.ok);
    CU_ASSERT_FALSE(imap_session_has_news(session));
    static const char mail[] = "Subject: ours\r\n\r\nkept\r\n";
    CU_ASSERT_TRUE(imap_session_append(session, "INBOX", mail, sizeof mail - 1));
    step();
    CU_ASSERT_TRUE(seen.answer.ok);
    fetch(next + 1, 0);
    step();
    CU_ASSERT_EQUAL_FATAL(seen.mails, 1);
    CU_ASSERT_EQUAL(seen.length, sizeof mail - 1);
    close_session();
}

static void test_mails_vanish_and_numbers_change(void)
{
    open_session(STREAM_TLS, peer_says("password"));
    select_inbox();
    struct imap_cursor cursor = {0};
    imap_cursor_select(&cursor, &seen.answer.selected, 0, 1790000000000);
    let_peer("expunge"); /* by another client, in the middle */
    fetch(1, 0);
    step();
    CU_ASSERT_EQUAL(seen.mails, 0);
    fetch(3, 0);
    step();
    CU_ASSERT_EQUAL(seen.mails, 1);
    close_session();
    long fresh = let_peer("renumber");
    open_session(STREAM_TLS, peer_says("password"));
    select_inbox();
    CU_ASSERT_EQUAL(seen.answer.selected.validity, (uint32_t)fresh);
    CU_ASSERT_EQUAL(imap_cursor_select(&cursor, &seen.answer.selected, 0, 1790000000000),
                    IMAP_CURSOR_RESCAN);
    close_session();
}

int main(void)
{
    CU_initialize_registry();
    CU_pSuite suite = CU_add_suite("mail/imap_dovecot", start_peer, peer_rig_stop);
    CU_add_test(suite, "logs in over TLS", test_logs_in_over_tls);
    CU_add_test(suite, "reads", test_reads);
    CU_add_test(suite, "hears of news", test_hears_of_news);
    CU_add_test(suite, "mails vanish and numbers change", test_mails_vanish_and_numbers_change);
    CU_basic_set_mode(CU_BRM_VERBOSE);
    CU_basic_run_tests();
    unsigned failures = CU_get_number_of_failures();
    CU_cleanup_registry();
    return failures > 0 ? 1 : 0;
}
