/* The table of the delivery: status never moves backwards, whatever is thrown at it. */
#include "store/delivery_state.h"

#include <CUnit/Basic.h>
#include <string.h>

#include "store/receipt.h"

static const struct {
    const char *name;
    int rank; /* of the database's own guard (delivery_rank in the schema) */
} states[] = {
    {"pending", 0},   {"sending", 0}, {"deferred", 0},   {"unknown", 0},
    {"held", 0},      {"parked", 1},  {"suppressed", 1}, {"sent", 2},
    {"delivered", 3}, {"failed", 3},  {"bounced", 3},
};
#define STATES (sizeof states / sizeof *states)

static int rank(const char *name)
{
    for (size_t i = 0; i < STATES; i++)
        if (strcmp(states[i].name, name) == 0)
            return states[i].rank;
    CU_FAIL(name);
    return -1;
}

/* The state after the event; NULL: it changes nothing there. */
static const char *next(const char *from, enum delivery_event event)
{
    const char *at = delivery_sources(event);
    while (*at == '{' || *at == ',') {
        size_t length = strcspn(++at, ",}");
        if (length == strlen(from) && strncmp(at, from, length) == 0)
            return delivery_target(event);
        at += length;
    }
    return NULL;
}

static void test_never_backwards(void)
{
    for (size_t from = 0; from < STATES; from++)
        for (int event = 0; event < DELIVERY_EVENTS; event++) {
            const char *to = next(states[from].name, (enum delivery_event)event);
            if (to == NULL)
                continue;
            CU_ASSERT(rank(to) >= states[from].rank);
            CU_ASSERT(states[from].rank < 3);
        }
}

static const struct {
    const char *from;
    enum delivery_event event;
    const char *to; /* NULL: nothing changes */
} cases[] = {
    {"pending", DELIVERY_CLAIM, "sending"},
    {"deferred", DELIVERY_CLAIM, "sending"},
    {"sending", DELIVERY_CLAIM, NULL},
    {"unknown", DELIVERY_CLAIM, NULL}, /* only a look-up makes it pending again */
    {"sending", DELIVERY_ACCEPTED, "sent"},
    {"unknown", DELIVERY_ACCEPTED, "sent"},    /* a late yes */
    {"parked", DELIVERY_ARRIVED, "delivered"}, /* even after giving up */
    {"suppressed", DELIVERY_SEEN, "sent"},     /* the truth, not the wish */
    {"sent", DELIVERY_DECLINED, NULL},
    {"sent", DELIVERY_NO_ANSWER, NULL},
    {"sent", DELIVERY_LOST, "failed"},
    {"delivered", DELIVERY_SEEN, NULL},
    {"delivered", DELIVERY_LOST, NULL},
    {"failed", DELIVERY_ARRIVED, NULL},
    {"sending", DELIVERY_PARK, NULL}, /* never while sending */
    {"unknown", DELIVERY_PARK, NULL}, /* it gives up after look-ups, not for waiting */
    {"unknown", DELIVERY_GIVE_UP, "parked"},
    {"sending", DELIVERY_TAKE_OVER, NULL}, /* "yours" waits for it */
    {"unknown", DELIVERY_TAKE_OVER, NULL},
    {"held", DELIVERY_TAKE_OVER, "suppressed"},
    {"unknown", DELIVERY_RECONCILE, "suppressed"},
    {"sending", DELIVERY_RECONCILE, NULL},
    {"sending", DELIVERY_EXPIRE, "unknown"},
    {"pending", DELIVERY_EXPIRE, NULL},
    {"unknown", DELIVERY_NOT_FOUND, "pending"},
    {"sending", DELIVERY_NOT_FOUND, NULL},
    {"suppressed", DELIVERY_NOT_FOUND, NULL},
    {"sending", DELIVERY_REFUSE, NULL},
};

