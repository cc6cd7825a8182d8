/* Unit tests of what is read off an SMTP session and how it is judged: replies in every form,
 * commands in one packet, accounts' URLs, the last check of a mail, and the table of codes. */
#include <CUnit/Basic.h>
#include <string.h>

#include "base/arena.h"
#include "mail/smtp_inside.h"

static struct smtp_dialogue d;

static void sent(const char *text)
{
    smtp_dialogue_sent(&d, text, strlen(text));
}

static void received(const char *text)
{
    smtp_dialogue_received(&d, text, strlen(text));
}

/* Each byte by itself must come to the same. */
static void dribbled(const char *text)
{
    for (; *text != '\0'; text++)
        smtp_dialogue_received(&d, text, 1);
}

/* A session up to where the envelope begins. */
static void open_session(void)
{
    smtp_dialogue_init(&d);
    received("220 mx ESMTP\r\n");
    sent("EHLO desk\r\n");
    received("250-mx\r\n250-SIZE 1000\r\n250-STARTTLS\r\n250 PIPELINING\r\n");
}

static void test_stages(void)
{
    smtp_dialogue_init(&d);
    CU_ASSERT_EQUAL(smtp_dialogue_stage(&d), SMTP_CONNECT);
    dribbled("220-mx\r\n220 ready\r\n");
    CU_ASSERT_EQUAL(smtp_dialogue_stage(&d), SMTP_GREETING);
    CU_ASSERT_EQUAL(d.replies[SMTP_GREETING].code, 220);
    sent("EH");
    sent("LO desk\r\n");
    CU_ASSERT_EQUAL(smtp_dialogue_stage(&d), SMTP_HELLO);
    dribbled("250-mx\r\n250-size 1234\r\n250 starttls\r\n");
    CU_ASSERT_EQUAL(d.size_limit, 1234);
    sent("MAIL FROM:<a@b.example>\r\nRCPT TO:<c@d.example>\r\nRCPT TO:<e@f.example>\r\nDATA\r\n");
    CU_ASSERT_EQUAL(smtp_dialogue_stage(&d), SMTP_MAIL);
    received("250 2.1.0 ok\r\n250 2.1.5 ok\r\n550 5.1.1 <e@f.example> no such user\r\n");
    CU_ASSERT_EQUAL(smtp_dialogue_stage(&d), SMTP_DATA);
    CU_ASSERT_EQUAL(d.recipient_count, 2);
    CU_ASSERT_EQUAL(d.recipients[0].code, 250);
    CU_ASSERT_EQUAL(d.recipients[1].code, 550);
    CU_ASSERT_STRING_EQUAL(d.recipients[1].enhanced, "5.1.1");
    received("354 go\r\n");
    CU_ASSERT_EQUAL(smtp_dialogue_stage(&d), SMTP_DOT);
    received("250 2.0.0 queued as 7\r\n");
    CU_ASSERT_EQUAL(d.replies[SMTP_DOT].code, 250);
    CU_ASSERT_STRING_EQUAL(d.replies[SMTP_DOT].text, "queued as 7");
    CU_ASSERT_FALSE(d.broken);
}

/* A server that closes right behind its yes, in the same packet or a moment later. */
static void test_closes_behind_the_dot(void)
{
    open_session();
    sent("MAIL FROM:<a@b.example>\r\nRCPT TO:<c@d.example>\r\nDATA\r\n");
    received("250 ok\r\n250 ok\r\n354 go\r\n250 2.0.0 queued\r\n421 4.4.2 closing\r\n");
    CU_ASSERT_EQUAL(d.replies[SMTP_DOT].code, 250);
    CU_ASSERT_STRING_EQUAL(d.replies[SMTP_DOT].text, "queued");
    open_session();
    sent("MAIL FROM:<a@b.example>\r\nRCPT TO:<c@d.example>\r\nDATA\r\n");
    received("250 ok\r\n250 ok\r\n354 go\r\n421 4.3.2 closing\r\n"); /* instead of it */
    CU_ASSERT_EQUAL(d.replies[SMTP_DOT].code, 421);
}

