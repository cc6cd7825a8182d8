/* Unit tests of who wrote a mail: the mails of tests/data/mail/class, each with its class and the
 * rule that says so; reports with what they report. Where a file says DELIVERY the test puts a
 * delivery's token. */
#include "mail/classify.h"

#include "base/mem.h"
#include "mail/report.h"
#include "unit/common/mail/mail_files.h"

static struct secret *key;
static struct uuid tenant, delivery;

static struct mail_signer signer_of(const struct secret *const *keys)
{
    return (struct mail_signer){.tenant = tenant, .keys = keys, .key_count = 1};
}

/* The file's bytes, with the token. */
static const char *with_token(struct arena *arena, const char *name, const char *token,
                              size_t *length)
{
    char *bytes = mail_file(arena, arena_printf(arena, "class/%s.eml", name), length);
    char *found = strstr(bytes, "DELIVERY");
    if (found == NULL)
        return bytes;
    *found = '\0';
    bytes = arena_printf(arena, "%s%s%s", bytes, token, found + strlen("DELIVERY"));
    *length = strlen(bytes);
    return bytes;
}

static void judge(struct arena *arena, const char *name, struct mail *mail, struct mail_text *text,
                  struct mail_verdict *verdict)
{
    static const char *const addresses[] = {"info@clinic.example", "desk@clinic.example"};
    const struct secret *const keys[] = {key};
    const struct mail_signer signer = signer_of(keys);
    const struct mail_house house = {addresses, 2, &signer};
    size_t length;
    const char *token = mail_token_write(arena, &signer, MAIL_TOKEN_DELIVERY, &delivery);
    const char *bytes = with_token(arena, name, token, &length);
    mail_read(arena, bytes, length, NULL, mail);
    mail_body_read(arena, mail, text);
    mail_classify(mail, text->text, &(struct mail_auth){0}, &house, verdict);
}