static void test_cases(void)
{
    for (size_t i = 0; i < sizeof cases / sizeof *cases; i++) {
        const char *to = next(cases[i].from, cases[i].event);
        CU_ASSERT_STRING_EQUAL(to != NULL ? to : "-", cases[i].to != NULL ? cases[i].to : "-");
    }
    CU_ASSERT_TRUE(delivery_latest_only(DELIVERY_DECLINED));
    CU_ASSERT_TRUE(delivery_latest_only(DELIVERY_NOT_FOUND));
    CU_ASSERT_TRUE(delivery_latest_only(DELIVERY_LOST));
    CU_ASSERT_FALSE(delivery_latest_only(DELIVERY_ACCEPTED));
    CU_ASSERT_FALSE(delivery_latest_only(DELIVERY_ARRIVED));
}

static void test_receipt_words(void)
{
    enum delivery_event event = DELIVERY_EVENTS;
    CU_ASSERT_TRUE(receipt_event("queued", &event));
    CU_ASSERT_EQUAL(event, DELIVERY_SEEN);
    CU_ASSERT_TRUE(receipt_event("read", &event));
    CU_ASSERT_EQUAL(event, DELIVERY_ARRIVED);
    CU_ASSERT_TRUE(receipt_event("undelivered", &event));
    CU_ASSERT_EQUAL(event, DELIVERY_LOST);
    CU_ASSERT_FALSE(receipt_event("receiving", &event));
    CU_ASSERT_FALSE(receipt_event("", &event));
    CU_ASSERT_EQUAL(event, DELIVERY_LOST);
}

/* What a mail server tells of a mail that it had taken. */
static void test_reports(void)
{
    static const struct {
        const char *action, *fault, *feedback;
        bool counts, complaint;
        enum delivery_event event;
        const char *reason; /* NULL: none */
    } reports[] = {
        {"failed", "address", "", true, false, DELIVERY_BOUNCED, "bad_address"},
        {"failed", "full", "", true, false, DELIVERY_BOUNCED, "full"},
        {"delayed", "temporary", "", true, false, DELIVERY_SEEN, NULL},
        {"relayed", "none", "", true, false, DELIVERY_SEEN, NULL},
        {"delivered", "none", "", true, false, DELIVERY_ARRIVED, NULL},
        {"unknown", "none", "abuse", true, true, DELIVERY_SEEN, NULL},
        {"unknown", "none", "", false, false, DELIVERY_SEEN, NULL},
    };
    for (size_t i = 0; i < sizeof reports / sizeof *reports; i++) {
        struct receipt receipt;
        CU_ASSERT_EQUAL(receipt_of_report(reports[i].action, reports[i].fault, "5.1.1",
                                          reports[i].feedback, &receipt),
                        reports[i].counts);
        CU_ASSERT_EQUAL(receipt.event, reports[i].event);
        CU_ASSERT_EQUAL(receipt.complaint, reports[i].complaint);
        CU_ASSERT_TRUE(receipt.by_mail);
        CU_ASSERT_EQUAL(receipt.attempt, DELIVERY_ATTEMPT_ANY);
        CU_ASSERT_STRING_EQUAL(receipt.reason != NULL ? receipt.reason : "-",
                               reports[i].reason != NULL ? reports[i].reason : "-");
    }
}

static void test_print(void)
{
    struct strbuf out;
    strbuf_init(&out, 64 * 1024);
    delivery_state_print(&out);
    CU_ASSERT_FALSE(out.overflow);
    for (int event = 0; event < DELIVERY_EVENTS; event++)
        CU_ASSERT_PTR_NOT_NULL(strstr(out.data, delivery_target((enum delivery_event)event)));
    CU_ASSERT_PTR_NOT_NULL(strstr(out.data, "sending --> unknown: expire\n"));
    CU_ASSERT_PTR_NULL(strstr(out.data, "delivered --> "));
    strbuf_fini(&out);
}

int main(void)
{
    CU_initialize_registry();
    CU_pSuite suite = CU_add_suite("delivery states", NULL, NULL);
    CU_add_test(suite, "never backwards", test_never_backwards);
    CU_add_test(suite, "cases", test_cases);
    CU_add_test(suite, "receipt words", test_receipt_words);
    CU_add_test(suite, "reports of mails", test_reports);
    CU_add_test(suite, "print", test_print);
    CU_basic_set_mode(CU_BRM_VERBOSE);
    CU_basic_run_tests();
    unsigned failures = CU_get_number_of_failures();
    CU_cleanup_registry();
    return failures > 0 ? 1 : 0;
}