static void test_auth(void)
{
    open_session();
    sent("AUTH LOGIN\r\n");
    received("334 VXNlcm5hbWU6\r\n");
    sent("ZGVzaw==\r\n");
    received("334 UGFzc3dvcmQ6\r\n");
    sent("RCPT\r\n"); /* a secret that looks like a command */
    CU_ASSERT_EQUAL(smtp_dialogue_stage(&d), SMTP_AUTH);
    received("535 5.7.8 wrong: desk secret\r\n");
    CU_ASSERT_FALSE(d.authenticated);
    CU_ASSERT_EQUAL(d.replies[SMTP_AUTH].code, 535);
    CU_ASSERT_STRING_EQUAL(d.replies[SMTP_AUTH].text, "");
    CU_ASSERT_EQUAL(d.verb[0], '\0');
    sent("AUTH PLAIN AGEAYg==\r\n");
    received("235 2.7.0 ok\r\n");
    CU_ASSERT_TRUE(d.authenticated);
}

static void test_starttls(void)
{
    open_session();
    sent("STARTTLS\r\n");
    received("220 go\r\n");
    CU_ASSERT_TRUE(d.tls_expected);
    CU_ASSERT_FALSE(d.injected);
    smtp_dialogue_secured(&d);
    sent("EHLO desk\r\n");
    received("250 mx\r\n");
    CU_ASSERT_FALSE(d.injected);
    CU_ASSERT_EQUAL(d.size_limit, 0);
    open_session();
    sent("STARTTLS\r\n");
    received("220 go\r\n250 mx\r\n");
    CU_ASSERT_TRUE(d.injected);
}

static void test_replies(void)
{
    static const struct {
        const char *line;
        int code; /* 0: none */
        const char *enhanced, *text;
        bool more;
    } cases[] = {
        {"250 2.1.0 ok\r", 250, "2.1.0", "ok", false},
        {"250-ok", 250, "", "ok", true},
        {"250", 250, "", "", false},
        {"250\r", 250, "", "", false},
        {"550 5.1.1\r", 550, "5.1.1", "", false},
        {"550 5.7.26 x", 550, "5.7.26", "x", false},
        {"550 4.7.1 x", 550, "", "4.7.1 x", false}, /* another class than the code's */
        {"550 5.1 x", 550, "", "5.1 x", false},
        {"550 5.1.1.1 x", 550, "", "5.1.1.1 x", false},
        {"550 5.1234.1 x", 550, "", "5.1234.1 x", false},
        {"550 a\tb\x1b[31m\xc3\xa4", 550, "", "a?b?[31m??", false},
        {"25", 0, "", "", false},
        {"2500 x", 0, "", "", false},
        {"150 x", 0, "", "", false},
        {"650 x", 0, "", "", false},
        {"HTTP/1.1 400", 0, "", "", false},
        {"", 0, "", "", false},
    };
    for (size_t i = 0; i < sizeof cases / sizeof *cases; i++) {
        struct smtp_reply reply = {.code = 0};
        bool more = false;
        bool good = smtp_reply_parse(cases[i].line, strlen(cases[i].line), &reply, &more);
        CU_ASSERT_EQUAL(good, cases[i].code != 0);
        CU_ASSERT_EQUAL(reply.code, cases[i].code);
        CU_ASSERT_STRING_EQUAL(reply.enhanced, cases[i].enhanced);
        CU_ASSERT_STRING_EQUAL(reply.text, cases[i].text);
        CU_ASSERT_EQUAL(more, cases[i].more);
    }
}

