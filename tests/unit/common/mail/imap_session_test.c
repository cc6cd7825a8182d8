/* Unit tests of an IMAP session against scripted servers: the order of its steps, each way to log
 * in, what comes of each command, news, and every way in which a server can go wrong. */
#include "unit/common/mail/imap_session_rig.h"

/* ---- ways in ---- */

static void test_logs_in(void)
{
    static const struct peer_step ir[] = {
        HELLO,
        CAN("AUTH=PLAIN SASL-IR LOGINDISABLED"),
        {"AUTHENTICATE PLAIN AGFubgBwdw==", "TAG OK in\r\n", 0},
        CAN("ID ENABLE CONDSTORE QRESYNC"),
        {"ID (\"name\" \"frontdesk\")", "* ID NIL\r\nTAG OK\r\n", 0},
        {"ENABLE QRESYNC", "* ENABLED QRESYNC\r\nTAG OK\r\n", 0},
        END};
    static const struct peer_step plain[] = {
        HELLO,
        CAN("AUTH=PLAIN"),
        {"AUTHENTICATE PLAIN\r\n", "+ \r\n", 0},
        {"AGFubgBwdw==\r\n", "* CAPABILITY IMAP4rev1\r\nTAG OK in\r\n", 0},
        CAN("ID ENABLE CONDSTORE"),
        {"ID (", "TAG BAD not today\r\n", 0},
        {"ENABLE CONDSTORE", "TAG NO\r\n", 0},
        END};
    static const struct peer_step login[] = {
        HELLO, CAN("AUTH=CRAM-MD5"), {"LOGIN \"ann\" \"pw\"", "TAG OK in\r\n", 0}, CAN(""), END};
    static const struct peer_step asked[] = {HELLO,
                                             CAN("AUTH=LOGIN LOGINDISABLED SASL-IR"),
                                             {"AUTHENTICATE LOGIN\r\n", "+ VXNlcm5hbWU6\r\n", 0},
                                             {"YW5u\r\n", "+ UGFzc3dvcmQ6\r\n", 0},
                                             {"cHc=\r\n", "TAG OK in\r\n", 0},
                                             CAN(""),
                                             END};
    const struct peer_step *const ways[] = {ir, plain, login, asked};
    for (size_t i = 0; i < sizeof ways / sizeof *ways; i++) {
        open_with(ways[i], usual());
        CU_ASSERT_TRUE(seen.ready);
        CU_ASSERT_FALSE(seen.ended);
        finish();
    }
}

static void test_logs_in_with_a_token(void)
{
    static const struct peer_step good[] = {
        HELLO,
        CAN("AUTH=PLAIN AUTH=XOAUTH2 SASL-IR"),
        {"AUTHENTICATE XOAUTH2 dXNlcj1hbm4BYXV0aD1CZWFyZXIgcHcBAQ==\r\n", "TAG OK\r\n", 0},
        CAN(""),
        END};
    /* The reason comes as a challenge, and an empty line is the answer to it. */
    static const struct peer_step refused[] = {
        HELLO,
        CAN("AUTH=XOAUTH2"),
        {"AUTHENTICATE XOAUTH2\r\n", "+ \r\n", 0},
        {"dXNlcj1hbm4BYXV0aD1CZWFyZXIgcHcBAQ==\r\n", "+ eyJzdGF0dXMiOiI0MDEifQ==\r\n", 0},
        {"\r\n", "TAG NO [AUTHENTICATIONFAILED] no\r\n", 0},
        END};
    struct imap_session_options options = usual();
    options.auth = IMAP_AUTH_XOAUTH2;
    open_with(good, options);
    CU_ASSERT_TRUE(seen.ready);
    finish();
    open_with(refused, options);
    CU_ASSERT_FALSE(seen.ready);
    CU_ASSERT_STRING_EQUAL(seen.code, "imap.authentication");
    CU_ASSERT_EQUAL(seen.class, ERR_FALL_BACK);
    finish();
}

/* A name with a quote and a line's end stays a name. */
static void test_hostile_names(void)
{
    static const struct peer_step steps[] = {HELLO,
                                             CAN(""),
                                             {"LOGIN {9}\r\n", "+ go\r\n", 0},
                                             {"a\"\r\n", NULL, 0},
                                             {"x L y \"pw\"\r\n", "TAG OK\r\n", 0},
                                             CAN(""),
                                             END};
    struct imap_session_options options = usual();
    options.user = "a\"\r\nx L y";
    open_with(steps, options);
    CU_ASSERT_TRUE(seen.ready);
    finish();
}