static void test_classes(void)
{
    static const struct {
        const char *file;
        enum mail_class class;
        const char *rule;
    } cases[] = {
        {"person", MAIL_CLASS_PERSON, ""},
        {"person-not-auto", MAIL_CLASS_PERSON, ""},
        {"person-subject", MAIL_CLASS_PERSON, ""},
        {"person-answers-absence", MAIL_CLASS_PERSON, ""},
        {"own-address", MAIL_CLASS_OWN, "own_address"},
        {"own-loop", MAIL_CLASS_OWN, "own_loop"},
        {"other-loop", MAIL_CLASS_ROBOT, "x_loop"},
        {"out-of-office-exchange", MAIL_CLASS_AUTO_REPLY, "auto_subject"},
        {"vacation-rfc3834", MAIL_CLASS_AUTO_REPLY, "auto_replied"},
        {"vacation-gmx", MAIL_CLASS_AUTO_REPLY, "auto_subject"},
        {"vacation-fr", MAIL_CLASS_AUTO_REPLY, "auto_subject"},
        {"vacation-ja", MAIL_CLASS_AUTO_REPLY, "auto_subject"},
        {"vacation-header", MAIL_CLASS_AUTO_REPLY, "x_autorespond"},
        {"precedence-auto", MAIL_CLASS_AUTO_REPLY, "precedence_auto_reply"},
        {"null-return-path", MAIL_CLASS_AUTO_REPLY, "no_return_path"},
        {"list", MAIL_CLASS_LIST, "list_id"},
        {"newsletter", MAIL_CLASS_LIST, "list_unsubscribe"},
        {"bulk", MAIL_CLASS_LIST, "precedence"},
        {"monitor", MAIL_CLASS_ROBOT, "auto_submitted"},
        {"shop-confirmation", MAIL_CLASS_ROBOT, "robot_address"},
        {"robot-domain", MAIL_CLASS_ROBOT, "robot_domain"},
        {"suppress", MAIL_CLASS_ROBOT, "auto_response_suppress"},
        {"spam", MAIL_CLASS_SPAM, "x_spam_flag"},
        {"no-author", MAIL_CLASS_ROBOT, "no_author"},
        {"dsn-postfix", MAIL_CLASS_BOUNCE, "delivery_status"},
        {"dsn-delayed", MAIL_CLASS_BOUNCE, "delivery_status"},
        {"dsn-two-recipients", MAIL_CLASS_BOUNCE, "delivery_status"},
        {"dsn-delivered", MAIL_CLASS_BOUNCE, "delivery_status"},
        {"complaint-arf", MAIL_CLASS_COMPLAINT, "feedback_report"},
        {"receipt-mdn", MAIL_CLASS_RECEIPT, "disposition_notification"},
        {"bounce-exim", MAIL_CLASS_BOUNCE, "x_failed_recipients"},
        {"bounce-qmail", MAIL_CLASS_BOUNCE, "bounce_subject"},
        {"bounce-exchange-old", MAIL_CLASS_BOUNCE, "bounce_subject"},
        {"bounce-warning", MAIL_CLASS_BOUNCE, "bounce_subject"},
        {"bounce-yahoo", MAIL_CLASS_BOUNCE, "bounce_subject"},
        {"bounce-office365-html", MAIL_CLASS_BOUNCE, "bounce_subject"},
        {"bounce-office365-fr", MAIL_CLASS_BOUNCE, "bounce_subject"},
        {"bounce-mailru", MAIL_CLASS_BOUNCE, "bounce_subject"},
        {"bounce-qq", MAIL_CLASS_BOUNCE, "bounce_subject"},
        {"bounce-delayed-it", MAIL_CLASS_BOUNCE, "returned"},
        {"bounce-unknown-language", MAIL_CLASS_BOUNCE, "returned"},
        {"person-forwards-a-bounce", MAIL_CLASS_PERSON, ""},
        {"out-of-office-quotes-us", MAIL_CLASS_AUTO_REPLY, "auto_subject"},
        {"out-of-office-quotes-our-header", MAIL_CLASS_AUTO_REPLY, "auto_replied"},
        {"out-of-office-unmarked", MAIL_CLASS_AUTO_REPLY, "no_return_path"},
        {"bounce-null-path", MAIL_CLASS_BOUNCE, "returned"},
        {"bounce-names-itself", MAIL_CLASS_BOUNCE, "returned"},
    };
    for (size_t i = 0; i < sizeof cases / sizeof cases[0]; i++) {
        struct arena *arena = arena_new();
        struct mail mail;
        struct mail_text text;
        struct mail_verdict verdict;
        judge(arena, cases[i].file, &mail, &text, &verdict);
        if (verdict.class != cases[i].class || strcmp(verdict.rule, cases[i].rule) != 0)
            fprintf(stderr, "\n%s is %s by \"%s\"\n", cases[i].file, mail_class_name(verdict.class),
                    verdict.rule);
        CU_ASSERT_EQUAL(verdict.class, cases[i].class);
        CU_ASSERT_STRING_EQUAL(verdict.rule, cases[i].rule);
        CU_ASSERT_EQUAL(verdict.why[0] == '\0', verdict.class == MAIL_CLASS_PERSON);
        arena_free(&arena);
    }
}

static void test_own_id(void)
{
    const struct secret *const keys[] = {key};
    const struct mail_signer signer = signer_of(keys);
    const struct mail_house house = {NULL, 0, &signer};
    struct arena *arena = arena_new();
    const char *id = arena_printf(arena, "%s@clinic.example",
                                  mail_token_write(arena, &signer, MAIL_TOKEN_DELIVERY, &delivery));
    static const char *const fields[] = {
        "Message-ID: <%s>", "X-Microsoft-Original-Message-ID: <%s>", "In-Reply-To: <%s>"};
    for (size_t i = 0; i < 3; i++) {
        char field[200];
        struct mail mail;
        struct mail_verdict verdict;
        snprintf(field, sizeof field, "%.*s%s>", (int)(strlen(fields[i]) - 3), fields[i], id);
        const char *bytes = arena_printf(arena, "From: a@example.com\n%s\n\nx\n", field);
        mail_read(arena, bytes, strlen(bytes), NULL, &mail);
        mail_classify(&mail, "x", &(struct mail_auth){0}, &house, &verdict);
        CU_ASSERT_EQUAL(verdict.class, i < 2 ? MAIL_CLASS_OWN : MAIL_CLASS_PERSON);
    }
    arena_free(&arena);
}

