/* The turn's table: what must hold of every row, and of whole walks through it. */
#include "turn_table.h"

#include <CUnit/Basic.h>
#include <CUnit/CUnit.h>
#include <string.h>

static void every_state_can_be_left(void)
{
    for (int from = 0; from < TURN_GONE; from++) {
        int leaves = 0;
        for (int event = 0; event < TURN_EVENTS; event++) {
            const struct turn_rule *rule = turn_rule((enum turn_state)from, (enum turn_event)event);
            leaves += rule != NULL && rule->to != rule->from;
        }
        CU_ASSERT(leaves > 0);
    }
}

static void another_worker_ends_every_state(void)
{
    for (int from = 0; from < TURN_GONE; from++) {
        const struct turn_rule *rule = turn_rule((enum turn_state)from, EVENT_NOT_OURS);
        CU_ASSERT_PTR_NOT_NULL_FATAL(rule);
        CU_ASSERT_EQUAL(rule->to, TURN_GONE);
    }
}

static void the_deadline_always_ends_in_a_reply(void)
{
    static const struct {
        enum turn_state state;
        enum turn_event event;
    } ends[] = {{TURN_THINKING, EVENT_DEADLINE},
                {TURN_PAUSED, EVENT_DEADLINE},
                {TURN_STORING, EVENT_DEADLINE},
                {TURN_ENDING, EVENT_ACTED}};
    for (int i = 0; i < 4; i++) {
        const struct turn_rule *rule = turn_rule(ends[i].state, ends[i].event);
        CU_ASSERT_PTR_NOT_NULL_FATAL(rule);
        CU_ASSERT_EQUAL(rule->to, TURN_COMMITTING);
        CU_ASSERT_EQUAL(rule->action, ACTION_FALL_BACK);
    }
    CU_ASSERT_EQUAL(turn_rule(TURN_ACTING, EVENT_DEADLINE)->to, TURN_ENDING);
}

/* Cut off, a turn commits what was heard and is never begun anew; what a tool has begun is heard of
 * before. */
static void an_interrupt_ends_in_what_was_heard(void)
{
    static const enum turn_state states[] = {TURN_THINKING, TURN_PAUSED, TURN_STORING};
    for (int i = 0; i < 3; i++) {
        const struct turn_rule *rule = turn_rule(states[i], EVENT_INTERRUPTED);
        CU_ASSERT_PTR_NOT_NULL_FATAL(rule);
        CU_ASSERT_EQUAL(rule->to, TURN_COMMITTING);
        CU_ASSERT_EQUAL(rule->action, ACTION_CUT_OFF);
    }
    CU_ASSERT_EQUAL(turn_rule(TURN_ACTING, EVENT_INTERRUPTED)->to, TURN_ENDING);
    CU_ASSERT_PTR_NULL(turn_rule(TURN_COMMITTING, EVENT_INTERRUPTED));
}

/* Also one that is all said, while its commit waits for the frames. */
static void another_socket_begins_the_turn_anew(void)
{
    static const enum turn_state states[] = {TURN_THINKING, TURN_PAUSED, TURN_COMMITTING};
    for (int i = 0; i < 3; i++) {
        const struct turn_rule *rule = turn_rule(states[i], EVENT_REDIAL);
        CU_ASSERT_PTR_NOT_NULL_FATAL(rule);
        CU_ASSERT_EQUAL(rule->to, TURN_WAITING);
        CU_ASSERT_EQUAL(rule->action, ACTION_RESTART);
    }
}

static void nothing_happens_when_gone(void)
{
    for (int event = 0; event < TURN_EVENTS; event++)
        CU_ASSERT_PTR_NULL(turn_rule(TURN_GONE, (enum turn_event)event));
}

/* A commit in doubt is sent again, never computed anew: no model call repeats. */
static void a_lost_commit_is_sent_again(void)
{
    const struct turn_rule *rule = turn_rule(TURN_COMMITTING, EVENT_DB_AWAY);
    CU_ASSERT_PTR_NOT_NULL_FATAL(rule);
    CU_ASSERT_EQUAL(rule->to, TURN_COMMITTING);
    CU_ASSERT_EQUAL(rule->action, ACTION_BACK_OFF);
    rule = turn_rule(TURN_COMMITTING, EVENT_DUE);
    CU_ASSERT_PTR_NOT_NULL_FATAL(rule);
    CU_ASSERT_EQUAL(rule->action, ACTION_COMMIT_AGAIN);
}