/* Nothing that a server says is more than a reply that is bounded, or the end of the session. */
static void test_hostile(void)
{
    char flood[8192];
    memset(flood, '9', sizeof flood);
    smtp_dialogue_init(&d);
    smtp_dialogue_received(&d, flood, sizeof flood);
    received("\r\n");
    CU_ASSERT_TRUE(d.broken);
    smtp_dialogue_init(&d);
    memcpy(flood, "550 ", 4);
    smtp_dialogue_received(&d, flood, sizeof flood);
    received("\r\n");
    CU_ASSERT_EQUAL(d.replies[SMTP_GREETING].code, 550);
    CU_ASSERT_EQUAL(strlen(d.replies[SMTP_GREETING].text), SMTP_TEXT_MAX);
    open_session();
    received("250-a\r\n251 b\r\n"); /* two codes in one reply */
    CU_ASSERT_TRUE(d.broken);
    open_session();
    sent("EHLO desk\r\n");
    received("250-SIZE 99999999999999999999999999999999\r\n250 SIZE x\r\n");
    CU_ASSERT_TRUE(d.size_limit >= 0);
    for (int i = 0; i < 1000; i++)
        sent("RCPT TO:<a@b.example>\r\n");
    CU_ASSERT_TRUE(d.broken);
    for (int i = 0; i < 1000; i++)
        received("250 ok\r\n");
    CU_ASSERT(d.recipient_count <= SMTP_RECIPIENTS_MAX);
}

static void test_accounts(void)
{
    static const struct {
        const char *url;
        const char *host, *user; /* host NULL: refused */
        int port;
        enum mail_smtp_security security;
        enum mail_smtp_auth auth;
        bool curl;
    } cases[] = {
        {"smtps://desk%40x.example@mail.x.example", "mail.x.example", "desk@x.example", 465,
         MAIL_SMTP_TLS, MAIL_SMTP_PASSWORD, true},
        {"smtp://desk@Mail.X.example:2525/", "mail.x.example", "desk", 2525, MAIL_SMTP_STARTTLS,
         MAIL_SMTP_PASSWORD, false},
        {"smtp://10.0.0.7", "10.0.0.7", "", 587, MAIL_SMTP_STARTTLS, MAIL_SMTP_NO_AUTH, false},
        {"smtp://relay:25?tls=none", "relay", "", 25, MAIL_SMTP_PLAIN, MAIL_SMTP_NO_AUTH, false},
        {"smtp://d@x.example?auth=xoauth2", "x.example", "d", 587, MAIL_SMTP_STARTTLS,
         MAIL_SMTP_XOAUTH2, true},
        {.url = "imap://x.example"},
        {.url = "smtp://"},
        {.url = "smtp://:25"},
        {.url = "smtp://x.example:"},
        {.url = "smtp://x.example:0"},
        {.url = "smtp://x.example:70000"},
        {.url = "smtp://x.example:+25"},
        {.url = "smtp://x.example/path"},
        {.url = "smtp://x..example"},
        {.url = "smtp://-x.example"},
        {.url = "smtp://[::1]:25"},
        {.url = "smtp://x example"},
        {.url = "smtp://x.example\r\nRCPT"},
        {.url = "smtp://d:hunter7@x.example"},
        {.url = "smtp://@x.example"},
        {.url = "smtp://a%0d%0aQUIT@x.example"},
        {.url = "smtp://a%4@x.example"},
        {.url = "smtp://a%00@x.example"},
        {.url = "smtp://d@x.example?tls=none"},
        {.url = "smtps://x.example?tls=none"},
        {.url = "smtp://x.example?tls=maybe"},
        {.url = "smtp://x.example?auth=xoauth2"},
        {.url = "smtp://x.example?verify=no"},
    };
    for (size_t i = 0; i < sizeof cases / sizeof *cases; i++) {
        struct mail_smtp_account account = {.port = -1};
        struct err err;
        int rc = mail_smtp_account_parse(cases[i].url, &account, &err);
        CU_ASSERT_EQUAL(rc, cases[i].host != NULL ? 0 : -1);
        if (rc != 0) {
            CU_ASSERT_STRING_EQUAL(err.code, "smtp.account");
            CU_ASSERT_PTR_NULL(strstr(err.message, "hunter7"));
            CU_ASSERT_EQUAL(account.port, -1);
            continue;
        }
        CU_ASSERT_STRING_EQUAL(account.host, cases[i].host);
        CU_ASSERT_STRING_EQUAL(account.user, cases[i].user);
        CU_ASSERT_EQUAL(account.port, cases[i].port);
        CU_ASSERT_EQUAL(account.security, cases[i].security);
        CU_ASSERT_EQUAL(account.auth, cases[i].auth);
        CU_ASSERT_EQUAL(mail_smtp_account_wants_curl(&account), cases[i].curl);
    }
}