/* A server's failure counts for persons' mails, and nothing less than one. */
static void test_dmarc(void)
{
    static const struct {
        const char *fields;
        enum mail_auth_result dmarc;
        enum mail_class class;
        const char *rule;
    } cases[] = {
        {"", MAIL_AUTH_FAIL, MAIL_CLASS_SPAM, "dmarc"},
        {"", MAIL_AUTH_UNSURE, MAIL_CLASS_PERSON, ""},
        {"", MAIL_AUTH_NONE, MAIL_CLASS_PERSON, ""},
        {"", MAIL_AUTH_PASS, MAIL_CLASS_PERSON, ""},
        {"List-Id: <all.example>\n", MAIL_AUTH_FAIL, MAIL_CLASS_LIST, "list_id"},
    };
    for (size_t i = 0; i < sizeof cases / sizeof cases[0]; i++) {
        struct arena *arena = arena_new();
        struct mail mail;
        struct mail_verdict verdict;
        const char *bytes = arena_printf(arena, "From: a@example.com\n%s\nx\n", cases[i].fields);
        mail_read(arena, bytes, strlen(bytes), NULL, &mail);
        mail_classify(&mail, "x",
                      &(struct mail_auth){.spf = MAIL_AUTH_FAIL, .dmarc = cases[i].dmarc},
                      &(struct mail_house){0}, &verdict);
        CU_ASSERT_EQUAL(verdict.class, cases[i].class);
        CU_ASSERT_STRING_EQUAL(verdict.rule, cases[i].rule);
        arena_free(&arena);
    }
}

static void test_reports(void)
{
    static const struct {
        const char *file;
        size_t count;
        const char *address;
        enum mail_report_action action;
        const char *status;
        enum mail_fault fault;
        bool ours; /* names our mail */
    } cases[] = {
        {"dsn-postfix", 1, "gone@example.org", MAIL_ACTION_FAILED, "5.1.1", MAIL_FAULT_ADDRESS,
         true},
        {"dsn-delayed", 1, "slow@example.org", MAIL_ACTION_DELAYED, "4.4.1", MAIL_FAULT_NETWORK,
         true},
        {"dsn-two-recipients", 2, "full@example.org", MAIL_ACTION_FAILED, "5.2.2", MAIL_FAULT_FULL,
         true},
        {"dsn-delivered", 1, "here@example.org", MAIL_ACTION_DELIVERED, "2.0.0", MAIL_FAULT_NONE,
         true},
        {"complaint-arf", 0, NULL, MAIL_ACTION_UNKNOWN, "", MAIL_FAULT_NONE, true},
        {"bounce-exim", 1, "gone@example.org", MAIL_ACTION_FAILED, "5.1.1", MAIL_FAULT_ADDRESS,
         true},
        {"bounce-qmail", 1, "gone@example.org", MAIL_ACTION_FAILED, "550", MAIL_FAULT_OTHER, true},
        {"bounce-exchange-old", 1, "gone@example.org", MAIL_ACTION_FAILED, "5.1.1",
         MAIL_FAULT_ADDRESS, false},
        {"bounce-warning", 1, "slow@example.org", MAIL_ACTION_DELAYED, "", MAIL_FAULT_OTHER, false},
        {"bounce-yahoo", 1, "gone@example.org", MAIL_ACTION_FAILED, "554", MAIL_FAULT_OTHER, false},
        {"bounce-office365-html", 1, "gone@example.org", MAIL_ACTION_FAILED, "5.1.10",
         MAIL_FAULT_ADDRESS, true},
        {"bounce-office365-fr", 1, "full@example.org", MAIL_ACTION_FAILED, "5.2.2", MAIL_FAULT_FULL,
         true},
        {"bounce-mailru", 1, "gone@example.org", MAIL_ACTION_FAILED, "550", MAIL_FAULT_OTHER, true},
        {"bounce-qq", 1, "gone@example.org", MAIL_ACTION_FAILED, "5.1.1", MAIL_FAULT_ADDRESS,
         false},
        {"bounce-delayed-it", 1, "slow@example.org", MAIL_ACTION_DELAYED, "", MAIL_FAULT_OTHER,
         true},
        {"bounce-unknown-language", 1, "gone@example.org", MAIL_ACTION_FAILED, "5.1.1",
         MAIL_FAULT_ADDRESS, true},
    };
    const struct secret *const keys[] = {key};
    const struct mail_signer signer = signer_of(keys);
    for (size_t i = 0; i < sizeof cases / sizeof cases[0]; i++) {
        struct arena *arena = arena_new();
        struct mail mail;
        struct mail_text text;
        struct mail_verdict verdict;
        struct mail_report report;
        struct uuid found = {{0}};
        judge(arena, cases[i].file, &mail, &text, &verdict);
        mail_report_read(arena, &mail, text.text, &report);
        CU_ASSERT_EQUAL_FATAL(report.recipient_count, cases[i].count);
        if (cases[i].count > 0) {
            const struct mail_report_recipient *r = &report.recipients[0];
            if (strcmp(r->address, cases[i].address) != 0 ||
                strcmp(r->status, cases[i].status) != 0)
                fprintf(stderr, "\n%s: %s %s\n", cases[i].file, r->address, r->status);
            CU_ASSERT_STRING_EQUAL(r->address, cases[i].address);
            CU_ASSERT_EQUAL(r->action, cases[i].action);
            CU_ASSERT_STRING_EQUAL(r->status, cases[i].status);
            CU_ASSERT_EQUAL(r->fault, cases[i].fault);
            mail_clean_line(r->diagnostic);
        }
        CU_ASSERT_EQUAL(mail_token_read_message_id(&signer, report.original_id, &found),
                        cases[i].ours);
        CU_ASSERT_EQUAL(uuid_equal(&found, &delivery), cases[i].ours);
        arena_free(&arena);
    }
}

