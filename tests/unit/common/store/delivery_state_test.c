/* The table of the delivery: status never moves backwards, whatever is thrown at it. */
#include "store/delivery_state.h"

#include <CUnit/Basic.h>
#include <string.h>

#include "store/receipt.h"

/* As the database's own guard ranks them (delivery_rank in the schema). */
static int rank(enum delivery_state state)
{
    static const int ranks[DELIVERY_STATES] = {
        [DELIVERY_PARKED] = 1,    [DELIVERY_SUPPRESSED] = 1, [DELIVERY_SENT] = 2,
        [DELIVERY_DELIVERED] = 3, [DELIVERY_FAILED] = 3,     [DELIVERY_BOUNCED] = 3,
    };
    return ranks[state];
}

static void test_never_backwards(void)
{
    for (int from = 0; from < DELIVERY_STATES; from++)
        for (int event = 0; event < DELIVERY_EVENTS; event++) {
            enum delivery_state to = DELIVERY_STATES;
            if (!delivery_next(from, event, &to)) {
                CU_ASSERT_EQUAL(to, DELIVERY_STATES); /* untouched */
                continue;
            }
            CU_ASSERT(rank(to) >= rank(from));
            CU_ASSERT(rank(from) < 3);
            CU_ASSERT_STRING_EQUAL(delivery_state_name(to), delivery_target(event));
        }
}

static const struct {
    enum delivery_state from;
    enum delivery_event event;
    int to; /* -1: nothing changes */
} cases[] = {
    {DELIVERY_PENDING, DELIVERY_CLAIM, DELIVERY_SENDING},
    {DELIVERY_DEFERRED, DELIVERY_CLAIM, DELIVERY_SENDING},
    {DELIVERY_SENDING, DELIVERY_CLAIM, -1},
    {DELIVERY_UNKNOWN, DELIVERY_CLAIM, -1}, /* only a look-up makes it pending again */
    {DELIVERY_SENDING, DELIVERY_ACCEPTED, DELIVERY_SENT},
    {DELIVERY_UNKNOWN, DELIVERY_ACCEPTED, DELIVERY_SENT},    /* a late yes */
    {DELIVERY_PARKED, DELIVERY_ARRIVED, DELIVERY_DELIVERED}, /* even after giving up */
    {DELIVERY_SUPPRESSED, DELIVERY_SEEN, DELIVERY_SENT},     /* the truth, not the wish */
    {DELIVERY_SENT, DELIVERY_DECLINED, -1},
    {DELIVERY_SENT, DELIVERY_NO_ANSWER, -1},
    {DELIVERY_SENT, DELIVERY_LOST, DELIVERY_FAILED},
    {DELIVERY_DELIVERED, DELIVERY_SEEN, -1},
    {DELIVERY_DELIVERED, DELIVERY_LOST, -1},
    {DELIVERY_FAILED, DELIVERY_ARRIVED, -1},
    {DELIVERY_SENDING, DELIVERY_PARK, -1}, /* never while sending */
    {DELIVERY_UNKNOWN, DELIVERY_PARK, -1}, /* it gives up after look-ups, not for waiting */
    {DELIVERY_UNKNOWN, DELIVERY_GIVE_UP, DELIVERY_PARKED},
    {DELIVERY_SENDING, DELIVERY_TAKE_OVER, -1}, /* "yours" waits for it */
    {DELIVERY_UNKNOWN, DELIVERY_TAKE_OVER, -1},
    {DELIVERY_HELD, DELIVERY_TAKE_OVER, DELIVERY_SUPPRESSED},
    {DELIVERY_UNKNOWN, DELIVERY_RECONCILE, DELIVERY_SUPPRESSED},
    {DELIVERY_SENDING, DELIVERY_RECONCILE, -1},
    {DELIVERY_SENDING, DELIVERY_EXPIRE, DELIVERY_UNKNOWN},
    {DELIVERY_PENDING, DELIVERY_EXPIRE, -1},
    {DELIVERY_UNKNOWN, DELIVERY_NOT_FOUND, DELIVERY_PENDING},
    {DELIVERY_SENDING, DELIVERY_NOT_FOUND, -1},
    {DELIVERY_SUPPRESSED, DELIVERY_NOT_FOUND, -1},
    {DELIVERY_SENDING, DELIVERY_REFUSE, -1},
};

static void test_cases(void)
{
    for (size_t i = 0; i < sizeof cases / sizeof *cases; i++) {
        enum delivery_state to;
        int got = delivery_next(cases[i].from, cases[i].event, &to) ? (int)to : -1;
        CU_ASSERT_EQUAL(got, cases[i].to);
    }
    CU_ASSERT_TRUE(delivery_latest_only(DELIVERY_DECLINED));
    CU_ASSERT_TRUE(delivery_latest_only(DELIVERY_NOT_FOUND));
    CU_ASSERT_TRUE(delivery_latest_only(DELIVERY_LOST));
    CU_ASSERT_FALSE(delivery_latest_only(DELIVERY_ACCEPTED));
    CU_ASSERT_FALSE(delivery_latest_only(DELIVERY_ARRIVED));
    CU_ASSERT_FALSE(delivery_is_settled(DELIVERY_UNKNOWN));
    CU_ASSERT_TRUE(delivery_is_settled(DELIVERY_PARKED));
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

static void test_print(void)
{
    struct strbuf out;
    strbuf_init(&out, 64 * 1024);
    delivery_state_print(&out);
    CU_ASSERT_FALSE(out.overflow);
    for (int event = 0; event < DELIVERY_EVENTS; event++)
        CU_ASSERT_PTR_NOT_NULL(strstr(out.data, delivery_event_name(event)));
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
    CU_add_test(suite, "print", test_print);
    CU_basic_set_mode(CU_BRM_VERBOSE);
    CU_basic_run_tests();
    unsigned failures = CU_get_number_of_failures();
    CU_cleanup_registry();
    return failures > 0 ? 1 : 0;
}