static void test_imap_account(void)
{
    static const struct {
        const char *url, *user;
        int port;
        enum mail_smtp_security security;
    } cases[] = {
        {"imaps://desk%40x.example@mail.x.example", "desk@x.example", 993, MAIL_SMTP_TLS},
        {"imap://desk@mail.x.example", "desk", 143, MAIL_SMTP_STARTTLS},
        {"imap://desk@mail.x.example:1143/", "desk", 1143, MAIL_SMTP_STARTTLS},
        {.url = "imaps://mail.x.example"},
        {.url = "imap://desk@mail.x.example?tls=none"},
        {.url = "imaps://d:hunter7@mail.x.example"},
        {.url = "smtps://desk@mail.x.example"},
        {.url = "pop3://desk@mail.x.example"},
    };
    for (size_t i = 0; i < sizeof cases / sizeof *cases; i++) {
        struct mail_smtp_account account = {.port = -1};
        struct err err;
        int rc = mail_imap_account_parse(cases[i].url, &account, &err);
        CU_ASSERT_EQUAL(rc, cases[i].user != NULL ? 0 : -1);
        if (rc != 0) {
            CU_ASSERT_STRING_EQUAL(err.code, "imap.account");
            CU_ASSERT_PTR_NOT_NULL(strstr(err.message, "imaps://USER@HOST"));
            CU_ASSERT_PTR_NULL(strstr(err.message, "hunter7"));
            CU_ASSERT_EQUAL(account.port, -1);
            continue;
        }
        CU_ASSERT_STRING_EQUAL(account.host, "mail.x.example");
        CU_ASSERT_STRING_EQUAL(account.user, cases[i].user);
        CU_ASSERT_EQUAL(account.port, cases[i].port);
        CU_ASSERT_EQUAL(account.security, cases[i].security);
    }
}

#define HEAD "Date: x\r\nFrom: a\r\nMessage-ID: <a@b>\r\nSubject: s\r\nTo: c\r\n"

static void test_check(void)
{
    static const struct {
        const char *from, *to, *id, *message;
        bool good;
    } cases[] = {
        {"a@b.example", "c@d.example", "d-1", HEAD "\r\ntext\r\n", true},
        {"a@b.example", "c@d.example", NULL, HEAD " folded\r\nX-Y: z\r\n\r\n", true},
        {"a@b.example>\r\nRCPT TO:<x@y.example", "c@d.example", NULL, HEAD "\r\n", false},
        {"a@b.example", "c@d.example\r\nDATA", NULL, HEAD "\r\n", false},
        {"a@b.example", "c@d.example> NOTIFY=NEVER", NULL, HEAD "\r\n", false},
        {"a@b.example", "", NULL, HEAD "\r\n", false},
        {"a@b.example", "c@d.example", "a b", HEAD "\r\n", false},
        {"a@b.example", "c@d.example", "a\r\nb", HEAD "\r\n", false},
        {"a@b.example", "c@d.example", NULL, "", false},
        {"a@b.example", "c@d.example", NULL, HEAD, false},
        {"a@b.example", "c@d.example", NULL, HEAD "Bcc: x\r\n\r\n", false},
        {"a@b.example", "c@d.example", NULL, HEAD "Subject: t\r\n\r\n", false},
        {"a@b.example", "c@d.example", NULL, HEAD "no field\r\n\r\n", false},
        {"a@b.example", "c@d.example", NULL, " x\r\n" HEAD "\r\n", false},
        {"a@b.example", "c@d.example", NULL, HEAD "\r\nbare\nline\r\n", false},
        {"a@b.example", "c@d.example", NULL, HEAD "\r\nbare\rline\r\n", false},
        {"a@b.example", "c@d.example", NULL, HEAD "\r\n\xc3\xa4\r\n", false},
        {"a@b.example", "c@d.example", NULL, HEAD "\r\nno end", false},
    };
    for (size_t i = 0; i < sizeof cases / sizeof *cases; i++) {
        struct mail_smtp_call call = {.from = cases[i].from,
                                      .to = &cases[i].to,
                                      .to_count = 1,
                                      .envelope_id = cases[i].id,
                                      .message = cases[i].message,
                                      .length = strlen(cases[i].message)};
        struct err err;
        CU_ASSERT_EQUAL(mail_smtp_check(&call, &err), cases[i].good ? 0 : -1);
    }
    char long_line[1100] = HEAD "\r\n";
    size_t head = strlen(long_line);
    memset(long_line + head, 'x', 999);
    memcpy(long_line + head + 999, "\r\n", 3);
    const char *to = "c@d.example";
    struct mail_smtp_call call = {.from = "a@b.example",
                                  .to = &to,
                                  .to_count = 1,
                                  .message = long_line,
                                  .length = head + 1001};
    CU_ASSERT_EQUAL(mail_smtp_check(&call, NULL), -1);
    call.length = strlen(HEAD "\r\n");
    CU_ASSERT_EQUAL(mail_smtp_check(&call, NULL), 0);
    call.to_count = 0;
    CU_ASSERT_EQUAL(mail_smtp_check(&call, NULL), -1);
}

