/* Unit tests of what Gmail, Exchange and Dovecot say when they are busy, or an account has too many
 * connections or too much traffic: that passes, and is no wrong password, which is one that nobody
 * tries again for long. */
#include "unit/common/mail/imap_session_rig.h"

#define BUSY  "imap.unavailable", ERR_RETRY_LATER
#define WRONG "imap.authentication", ERR_FALL_BACK

static const struct {
    const char *says; /* the server, to LOGIN */
    const char *code;
    enum err_class class;
} logins[] = {
    {"TAG NO [ALERT] Too many simultaneous connections. (Failure)\r\n", BUSY}, /* Gmail */
    {"TAG NO [ALERT] Account exceeded command or bandwidth limits. (Failure)\r\n", BUSY},
    {"TAG NO [OVERQUOTA] Account exceeded command or bandwidth limits. (Failure)\r\n", BUSY},
    {"TAG NO [UNAVAILABLE] Temporary System Error\r\n", BUSY},
    {"* BYE [ALERT] Too many simultaneous connections. (Failure)\r\n", "imap.bye", ERR_RETRY_LATER},
    {"TAG NO [ALERT] Please log in via your web browser (Failure)\r\n", WRONG},
    {"TAG NO [AUTHENTICATIONFAILED] Invalid credentials (Failure)\r\n", WRONG},
    {"TAG NO [AUTHENTICATIONFAILED] Too many simultaneous connections\r\n", WRONG},
    {"TAG NO Server Unavailable. 15\r\n", BUSY}, /* Exchange */
    {"TAG NO Request is throttled. Suggested Backoff Time: 299961 milliseconds\r\n", BUSY},
    {"TAG BAD Request is throttled. Suggested Backoff Time: 89117 milliseconds\r\n"
     "* BYE Connection closed. 14\r\n",
     BUSY},
    {"TAG BAD User is authenticated but not connected.\r\n", BUSY},
    {"* BYE Connection closed. 14\r\n", "imap.bye", ERR_RETRY_LATER},
    {"TAG NO LOGIN failed.\r\n", WRONG},
    {"TAG NO [UNAVAILABLE] Maximum number of connections from user+IP exceeded\r\n",
     BUSY}, /* Dovecot */
    {"TAG NO Maximum number of connections from user+IP exceeded\r\n", BUSY},
};

static void test_logins(void)
{
    for (size_t i = 0; i < sizeof logins / sizeof *logins; i++) {
        const struct peer_step steps[] = {HELLO, CAN(""), {"LOGIN", logins[i].says, 0}, END};
        open_with(steps, usual());
        if (strcmp(seen.code, logins[i].code) != 0)
            printf("\n    %s    \"%s\"\n", logins[i].says, seen.code);
        CU_ASSERT_TRUE(seen.ended);
        CU_ASSERT_FALSE(seen.ready);
        CU_ASSERT_STRING_EQUAL(seen.code, logins[i].code);
        CU_ASSERT_EQUAL(seen.class, logins[i].class);
        finish();
    }
}

/* Gmail, to a token: why it refuses comes behind the challenge. */
static void test_login_with_a_token(void)
{
    static const struct peer_step steps[] = {
        HELLO,
        CAN("AUTH=XOAUTH2 SASL-IR"),
        {"AUTHENTICATE XOAUTH2", "+ eyJzdGF0dXMiOiI0MDAifQ==\r\n", 0},
        {"\r\n", "TAG NO [ALERT] Too many simultaneous connections. (Failure)\r\n", 0},
        END};
    struct imap_session_options options = usual();
    options.auth = IMAP_AUTH_XOAUTH2;
    open_with(steps, options);
    CU_ASSERT_STRING_EQUAL(seen.code, "imap.unavailable");
    CU_ASSERT_EQUAL(seen.class, ERR_RETRY_LATER);
    CU_ASSERT_PTR_NOT_NULL(strstr(seen.message, "Too many simultaneous connections"));
    finish();
}

/* Exchange lets in, and serves nothing. */
static void test_in_and_not_connected(void)
{
    static const struct peer_step steps[] = {
        LOGIN, {"CAPABILITY", "TAG BAD User is authenticated but not connected.\r\n", 0}, END};
    open_with(steps, usual());
    CU_ASSERT_FALSE(seen.ready);
    CU_ASSERT_STRING_EQUAL(seen.code, "imap.unavailable");
    CU_ASSERT_EQUAL(seen.class, ERR_RETRY_LATER);
    finish();
}