/* A commit that the database will never take is not sent for ever: each time less of it is. */
static void an_unfit_commit_becomes_a_plain_one(void)
{
    const struct turn_rule *rule = turn_rule(TURN_COMMITTING, EVENT_UNFIT);
    CU_ASSERT_PTR_NOT_NULL_FATAL(rule);
    CU_ASSERT_EQUAL(rule->to, TURN_COMMITTING);
    CU_ASSERT_EQUAL(rule->action, ACTION_COMMIT_PLAIN);
    rule = turn_rule(TURN_COMMITTING, EVENT_UNFIT_TOO);
    CU_ASSERT_PTR_NOT_NULL_FATAL(rule);
    CU_ASSERT_EQUAL(rule->to, TURN_COMMITTING);
    CU_ASSERT_EQUAL(rule->action, ACTION_COMMIT_BARE);
    rule = turn_rule(TURN_STORING, EVENT_UNFIT);
    CU_ASSERT_PTR_NOT_NULL_FATAL(rule);
    CU_ASSERT_EQUAL(rule->to, TURN_COMMITTING);
    CU_ASSERT_EQUAL(rule->action, ACTION_FALL_BACK);
}

/* A round and a call in doubt are sent again with the same ids. */
static void lost_rounds_and_calls_are_sent_again(void)
{
    static const struct {
        enum turn_state state;
        enum turn_action again;
    } cases[] = {{TURN_STORING, ACTION_STORE},
                 {TURN_ACTING, ACTION_ACT},
                 {TURN_ENDING, ACTION_ACT},
                 {TURN_GIVING_UP, ACTION_GIVE_UP}};
    for (size_t i = 0; i < sizeof cases / sizeof *cases; i++) {
        const struct turn_rule *rule = turn_rule(cases[i].state, EVENT_DB_AWAY);
        CU_ASSERT_PTR_NOT_NULL_FATAL(rule);
        CU_ASSERT_EQUAL(rule->to, cases[i].state);
        CU_ASSERT_EQUAL(rule->action, ACTION_BACK_OFF);
        rule = turn_rule(cases[i].state, EVENT_DUE);
        CU_ASSERT_PTR_NOT_NULL_FATAL(rule);
        CU_ASSERT_EQUAL(rule->to, cases[i].state);
        CU_ASSERT_EQUAL(rule->action, cases[i].again);
    }
}

/* What has begun ends before the turn starts anew: the store and the calls decide, not the text. */
static void a_text_stops_no_tool(void)
{
    static const enum turn_state busy[] = {TURN_STORING, TURN_ACTING, TURN_ENDING};
    for (int i = 0; i < 3; i++) {
        CU_ASSERT_EQUAL(turn_rule(busy[i], EVENT_CLAIMED)->to, busy[i]);
        CU_ASSERT_EQUAL(turn_rule(busy[i], EVENT_NEWER)->to, TURN_WAITING);
        CU_ASSERT_EQUAL(turn_rule(busy[i], EVENT_NEWER)->action, ACTION_RECOMPUTE);
        CU_ASSERT_EQUAL(turn_rule(busy[i], EVENT_EPOCH)->to, TURN_GONE);
    }
}

static void texts_after_two_recomputes_wait(void)
{
    static const enum turn_state busy[] = {TURN_STARTING,  TURN_THINKING, TURN_PAUSED,
                                           TURN_STORING,   TURN_ACTING,   TURN_ENDING,
                                           TURN_COMMITTING};
    for (int i = 0; i < 7; i++) {
        const struct turn_rule *rule = turn_rule(busy[i], EVENT_FINAL_TEXT);
        CU_ASSERT_PTR_NOT_NULL_FATAL(rule);
        CU_ASSERT_EQUAL(rule->to, busy[i]);
    }
}

