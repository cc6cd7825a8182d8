/* The ledger: order, settling, bound, reset. */
#include "stands/lib/ledger.h"

#include <CUnit/Basic.h>
#include <stdio.h>
#include <string.h>

static bool holds(const struct stand_ledger *ledger, size_t seq, const char *part)
{
    struct stand_buf out;
    stand_buf_init(&out, 100000);
    stand_ledger_json(ledger, seq, &out);
    bool found = strstr(out.data, part) != NULL;
    stand_buf_fini(&out);
    return found;
}

static void keeps_order(void)
{
    struct stand_ledger *ledger = stand_ledger_new(20000);
    uint64_t ids[10000];
    for (int i = 0; i < 10000; i++) {
        char path[32];
        snprintf(path, sizeof path, "/p%d", i);
        ids[i] = stand_ledger_add(ledger, "POST", path, "{\"a\":1}");
    }
    stand_ledger_settle(ledger, ids[4999], 201, STAND_ANSWERED);
    stand_ledger_sid(ledger, ids[4999], "SM1");
    CU_ASSERT_EQUAL(stand_ledger_count(ledger), 10000);
    CU_ASSERT(holds(ledger, 1, "{\"seq\":1,"));
    CU_ASSERT(holds(ledger, 5000,
                    "\"path\":\"/p4999\",\"params\":{\"a\":1},\"status\":201,"
                    "\"outcome\":\"answered\",\"sid\":\"SM1\"}"));
    CU_ASSERT(holds(ledger, 5001, "\"status\":0,\"outcome\":\"open\",\"sid\":null}"));
    stand_ledger_free(&ledger);
}

static void is_bounded_and_forgets(void)
{
    struct stand_ledger *ledger = stand_ledger_new(2);
    uint64_t first = stand_ledger_add(ledger, "GET", "/1", "null");
    stand_ledger_add(ledger, "GET", "/2", "null");
    CU_ASSERT_EQUAL(stand_ledger_add(ledger, "GET", "/3", "null"), 0);
    CU_ASSERT_EQUAL(stand_ledger_count(ledger), 2);
    CU_ASSERT_EQUAL(stand_ledger_dropped(ledger), 1);
    stand_ledger_settle(ledger, 0, 200, STAND_CUT);
    stand_ledger_reset(ledger);
    CU_ASSERT_EQUAL(stand_ledger_count(ledger), 0);
    stand_ledger_add(ledger, "GET", "/4", "null");
    stand_ledger_settle(ledger, first, 200, STAND_CUT); /* void since the reset */
    stand_ledger_sid(ledger, first, "SM1");
    CU_ASSERT(holds(ledger, 1,
                    "\"path\":\"/4\",\"params\":null,\"status\":0,\"outcome\":\"open\","
                    "\"sid\":null}"));
    stand_ledger_free(&ledger);
}

int main(void)
{
    CU_initialize_registry();
    CU_pSuite suite = CU_add_suite("stands/lib/ledger", NULL, NULL);
    CU_add_test(suite, "keeps order", keeps_order);
    CU_add_test(suite, "is bounded and forgets", is_bounded_and_forgets);
    CU_basic_run_tests();
    unsigned failures = CU_get_number_of_failures();
    CU_cleanup_registry();
    return failures ? 1 : 0;
}
