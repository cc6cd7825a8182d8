/* Unit tests of the table of a mailbox in hand: nothing is published before its attachments are
 * kept, no cursor moves before all is published, and every state ends. */
#include "box_table.h"

#include <CUnit/Basic.h>
#include <stddef.h>
#include <string.h>

static void test_every_state_ends(void)
{
    for (int state = 0; state < BOX_GONE; state++) {
        static const enum box_event ends[] = {BOX_ON_FAILED, BOX_ON_DATABASE, BOX_ON_NOT_HELD};
        for (size_t i = 0; i < sizeof ends / sizeof *ends; i++) {
            const struct box_rule *rule = box_rule_for((enum box_state)state, ends[i]);
            CU_ASSERT_PTR_NOT_NULL_FATAL(rule);
            CU_ASSERT_TRUE(rule->to == BOX_GONE || rule->to == BOX_ENDING);
        }
        CU_ASSERT_PTR_NOT_NULL(box_rule_for((enum box_state)state, BOX_ON_DRAIN));
        CU_ASSERT_STRING_NOT_EQUAL(box_state_name((enum box_state)state), "");
    }
    for (int event = 0; event <= BOX_ON_NOT_HELD; event++)
        CU_ASSERT_PTR_NULL(box_rule_for(BOX_GONE, (enum box_event)event));
}

/* Whatever happens, only what stands in the table's order leads to the acts that cannot be undone.
 */
static void test_order(void)
{
    for (int state = 0; state < BOX_GONE; state++)
        for (int event = 0; event <= BOX_ON_NOT_HELD; event++) {
            const struct box_rule *rule =
                box_rule_for((enum box_state)state, (enum box_event)event);
            if (rule == NULL)
                continue;
            if (rule->act == BOX_DO_PUBLISH)
                CU_ASSERT_TRUE(event == BOX_ON_STORED || event == BOX_ON_TIME);
            if (rule->act == BOX_DO_MOVE)
                CU_ASSERT_TRUE(event == BOX_ON_PUBLISHED || event == BOX_ON_UNWANTED ||
                               event == BOX_ON_TOO_OFTEN);
            if (rule->act == BOX_DO_FETCH)
                CU_ASSERT_TRUE(state == BOX_BEGINNING || state == BOX_FETCHING ||
                               state == BOX_PROBING);
        }
}

/* A mail that does not come is neither passed by nor asked for again before a search has said that
 * it is there, and each time that it is asked for anew is noted before. */
static void test_withheld(void)
{
    const struct box_rule *untold = box_rule_for(BOX_LOOKING, BOX_ON_WITHHELD);
    const struct box_rule *absent = box_rule_for(BOX_FETCHING, BOX_ON_WITHHELD);
    CU_ASSERT_PTR_NOT_NULL_FATAL(untold);
    CU_ASSERT_PTR_NOT_NULL_FATAL(absent);
    CU_ASSERT_EQUAL(untold->act, BOX_DO_BEGIN);
    CU_ASSERT_EQUAL(absent->act, BOX_DO_SEARCH);
    CU_ASSERT_EQUAL(box_rule_for(BOX_LOOKING, BOX_ON_NOTHING)->act, BOX_DO_SEARCH);
    CU_ASSERT_EQUAL(box_rule_for(BOX_BEGINNING, BOX_ON_FAILED)->act, BOX_DO_GIVE_BACK);
    CU_ASSERT_EQUAL(box_rule_for(BOX_FETCHING, BOX_ON_FAILED)->act, BOX_DO_GIVE_BACK);
    for (int state = 0; state < BOX_GONE; state++)
        if (state != BOX_LOOKING && state != BOX_FETCHING)
            CU_ASSERT_PTR_NULL(box_rule_for((enum box_state)state, BOX_ON_WITHHELD));
}

/* A mail that was tried before is neither asked for nor passed by before others were looked for. */
static void test_in_doubt(void)
{
    CU_ASSERT_EQUAL(box_rule_for(BOX_BEGINNING, BOX_ON_DOUBT)->act, BOX_DO_PROBE);
    CU_ASSERT_EQUAL(box_rule_for(BOX_PROBING, BOX_ON_FOUND)->act, BOX_DO_PROBE_NEXT);
    CU_ASSERT_EQUAL(box_rule_for(BOX_PROBING, BOX_ON_NEXT)->act, BOX_DO_FETCH);
    CU_ASSERT_EQUAL(box_rule_for(BOX_PROBING, BOX_ON_TOO_OFTEN)->act, BOX_DO_MOVE);
    CU_ASSERT_EQUAL(box_rule_for(BOX_PROBING, BOX_ON_FAILED)->act, BOX_DO_GIVE_BACK);
}

static void test_prints(void)
{
    struct strbuf out;
    strbuf_init(&out, 65536);
    box_table_print(&out);
    CU_ASSERT_FALSE(out.overflow);
    CU_ASSERT_PTR_NOT_NULL(strstr(out.data, "| publishing | published | moving |"));
    strbuf_fini(&out);
}

int main(void)
{
    CU_initialize_registry();
    CU_pSuite suite = CU_add_suite("mailpoller/box_table", NULL, NULL);
    CU_add_test(suite, "every state ends", test_every_state_ends);
    CU_add_test(suite, "order", test_order);
    CU_add_test(suite, "withheld", test_withheld);
    CU_add_test(suite, "in doubt", test_in_doubt);
    CU_add_test(suite, "prints", test_prints);
    CU_basic_set_mode(CU_BRM_VERBOSE);
    CU_basic_run_tests();
    unsigned failures = CU_get_number_of_failures();
    CU_cleanup_registry();
    return failures > 0 ? 1 : 0;
}