static void select_only(const struct imap_answer *answer)
{
    if (answer == NULL)
        imap_session_select(session, "INBOX", false);
    else
        loop_stop(loop);
}

/* A folder that is not there is nobody's passing trouble. */
static void test_behind_the_login(void)
{
    static const struct {
        const char *says, *code;
        bool passing;
    } cases[] = {
        {"TAG BAD User is authenticated but not connected.\r\n", "", true},
        {"TAG NO Request is throttled. Suggested Backoff Time: 299961 milliseconds\r\n", "", true},
        {"TAG NO [OVERQUOTA] Account exceeded command or bandwidth limits.\r\n", "OVERQUOTA", true},
        {"TAG NO [NONEXISTENT] Request is throttled\r\n", "NONEXISTENT", false},
        {"TAG NO INBOX doesn't exist.\r\n", "", false},
    };
    for (size_t i = 0; i < sizeof cases / sizeof *cases; i++) {
        const struct peer_step steps[] = {READY, {"SELECT", cases[i].says, 0}, END};
        next_step = select_only;
        open_with(steps, usual());
        CU_ASSERT_FALSE(seen.answer.ok);
        CU_ASSERT_STRING_EQUAL(seen.answer_code, cases[i].code);
        CU_ASSERT_EQUAL(imap_answer_passing(seen.answer_code, seen.words) != NULL,
                        cases[i].passing);
        finish();
    }
}

static bool bye_passes;

static void on_bye(void *arg, const struct err *err)
{
    bye_passes = imap_session_bye_is_passing(session);
    on_end(arg, err);
}

/* Why a server ends a session: for itself, or perhaps for what it was asked. */
static void test_byes(void)
{
    static const struct {
        const char *says;
        bool passes;
    } cases[] = {
        {"* BYE Server shutting down.\r\n", true},         /* Dovecot */
        {"* BYE Disconnected for inactivity.\r\n", true},  /* Dovecot, Courier */
        {"* BYE System shutdown\r\n", true},               /* UW */
        {"* BYE Autologout; idle for too long\r\n", true}, /* UW */
        {"* BYE idle too long\r\n", true},                 /* Cyrus */
        {"* BYE [ALERT] Down for maintenance at 3\r\n", true},
        {"* BYE Session expired, please login again.\r\n", true}, /* Gmail */
        {"* BYE [UNAVAILABLE] Too many sessions\r\n", true},
        {"* BYE [ALERT] Too many simultaneous connections. (Failure)\r\n", true},
        {"* BYE [SERVERBUG] Internal error occurred.\r\n", false},
        {"* BYE Internal error occurred. Refer to server log.\r\n", false}, /* Dovecot */
        {"* BYE System Error (Failure)\r\n", false},                        /* Gmail */
        {"* BYE Connection is closed. 13\r\n", false},                      /* Exchange */
        {"* BYE [CLIENTBUG] Server shutting down\r\n", false},
        {"* BYE\r\n", false},
    };
    for (size_t i = 0; i < sizeof cases / sizeof *cases; i++) {
        const struct peer_step steps[] = {READY, {"SELECT", cases[i].says, 0}, END};
        struct imap_session_options options = usual();
        options.on_end = on_bye;
        next_step = select_only;
        bye_passes = !cases[i].passes;
        open_with(steps, options);
        CU_ASSERT_STRING_EQUAL(seen.code, "imap.bye");
        if (bye_passes != cases[i].passes)
            printf("\n    %s", cases[i].says);
        CU_ASSERT_EQUAL(bye_passes, cases[i].passes);
        finish();
    }
}

int main(void)
{
    CU_initialize_registry();
    CU_pSuite suite = CU_add_suite("mail/imap_busy", open_loop, close_loop);
    CU_add_test(suite, "logins", test_logins);
    CU_add_test(suite, "login with a token", test_login_with_a_token);
    CU_add_test(suite, "in, and not connected", test_in_and_not_connected);
    CU_add_test(suite, "behind the login", test_behind_the_login);
    CU_add_test(suite, "byes", test_byes);
    CU_basic_set_mode(CU_BRM_VERBOSE);
    CU_basic_run_tests();
    unsigned failures = CU_get_number_of_failures();
    CU_cleanup_registry();
    return failures > 0 ? 1 : 0;
}