static void walks(void)
{
    static const struct {
        const char *name;
        enum turn_event events[12];
        int count;
        enum turn_state end;
    } cases[] = {
        {"a plain turn",
         {EVENT_DUE, EVENT_PLACE, EVENT_RUN, EVENT_ANSWER, EVENT_COMMITTED},
         5,
         TURN_GONE},
        {"a burst", {EVENT_CLAIMED, EVENT_CLAIMED, EVENT_DUE, EVENT_PLACE}, 4, TURN_STARTING},
        {"a text while the model works",
         {EVENT_DUE, EVENT_PLACE, EVENT_RUN, EVENT_CLAIMED, EVENT_DUE, EVENT_PLACE, EVENT_RUN,
          EVENT_ANSWER, EVENT_NEWER},
         9,
         TURN_WAITING},
        {"the model is away twice, then for good",
         {EVENT_DUE, EVENT_PLACE, EVENT_RUN, EVENT_MODEL_AWAY, EVENT_DUE, EVENT_NO_MODEL,
          EVENT_COMMITTED},
         7,
         TURN_GONE},
        {"a budget that others have reserved, then spent",
         {EVENT_DUE, EVENT_PLACE, EVENT_RUN, EVENT_FULL, EVENT_DUE, EVENT_SPENT, EVENT_COMMITTED},
         7,
         TURN_GONE},
        {"a suspect",
         {EVENT_DUE, EVENT_PLACE, EVENT_IS_SUSPECT, EVENT_CLAIMED, EVENT_PLACE, EVENT_RUN,
          EVENT_ANSWER, EVENT_MORE},
         8,
         TURN_WAITING},
        {"taken over while the model works",
         {EVENT_DUE, EVENT_PLACE, EVENT_RUN, EVENT_ANSWER, EVENT_EPOCH},
         5,
         TURN_GONE},
        {"a reply that the database never takes, nor the wording in its place",
         {EVENT_DUE, EVENT_PLACE, EVENT_RUN, EVENT_ANSWER, EVENT_DB_AWAY, EVENT_DUE, EVENT_UNFIT,
          EVENT_UNFIT_TOO, EVENT_COMMITTED},
         9,
         TURN_GONE},
        {"a tool, then the reply",
         {EVENT_DUE, EVENT_PLACE, EVENT_RUN, EVENT_TOOLS, EVENT_STORED, EVENT_ACTED, EVENT_ANSWER,
          EVENT_COMMITTED},
         8,
         TURN_GONE},
        {"adopted while a tool worked",
         {EVENT_DUE, EVENT_PLACE, EVENT_RESUME, EVENT_DB_AWAY, EVENT_DUE, EVENT_ACTED, EVENT_ANSWER,
          EVENT_MORE},
         8,
         TURN_WAITING},
        {"a start that the database never takes",
         {EVENT_DUE, EVENT_PLACE, EVENT_DB_AWAY, EVENT_DUE, EVENT_PLACE, EVENT_UNFIT, EVENT_DB_AWAY,
          EVENT_DUE, EVENT_COMMITTED},
         9,
         TURN_GONE},
        {"a text while its start is given up",
         {EVENT_DUE, EVENT_PLACE, EVENT_UNFIT, EVENT_CLAIMED, EVENT_MORE},
         5,
         TURN_WAITING},
        {"lost often", {EVENT_DUE, EVENT_PLACE, EVENT_LOST_OFTEN, EVENT_COMMITTED}, 4, TURN_GONE},
    };
    for (size_t i = 0; i < sizeof cases / sizeof cases[0]; i++) {
        enum turn_state state = TURN_WAITING;
        for (int k = 0; k < cases[i].count; k++) {
            const struct turn_rule *rule = turn_rule(state, cases[i].events[k]);
            CU_ASSERT_PTR_NOT_NULL_FATAL(rule);
            state = rule->to;
        }
        CU_ASSERT_EQUAL(state, cases[i].end);
    }
}

static void prints_every_rule_and_a_diagram(void)
{
    struct strbuf out;
    strbuf_init(&out, 64 * 1024);
    turn_table_print(&out);
    CU_ASSERT_FALSE(out.overflow);
    CU_ASSERT_PTR_NOT_NULL(strstr(out.data, "stateDiagram-v2"));
    for (int from = 0; from < TURN_GONE; from++)
        CU_ASSERT_PTR_NOT_NULL(strstr(out.data, turn_state_name((enum turn_state)from)));
    strbuf_fini(&out);
}

int main(void)
{
    CU_initialize_registry();
    CU_pSuite suite = CU_add_suite("turn_table", NULL, NULL);
    CU_add_test(suite, "interrupt", an_interrupt_ends_in_what_was_heard);
    CU_add_test(suite, "every state can be left", every_state_can_be_left);
    CU_add_test(suite, "another worker ends every state", another_worker_ends_every_state);
    CU_add_test(suite, "the deadline ends in a reply", the_deadline_always_ends_in_a_reply);
    CU_add_test(suite, "another socket begins the turn anew", another_socket_begins_the_turn_anew);
    CU_add_test(suite, "nothing happens when gone", nothing_happens_when_gone);
    CU_add_test(suite, "a lost commit is sent again", a_lost_commit_is_sent_again);
    CU_add_test(suite, "an unfit commit", an_unfit_commit_becomes_a_plain_one);
    CU_add_test(suite, "lost rounds and calls", lost_rounds_and_calls_are_sent_again);
    CU_add_test(suite, "a text stops no tool", a_text_stops_no_tool);
    CU_add_test(suite, "texts after two recomputes wait", texts_after_two_recomputes_wait);
    CU_add_test(suite, "walks", walks);
    CU_add_test(suite, "prints every rule", prints_every_rule_and_a_diagram);
    CU_basic_run_tests();
    return CU_get_number_of_failures() != 0;
}