static const struct {
    struct peer_step steps[6];
    const char *code;
    enum err_class class;
} refusals[] = {
    {{{NULL, "* BYE [UNAVAILABLE] later\r\n", 0}, END}, "imap.bye", ERR_RETRY_LATER},
    {{{NULL, "* PREAUTH come in\r\n", 0}, END}, "imap.protocol", ERR_RETRY_LATER},
    {{{NULL, "* NO\r\n", 0}, END}, "imap.protocol", ERR_RETRY_LATER},
    {{{NULL, "HTTP/1.1 400 Bad Request\r\n", 0}, END}, "imap.syntax", ERR_RETRY_LATER},
    {{HELLO, {"CAPABILITY", "x1 OK\r\n", 0}, END}, "imap.protocol", ERR_RETRY_LATER},
    {{HELLO, {"CAPABILITY", "TAG BAD\r\n", 0}, END}, "imap.protocol", ERR_RETRY_LATER},
    {{HELLO, CAN("LOGINDISABLED"), END}, "imap.mechanism", ERR_FALL_BACK},
    {{HELLO, CAN(""), {"LOGIN", "TAG NO [AUTHENTICATIONFAILED] no\r\n", 0}, END},
     "imap.authentication",
     ERR_FALL_BACK},
    {{HELLO, CAN(""), {"LOGIN", "TAG NO no\r\n", 0}, END}, "imap.authentication", ERR_FALL_BACK},
    {{HELLO, CAN(""), {"LOGIN", "TAG NO [UNAVAILABLE] wait\r\n", 0}, END},
     "imap.unavailable",
     ERR_RETRY_LATER},
    {{HELLO, CAN(""), {"LOGIN", "TAG BAD what\r\n", 0}, END}, "imap.protocol", ERR_RETRY_LATER},
    {{HELLO,
      CAN("AUTH=PLAIN SASL-IR"),
      {"AUTHENTICATE", "+ more\r\n+ more\r\n+ more\r\n+ more\r\n", 0},
      END},
     "imap.protocol",
     ERR_RETRY_LATER},
    {{HELLO, {"CAPABILITY", "* X {200000}\r\n", 0}, END}, "imap.literal", ERR_RETRY_LATER},
    {{HELLO, {"CAPABILITY", "* X (\r\n", 0}, END}, "imap.syntax", ERR_RETRY_LATER},
    /* Nothing of it may be in a message that a row shall hold. */
    {{HELLO, {"CAPABILITY", "* \xff\xfe\x02 (\r\n", 0}, END}, "imap.syntax", ERR_RETRY_LATER},
    {{HELLO, {"CAPABILITY", "* BYE [\xff\xfe\x02] bye\r\n", 0}, END}, "imap.bye", ERR_RETRY_LATER},
};

static void test_refusals(void)
{
    for (size_t i = 0; i < sizeof refusals / sizeof *refusals; i++) {
        open_with(refusals[i].steps, usual());
        if (strcmp(seen.code, refusals[i].code) != 0)
            printf("\n    %zu: \"%s\"\n", i, seen.code);
        CU_ASSERT_TRUE(seen.ended);
        CU_ASSERT_FALSE(seen.ready);
        CU_ASSERT_STRING_EQUAL(seen.code, refusals[i].code);
        CU_ASSERT_EQUAL(seen.class, refusals[i].class);
        for (const char *c = seen.message; *c != '\0'; c++)
            CU_ASSERT(*c >= ' ' && *c < 0x7f);
        finish();
    }
}

static void test_silence_ends(void)
{
    static const struct peer_step silent[] = {{NULL, "* OK", 0}, END};
    struct imap_session_options options = usual();
    options.quiet_ms = 200;
    open_with(silent, options);
    CU_ASSERT_STRING_EQUAL(seen.code, "imap.timeout");
    finish();
    static const struct peer_step drip[] = {{NULL, "* OK", 0}, {NULL, "x", 0}, {NULL, "y", 0}, END};
    options.quiet_ms = 5000;
    options.total_ms = 200;
    open_with(drip, options);
    CU_ASSERT_STRING_EQUAL(seen.code, "imap.timeout");
    finish();
}

/* ---- commands ---- */