static void test_report_details(void)
{
    struct arena *arena = arena_new();
    struct mail mail;
    struct mail_text text;
    struct mail_verdict verdict;
    struct mail_report report;
    judge(arena, "dsn-postfix", &mail, &text, &verdict);
    mail_report_read(arena, &mail, text.text, &report);
    CU_ASSERT_PTR_NOT_NULL(strstr(report.recipients[0].diagnostic, "rejected: User unknown"));
    judge(arena, "dsn-two-recipients", &mail, &text, &verdict);
    mail_report_read(arena, &mail, text.text, &report);
    CU_ASSERT_EQUAL(report.recipients[1].action, MAIL_ACTION_RELAYED);
    CU_ASSERT_STRING_EQUAL(report.recipients[1].address, "far@example.org");
    judge(arena, "complaint-arf", &mail, &text, &verdict);
    mail_report_read(arena, &mail, text.text, &report);
    CU_ASSERT_STRING_EQUAL(report.feedback, "abuse");
    arena_free(&arena);
}

static void test_faults(void)
{
    static const struct {
        const char *status;
        enum mail_fault fault;
    } cases[] = {
        {"5.1.1", MAIL_FAULT_ADDRESS}, {"5.1.10", MAIL_FAULT_ADDRESS},
        {"5.1.8", MAIL_FAULT_POLICY},  {"5.2.1", MAIL_FAULT_ADDRESS},
        {"4.2.2", MAIL_FAULT_FULL},    {"5.3.4", MAIL_FAULT_SIZE},
        {"5.6.3", MAIL_FAULT_CONTENT}, {"5.7.26", MAIL_FAULT_POLICY},
        {"4.7.0", MAIL_FAULT_POLICY},  {"4.3.2", MAIL_FAULT_TEMPORARY},
        {"5.4.7", MAIL_FAULT_NETWORK}, {"5.5.0", MAIL_FAULT_OTHER},
        {"451", MAIL_FAULT_TEMPORARY}, {"554", MAIL_FAULT_OTHER},
        {"", MAIL_FAULT_OTHER},
    };
    for (size_t i = 0; i < sizeof cases / sizeof cases[0]; i++)
        CU_ASSERT_EQUAL(mail_report_fault(cases[i].status), cases[i].fault);
    CU_ASSERT_STRING_EQUAL(mail_fault_name(MAIL_FAULT_OTHER), "other");
    CU_ASSERT_STRING_EQUAL(mail_report_action_name(MAIL_ACTION_EXPANDED), "expanded");
    CU_ASSERT_STRING_EQUAL(mail_class_name(MAIL_CLASS_SPAM), "spam");
}

int main(void)
{
    tenant = uuid_new();
    delivery = uuid_new();
    key = secret_new("0123456789abcdef0123456789abcdef", 32);
    CU_initialize_registry();
    CU_pSuite suite = CU_add_suite("classify", NULL, NULL);
    CU_add_test(suite, "classes", test_classes);
    CU_add_test(suite, "own Message-IDs", test_own_id);
    CU_add_test(suite, "DMARC", test_dmarc);
    CU_add_test(suite, "reports", test_reports);
    CU_add_test(suite, "details of reports", test_report_details);
    CU_add_test(suite, "faults", test_faults);
    CU_basic_run_tests();
    unsigned failures = CU_get_number_of_failures();
    CU_cleanup_registry();
    secret_free(&key);
    return failures > 0;
}