static void test_codes(void)
{
    static const struct {
        enum smtp_stage stage;
        const char *line;
        enum smtp_action action;
        bool alert;
    } cases[] = {
        {SMTP_GREETING, "554 5.7.1 go away", SMTP_HOLD_OFF, true},
        {SMTP_GREETING, "421 4.3.2 later", SMTP_BACK_OFF, false},
        {SMTP_HELLO, "550 no", SMTP_HOLD_OFF, true},
        {SMTP_STARTTLS, "454 4.7.0 not now", SMTP_BACK_OFF, false},
        {SMTP_AUTH, "535 5.7.8 bad", SMTP_HOLD_OFF, true},
        {SMTP_AUTH, "550 5.7.30 Basic authentication is not supported", SMTP_HOLD_OFF, true},
        {SMTP_AUTH, "454 4.7.0 later", SMTP_BACK_OFF, false},
        {SMTP_MAIL, "530 5.7.0 auth", SMTP_HOLD_OFF, true},
        {SMTP_MAIL, "552 5.3.4 too big", SMTP_FINAL, true},
        {SMTP_MAIL, "452 4.3.1 no room", SMTP_BACK_OFF, false},
        {SMTP_MAIL, "553 5.7.1 not yours", SMTP_HOLD_OFF, true},
        {SMTP_RCPT, "550 5.1.1 who", SMTP_NO_ADDRESS, false},
        {SMTP_RCPT, "550 who", SMTP_NO_ADDRESS, false},
        {SMTP_RCPT, "550 5.1.10 null MX", SMTP_NO_ADDRESS, false},
        {SMTP_RCPT, "550 5.7.1 policy", SMTP_FINAL, true},
        {SMTP_RCPT, "554 5.7.1 relay", SMTP_FINAL, true},
        {SMTP_RCPT, "552 5.2.2 full", SMTP_BACK_OFF, false},
        {SMTP_RCPT, "450 4.2.0 greylisted", SMTP_BACK_OFF, false},
        {SMTP_RCPT, "451 4.7.1 greylisted", SMTP_BACK_OFF, false},
        {SMTP_DOT, "554 5.7.1 spam", SMTP_FINAL, true},
        {SMTP_DOT, "550 5.7.26 dmarc", SMTP_FINAL, true},
        {SMTP_DOT, "552 5.3.4 too big", SMTP_FINAL, true},
        {SMTP_DOT, "552 5.2.2 quota", SMTP_BACK_OFF, false},
        {SMTP_DOT, "554 no", SMTP_FINAL, true},
        {SMTP_DOT, "451 4.3.0 later", SMTP_BACK_OFF, false},
        {SMTP_DATA, "354 again", SMTP_BACK_OFF, true},
        {SMTP_OTHER, "599 x", SMTP_FINAL, true},
    };
    for (size_t i = 0; i < sizeof cases / sizeof *cases; i++) {
        struct smtp_reply reply;
        bool more;
        CU_ASSERT_TRUE_FATAL(smtp_reply_parse(cases[i].line, strlen(cases[i].line), &reply, &more));
        struct smtp_judgement judgement = smtp_codes_judge(cases[i].stage, &reply);
        CU_ASSERT_EQUAL(judgement.action, cases[i].action);
        CU_ASSERT_EQUAL(judgement.alert, cases[i].alert);
        CU_ASSERT(strlen(judgement.meaning) > 10);
    }
    CU_ASSERT_EQUAL(smtp_codes_judge_error("smtp.unknown").action, SMTP_ASK_NOBODY);
    CU_ASSERT_EQUAL(smtp_codes_judge_error("smtp.certificate").action, SMTP_HOLD_OFF);
    CU_ASSERT_EQUAL(smtp_codes_judge_error("smtp.gate").alert, false);
    CU_ASSERT_EQUAL(smtp_codes_judge_error("?").action, SMTP_BACK_OFF);
}