static void ask_all(const struct imap_answer *answer)
{
    static const uint32_t uids[] = {101, 105};
    switch (seen.answers) {
    case 0:
        CU_ASSERT_TRUE(imap_session_select(session, "Entw\xc3\xbcrfe", false));
        break;
    case 1:
        CU_ASSERT_TRUE(answer->ok);
        CU_ASSERT_EQUAL(answer->selected.validity, 77);
        CU_ASSERT_EQUAL(answer->selected.next_uid, 106);
        CU_ASSERT_EQUAL(answer->selected.exists, 12);
        CU_ASSERT_EQUAL(answer->selected.mod_sequence, 715194045007);
        CU_ASSERT_TRUE(imap_session_has_news(session));
        imap_session_search(session, 101, 200, 1769904000000);
        CU_ASSERT_FALSE(imap_session_is_ready(session));
        break;
    case 2:
        CU_ASSERT_EQUAL_FATAL(answer->uid_count, 3);
        CU_ASSERT_EQUAL(answer->uids[2], 101);
        CU_ASSERT_FALSE(imap_session_has_news(session));
        imap_session_look(session, uids, 2);
        break;
    case 3:
        CU_ASSERT_EQUAL_FATAL(answer->look_count, 1); /* 105 is gone */
        CU_ASSERT_EQUAL(answer->looks[0].uid, 101);
        CU_ASSERT_EQUAL(answer->looks[0].size_bytes, 22);
        CU_ASSERT_EQUAL(answer->looks[0].internal_ms, 837596665000);
        imap_session_fetch(session, (const uint32_t[]){101}, 1, 0);
        break;
    case 4:
        CU_ASSERT_STRING_EQUAL(seen.mail, "101:Subject: a\r\n\r\nTAG OK\r\n");
        CU_ASSERT_TRUE(imap_session_has_news(session));
        imap_session_fetch(session, (const uint32_t[]){105}, 1, 0);
        break;
    case 5:
        CU_ASSERT_TRUE(answer->ok);
        CU_ASSERT_EQUAL(seen.mails, 1);
        imap_session_fetch(session, (const uint32_t[]){101}, 1, 4);
        break;
    case 6:
        CU_ASSERT_STRING_EQUAL(seen.mail, "101:H: x\r\n\r\nbody");
        CU_ASSERT_TRUE(imap_session_append(session, "INBOX", "A: b\r\n\r\nc\r\n", 11));
        break;
    case 7:
        CU_ASSERT_FALSE(answer->ok);
        CU_ASSERT_STRING_EQUAL(answer->code, "OVERQUOTA");
        CU_ASSERT_STRING_EQUAL(answer->words, "full?up");
        CU_ASSERT_FALSE(imap_session_append(session, "INBOX", "a\0b", 3));
        CU_ASSERT_FALSE(imap_session_select(session, "a\nb", true));
        imap_session_noop(session);
        break;
    default:
        imap_session_logout(session);
    }
}

static void test_asks(void)
{
    static const struct peer_step steps[] = {
        READY,
        {"SELECT \"Entw&APw-rfe\"\r\n",
         "* 12 EXISTS\r\n* FLAGS (\\Seen)\r\n* OK [UIDVALIDITY 77] ok\r\n* OK [UIDNEXT 106]\r\n"
         "* OK [HIGHESTMODSEQ 715194045007]\r\nTAG OK [READ-WRITE] done\r\n",
         0},
        {"UID SEARCH UID 101:200 SINCE 1-Feb-2026\r\n",
         "* SEARCH 105 103\r\n* SEARCH 101 9 0 x\r\nTAG OK\r\n", 0},
        {"UID FETCH 101,105 (UID RFC822.SIZE INTERNALDATE)\r\n",
         "* 3 FETCH (FLAGS (\\Seen) UID 105)\r\n"
         "* 1 FETCH (INTERNALDATE \"17-Jul-1996 02:44:25 -0700\" RFC822.SIZE 22 UID 101)\r\n"
         "TAG OK\r\n",
         0},
        {"UID FETCH 101 (UID BODY.PEEK[])\r\n", "* 4 FETCH (UID 104 BODY[] {3}\r\nno!)\r\n", 0},
        /* TAG is not replaced here: it is the mail's own text */
        {NULL, "* 1 FETCH (UID 101 BODY[] {22}\r\nSubject: a\r\n\r\nTAG OK\r\n)\r\n", 57},
        {NULL, "* 13 EXISTS\r\n* 1 FETCH (FLAGS (\\Seen))\r\nTAG OK\r\n", 0},
        {"UID FETCH 105 (UID BODY.PEEK[])\r\n", "TAG OK nothing\r\n", 0},
        {"UID FETCH 101 (UID BODY.PEEK[HEADER] BODY.PEEK[TEXT]<0.4>)\r\n",
         "* 1 FETCH (UID 101 BODY[HEADER] {8}\r\nH: x\r\n\r\n BODY[TEXT]<0> \"body and more\")\r\n"
         "TAG OK\r\n",
         0},
        {"APPEND \"INBOX\" (\\Seen) {11}\r\n", "+ go\r\n", 0},
        {"A: b\r\n", NULL, 0},
        {"\r\n", NULL, 0},
        {"c\r\n", NULL, 0},
        {"\r\n", "TAG NO [overquota] full\x01up\r\n", 0},
        {"NOOP", "TAG OK\r\n", 0},
        {"LOGOUT", "* BYE see you\r\nTAG OK\r\n", 0},
        END};
    next_step = ask_all;
    open_with(steps, usual());
    CU_ASSERT_TRUE(seen.ended);
    CU_ASSERT_TRUE(seen.good_end);
    CU_ASSERT_EQUAL(seen.answers, 8);
    finish();
}

