/* The call's table: what must hold of every row. */
#include "call_table.h"

#include <CUnit/Basic.h>
#include <CUnit/CUnit.h>
#include <stdio.h>
#include <string.h>

static const struct call_rule *rule(int from, int event)
{
    return call_rule((enum call_state)from, (enum call_event)event);
}

/* Guard: a caller hangs up wherever he is. */
static void the_end_of_the_call_ends_every_state(void)
{
    for (int from = 0; from < CALL_GONE; from++) {
        CU_ASSERT_PTR_NOT_NULL_FATAL(rule(from, ON_ENDED));
        CU_ASSERT_EQUAL(rule(from, ON_ENDED)->to, CALL_GONE);
        CU_ASSERT_EQUAL(rule(from, ON_ENDED)->action, DO_CONCLUDE);
    }
}

static void a_closed_socket_is_taken_everywhere(void)
{
    for (int from = CALL_WAITING + 1; from < CALL_GONE; from++) {
        CU_ASSERT_PTR_NOT_NULL_FATAL(rule(from, ON_CLOSED));
        CU_ASSERT_EQUAL(rule(from, ON_CLOSED)->to, CALL_WAITING);
        CU_ASSERT_EQUAL(rule(from, ON_CLOSED)->action, DO_LOSE);
    }
}

/* Guard: what the caller says is published in every state that has a socket. */
static void no_word_of_the_caller_is_lost(void)
{
    for (int from = CALL_WAITING + 1; from < CALL_GONE; from++) {
        CU_ASSERT_PTR_NOT_NULL_FATAL(rule(from, ON_PROMPT));
        enum call_action action = rule(from, ON_PROMPT)->action;
        CU_ASSERT(action == DO_ASK || action == DO_PASS_ON);
    }
}

/* P6: where we have the word there is a filler and an end of waiting. */
static void we_are_never_silent_for_long(void)
{
    static const enum call_state ours[] = {CALL_ASKED, CALL_STALLED};
    for (int i = 0; i < 2; i++) {
        CU_ASSERT_EQUAL(rule(ours[i], ON_QUIET)->action, DO_FILL);
        CU_ASSERT_EQUAL(rule(ours[i], ON_GIVE_UP)->to, CALL_OVER);
        CU_ASSERT_EQUAL(rule(ours[i], ON_FAILED)->to, CALL_OVER);
    }
    CU_ASSERT_EQUAL(rule(CALL_SPEAKING, ON_STALL)->to, CALL_STALLED);
}

static void after_the_fallback_nothing_is_spoken(void)
{
    static const enum call_event frames[] = {ON_OPEN, ON_TEXT, ON_LAST, ON_END, ON_STOP};
    for (int i = 0; i < 5; i++) {
        CU_ASSERT_PTR_NULL(rule(CALL_OVER, frames[i]));
        CU_ASSERT_PTR_NULL(rule(CALL_PARTED, frames[i]));
        CU_ASSERT_PTR_NULL(rule(CALL_WAITING, frames[i]));
    }
}

static void nothing_happens_when_gone(void)
{
    for (int event = 0; event < CALL_EVENTS; event++)
        CU_ASSERT_PTR_NULL(rule(CALL_GONE, event));
}

static void no_pair_has_two_rows(void)
{
    struct strbuf out;
    strbuf_init(&out, 65536);
    call_table_print(&out);
    for (int from = 0; from < CALL_STATES; from++)
        for (int event = 0; event < CALL_EVENTS; event++) {
            char row[64];
            snprintf(row, sizeof row, "\n| %s | %s |", call_state_name((enum call_state)from),
                     call_event_name((enum call_event)event));
            const char *first = strstr(out.data, row);
            CU_ASSERT_EQUAL(first != NULL, rule(from, event) != NULL);
            CU_ASSERT(first == NULL || strstr(first + 1, row) == NULL);
        }
    strbuf_fini(&out);
}

/* Guard: docs/CALL.md is what the table prints. */
static void the_page_is_the_table(void)
{
    struct strbuf out, page;
    strbuf_init(&out, 65536);
    strbuf_init(&page, 65536);
    call_table_print(&out);
    FILE *file = fopen("docs/CALL.md", "r");
    CU_ASSERT_PTR_NOT_NULL_FATAL(file);
    char part[4096];
    size_t length;
    while ((length = fread(part, 1, sizeof part, file)) > 0)
        strbuf_add(&page, part, length);
    fclose(file);
    CU_ASSERT_STRING_EQUAL(page.data, out.data);
    CU_ASSERT_PTR_NOT_NULL(strstr(out.data, "stateDiagram-v2"));
    CU_ASSERT_FALSE(out.overflow);
    strbuf_fini(&page);
    strbuf_fini(&out);
}

int main(void)
{
    CU_initialize_registry();
    CU_pSuite suite = CU_add_suite("call_table", NULL, NULL);
    CU_add_test(suite, "the end of the call", the_end_of_the_call_ends_every_state);
    CU_add_test(suite, "a closed socket", a_closed_socket_is_taken_everywhere);
    CU_add_test(suite, "no word of the caller is lost", no_word_of_the_caller_is_lost);
    CU_add_test(suite, "never silent for long", we_are_never_silent_for_long);
    CU_add_test(suite, "after the fallback", after_the_fallback_nothing_is_spoken);
    CU_add_test(suite, "nothing happens when gone", nothing_happens_when_gone);
    CU_add_test(suite, "no pair has two rows", no_pair_has_two_rows);
    CU_add_test(suite, "the page is the table", the_page_is_the_table);
    CU_basic_run_tests();
    return CU_get_number_of_failures() != 0;
}