/* Every code at every stage has a row, and no yes or no at the end of a mail is ever unknown. */
static void test_verdicts(void)
{
    struct arena *arena = arena_new();
    for (int code = 200; code < 600; code++)
        for (int stage = 0; stage < SMTP_STAGES; stage++) {
            struct mail_smtp_result result;
            smtp_dialogue_init(&d);
            d.replies[SMTP_DOT].code = code;
            smtp_judge(arena, &d, "smtp.dropped", 1, true, true, &result);
            enum mail_smtp_class class = code < 300   ? MAIL_SMTP_ACCEPTED
                                         : code < 400 ? MAIL_SMTP_UNKNOWN
                                                      : result.class;
            CU_ASSERT_EQUAL(result.class, class);
            CU_ASSERT(code < 400 || result.class == MAIL_SMTP_REFUSED ||
                      result.class == MAIL_SMTP_DEFERRED);
            smtp_codes_judge((enum smtp_stage)stage, &d.replies[SMTP_DOT]);
        }
    struct mail_smtp_result result;
    smtp_dialogue_init(&d);
    smtp_judge(arena, &d, "smtp.dropped", 1, true, true, &result);
    CU_ASSERT_EQUAL(result.class, MAIL_SMTP_UNKNOWN);
    smtp_judge(arena, &d, "smtp.dropped", 1, true, false, &result);
    CU_ASSERT_EQUAL(result.class, MAIL_SMTP_DEFERRED);
    d.replies[SMTP_DOT].code = 250; /* before the end was sent: nonsense, and nothing was taken */
    smtp_judge(arena, &d, "smtp.dropped", 1, true, false, &result);
    CU_ASSERT_EQUAL(result.class, MAIL_SMTP_DEFERRED);
    arena_free(&arena);
}

int main(void)
{
    CU_initialize_registry();
    CU_pSuite suite = CU_add_suite("smtp dialogue", NULL, NULL);
    CU_add_test(suite, "closes behind the dot", test_closes_behind_the_dot);
    CU_add_test(suite, "stages", test_stages);
    CU_add_test(suite, "auth", test_auth);
    CU_add_test(suite, "starttls", test_starttls);
    CU_add_test(suite, "replies", test_replies);
    CU_add_test(suite, "hostile", test_hostile);
    CU_add_test(suite, "accounts", test_accounts);
    CU_add_test(suite, "IMAP accounts", test_imap_account);
    CU_add_test(suite, "check", test_check);
    CU_add_test(suite, "codes", test_codes);
    CU_add_test(suite, "verdicts", test_verdicts);
    CU_basic_run_tests();
    unsigned failures = CU_get_number_of_failures();
    CU_cleanup_registry();
    return failures > 0;
}