static void search_only(const struct imap_answer *answer)
{
    if (answer == NULL)
        imap_session_search(session, 10, 14, 0);
    else
        loop_stop(loop);
}

/* IMAP4rev2 answers with sets; what is outside of what was asked for is left out, however large. */
static void test_esearch(void)
{
    static const struct peer_step steps[] = {
        READY,
        {"UID SEARCH UID 10:14\r\n",
         "* ESEARCH (TAG \"TAG\") UID COUNT 5 ALL 1:4294967295,3,x\r\nTAG OK\r\n", 0},
        END};
    next_step = search_only;
    open_with(steps, usual());
    CU_ASSERT_EQUAL(seen.answer.uid_count, 5);
    CU_ASSERT_EQUAL(seen.uids[0], 10);
    CU_ASSERT_EQUAL(seen.uids[4], 14);
    finish();
}

static void select_only(const struct imap_answer *answer)
{
    if (answer == NULL)
        imap_session_select(session, "INBOX", true);
    else
        loop_stop(loop);
}

static void test_needs_uidvalidity(void)
{
    static const struct peer_step steps[] = {
        READY, {"EXAMINE \"INBOX\"", "* OK [UIDVALIDITY 0]\r\nTAG OK\r\n", 0}, END};
    next_step = select_only;
    open_with(steps, usual());
    CU_ASSERT_FALSE(seen.answer.ok);
    CU_ASSERT_STRING_EQUAL(seen.answer_code, "UIDNOTSTICKY");
    finish();
}

/* ---- waiting ---- */

static bool wake_at_once, logout_at_once;

static void idle_only(const struct imap_answer *answer)
{
    if (answer == NULL) {
        CU_ASSERT_TRUE(imap_session_can(session, "IDLE"));
        imap_session_idle(session, wake_at_once || logout_at_once ? 60000 : 100);
        if (wake_at_once)
            imap_session_wake(session);
        if (logout_at_once)
            imap_session_logout(session);
    } else if (!logout_at_once) {
        loop_stop(loop);
    }
}

static void test_idles(void)
{
    static const struct peer_step news[] = {
        READY,
        {"IDLE\r\n", "+ idling\r\n* OK still here\r\n* 14 EXISTS\r\n", 0},
        {"DONE\r\n", "TAG OK\r\n", 0},
        END};
    static const struct peer_step quiet[] = {
        READY, {"IDLE\r\n", "+ idling\r\n", 0}, {"DONE\r\n", "TAG OK\r\n", 0}, END};
    static const struct peer_step refused[] = {READY, {"IDLE\r\n", "TAG NO\r\n", 0}, END};
    next_step = idle_only;
    open_with(news, usual());
    CU_ASSERT_TRUE(seen.answer.ok);
    CU_ASSERT_TRUE(imap_session_has_news(session));
    finish();
    next_step = idle_only;
    open_with(quiet, usual()); /* its time is over */
    CU_ASSERT_TRUE(seen.answer.ok);
    CU_ASSERT_FALSE(imap_session_has_news(session));
    finish();
    next_step = idle_only;
    wake_at_once = true;
    open_with(quiet, usual()); /* woken before the server agreed */
    CU_ASSERT_TRUE(seen.answer.ok);
    wake_at_once = false;
    finish();
    next_step = idle_only;
    open_with(refused, usual());
    CU_ASSERT_FALSE(seen.answer.ok);
    finish();
    static const struct peer_step leaving[] = {READY,
                                               {"IDLE\r\n", "+ idling\r\n", 0},
                                               {"DONE\r\n", "TAG OK\r\n", 0},
                                               {"LOGOUT", "* BYE\r\nTAG OK\r\n", 0},
                                               END};
    next_step = idle_only;
    logout_at_once = true;
    open_with(leaving, usual());
    CU_ASSERT_TRUE(seen.good_end);
    logout_at_once = false;
    finish();
}

/* ---- ends ---- */

static void fetch_only(const struct imap_answer *answer)
{
    if (answer == NULL)
        imap_session_fetch(session, (const uint32_t[]){5}, 1, 0);
    else
        loop_stop(loop);
}

static void test_ends_in_the_middle(void)
{
    static const struct peer_step lying[] = {
        READY, {"UID FETCH", "* 1 FETCH (UID 5 BODY[] {100000000}\r\n", 0}, END};
    static const struct peer_step bye[] = {
        READY, {"UID FETCH", "* BYE [ALERT] closing down\r\n", 0}, END};
    static const struct peer_step expired[] = {
        READY, {"UID FETCH", "* BYE Session expired, please login again.\r\n", 0}, END};
    static const struct peer_step closed[] = {
        READY, {"UID FETCH", "* 1 FETCH (FLAGS ())\r\n* BYE Connection closed. 14\r\n", 0}, END};
    static const struct peer_step stuck[] = {READY, {"UID FETCH", "+ what else\r\n", 0}, END};
    const struct {
        const struct peer_step *steps;
        const char *code;
    } cases[] = {{lying, "imap.literal"},
                 {bye, "imap.bye"},
                 {expired, "imap.bye"}, /* Gmail's */
                 {closed, "imap.bye"},  /* Exchange's */
                 {stuck, "imap.protocol"}};
    for (size_t i = 0; i < sizeof cases / sizeof *cases; i++) {
        next_step = fetch_only;
        open_with(cases[i].steps, usual());
        CU_ASSERT_STRING_EQUAL(seen.code, cases[i].code);
        CU_ASSERT_EQUAL(seen.class, ERR_RETRY_LATER);
        CU_ASSERT_EQUAL(seen.answers, 0);
        finish();
    }
    CU_ASSERT_STRING_EQUAL(seen.alert, ""); /* of the last one */
    next_step = fetch_only;
    memset(&seen, 0, sizeof seen);
    peer_start(&peer, bye, false); /* closes the connection behind it */
    struct imap_session_options options = usual();
    options.port = peer.port;
    session = imap_session_open(&options);
    run();
    CU_ASSERT_STRING_EQUAL(seen.code, "imap.bye");
    CU_ASSERT_STRING_EQUAL(seen.alert, "closing down");
    finish();
}

static void close_it(const struct imap_answer *answer)
{
    if (answer == NULL && seen.answers == 0 && logout_at_once) {
        imap_session_close(&session); /* inside on_ready */
        loop_stop(loop);
    } else if (answer == NULL) {
        imap_session_noop(session);
    } else {
        imap_session_close(&session); /* inside on_answer */
        loop_stop(loop);
    }
}

static void test_closes_from_inside(void)
{
    static const struct peer_step noop[] = {
        READY, {"NOOP", "TAG OK\r\n* 1 EXISTS\r\n* 2 EXISTS\r\n", 0}, END};
    static const struct peer_step ready[] = {READY, END};
    next_step = close_it;
    open_with(noop, usual());
    CU_ASSERT_PTR_NULL(session);
    finish();
    next_step = close_it;
    logout_at_once = true;
    open_with(ready, usual());
    CU_ASSERT_PTR_NULL(session);
    logout_at_once = false;
    finish();
}

int main(void)
{
    CU_initialize_registry();
    CU_pSuite suite = CU_add_suite("mail/imap_session", open_loop, close_loop);
    CU_add_test(suite, "logs in", test_logs_in);
    CU_add_test(suite, "logs in with a token", test_logs_in_with_a_token);
    CU_add_test(suite, "hostile names", test_hostile_names);
    CU_add_test(suite, "refusals", test_refusals);
    CU_add_test(suite, "silence ends", test_silence_ends);
    CU_add_test(suite, "asks", test_asks);
    CU_add_test(suite, "ESEARCH", test_esearch);
    CU_add_test(suite, "needs UIDVALIDITY", test_needs_uidvalidity);
    CU_add_test(suite, "idles", test_idles);
    CU_add_test(suite, "ends in the middle", test_ends_in_the_middle);
    CU_add_test(suite, "closes from inside", test_closes_from_inside);
    CU_basic_set_mode(CU_BRM_VERBOSE);
    CU_basic_run_tests();
    unsigned failures = CU_get_number_of_failures();
    CU_cleanup_registry();
    return failures > 0 ? 1 : 0;
}
