/* What a turn's commit opens, and what the customer is told of it, on a real PostgreSQL, as the
 * engine's role (docs/PROTOCOL.md, escalations). */
#include "unit/common/store/rota_rig.h"

static void a_commit_opens_one(void)
{
    begin_rota();
    struct turn_commit made = turn_with(1, 1, "reply", trigger_of("policy_word", 1));
    CU_ASSERT_STRING_EQUAL(rows(), "policy_word:open:running:0");
    commit(WORKER_A, &made);                                /* its answer was lost */
    turn_with(1, 2, "reply", trigger_of("policy_word", 2)); /* the rota is being told already */
    CU_ASSERT_STRING_EQUAL(rows(), "policy_word:open:running:0");
    CU_ASSERT_STRING_EQUAL(value("SELECT count(*) FROM jobs WHERE due_at <= clock_timestamp()"
                                 " AND worker IS NULL"),
                           "1");
    run("UPDATE escalations SET state = 'closed'");
    turn_with(1, 3, "reply", trigger_of("policy_word", 3));
    CU_ASSERT_STRING_EQUAL(value("SELECT count(*) FROM escalations"), "2");
    end_test();
}

/* Guard: the states in of_turns_sql's join: a commit that is refused opens nothing. */
static void a_refused_commit_opens_nothing(void)
{
    begin_rota();
    struct claims claimed = claim_one(WORKER_A, 1, 1, "a lawyer");
    struct turn_started started = start(WORKER_A, &claimed.rows[0]);
    struct turn_commit made = commit_of(&claimed.rows[0], &started);
    made.trigger = trigger_of("policy_word", 1);
    claim_one(WORKER_A, 1, 2, "and another thing");
    CU_ASSERT_EQUAL(commit(WORKER_A, &made).kind, TURN_REFUSED_NEWER);
    CU_ASSERT_STRING_EQUAL(value("SELECT count(*) FROM escalations"), "0");
    end_test();
}

static const char *last_reply(void)
{
    return value("SELECT body FROM messages WHERE author = 'ai' ORDER BY position DESC LIMIT 1");
}

/* Where somebody has accepted one already, a word opens nothing and the customer is told so; while
 * people are only being asked, the reply stands. A repeated commit changes no reply, also when its
 * own escalation was accepted meanwhile. Guard: `said` of of_turns_sql. */
static void a_word_where_somebody_has_accepted(void)
{
    begin_rota();
    struct escalation_trigger trigger = trigger_of("policy_word", 1);
    trigger.if_taken = "Somebody is on it.";
    struct turn_commit made = turn_with(1, 1, "reply", trigger);
    trigger.id = number_id(8, 2);
    turn_with(1, 2, "reply", trigger);
    CU_ASSERT_STRING_EQUAL(last_reply(), "See you at 3.");
    run("UPDATE escalations SET state = 'accepted', rota = 'over', accepted_by = 'x'");
    commit(WORKER_A, &made);
    CU_ASSERT_STRING_EQUAL(last_reply(), "See you at 3.");
    trigger.id = number_id(8, 3);
    turn_with(1, 3, "reply", trigger);
    CU_ASSERT_STRING_EQUAL(last_reply(), "Somebody is on it.");
    CU_ASSERT_STRING_EQUAL(rows(), "policy_word:accepted:over:0");
    CU_ASSERT_STRING_EQUAL(value("SELECT count(*) FROM messages WHERE body = 'See you at 3.'"),
                           "2");
    end_test();
}

/* A commit that is sent again, when somebody has accepted between: its reply changes only before a
 * send of it began. Guard: the delivery in `said` of of_turns_sql. */
static void a_reply_that_may_have_left_stands(void)
{
    begin_rota();
    struct escalation_trigger trigger = trigger_of("policy_word", 2);
    trigger.if_taken = "Somebody is on it.";
    open_one();
    struct turn_commit made = turn_with(1, 2, "reply", trigger);
    run("UPDATE escalations SET state = 'accepted', rota = 'over', accepted_by = 'x'");
    run("UPDATE deliveries SET attempts = 1"); /* given back unsent: the next claim may be near */
    commit(WORKER_A, &made);
    CU_ASSERT_STRING_EQUAL(last_reply(), "See you at 3.");
    run("UPDATE deliveries SET attempts = 0");
    commit(WORKER_A, &made);
    CU_ASSERT_STRING_EQUAL(last_reply(), "Somebody is on it.");
    run("UPDATE messages SET body = 'See you at 3.' WHERE author = 'ai';"
        "UPDATE deliveries SET state = 'suppressed'");
    commit(WORKER_A, &made);
    CU_ASSERT_STRING_EQUAL(last_reply(), "See you at 3.");
    end_test();
}

/* Somebody has taken on a message, which is a task of its own: a word opens one all the same, and
 * the reply stands. Guard: `known` of of_turns_sql. */
static void an_accepted_message_is_in_no_way(void)
{
    begin_rota();
    struct escalation_trigger trigger = trigger_of("policy_word", 2);
    trigger.if_taken = "Somebody is on it.";
    open_one();
    run("UPDATE escalations SET reason = 'message', state = 'accepted', rota = 'none'");
    turn_with(1, 2, "reply", trigger);
    CU_ASSERT_STRING_EQUAL(last_reply(), "See you at 3.");
    CU_ASSERT_STRING_EQUAL(rows(), "message:accepted:none:0 policy_word:open:running:0");
    end_test();
}

static void failures(void)
{
    begin_rota();
    struct escalation_trigger repeated = trigger_of(NULL, 1);
    repeated.if_repeated = true;
    turn_with(1, 1, "fallback", repeated);
    CU_ASSERT_STRING_EQUAL(value("SELECT count(*) FROM escalations"), "0");
    repeated.id = number_id(8, 2);
    turn_with(1, 2, "fallback", repeated);
    CU_ASSERT_STRING_EQUAL(rows(), "repeated_failure:open:running:0");
    turn_with(2, 3, "fallback", trigger_of("provider_outage", 3));
    turn_with(3, 4, "fallback", trigger_of("provider_outage", 4));
    CU_ASSERT_STRING_EQUAL(rows(), "repeated_failure:open:running:0 provider_outage:open:running:0"
                                   " provider_outage:open:none:0");
    CU_ASSERT_STRING_EQUAL(value("SELECT count(*) FROM jobs WHERE kind = 'escalation'"), "2");
    run("UPDATE escalations SET rota = 'parked' WHERE rota = 'running'"); /* nobody was told */
    turn_with(5, 6, "fallback", trigger_of("provider_outage", 6));
    CU_ASSERT_STRING_EQUAL(value("SELECT rota FROM escalations ORDER BY created_at DESC LIMIT 1"),
                           "running");
    struct escalation_trigger silent = trigger_of("policy_word", 5);
    silent.calls = false; /* a tenant without a rota */
    turn_with(4, 5, "reply", silent);
    CU_ASSERT_STRING_EQUAL(value("SELECT rota FROM escalations WHERE reason = 'policy_word'"),
                           "none");
    end_test();
}

/* One in a conversation until it is closed, told nobody; it stands in no wish's way, and opens none
 * where people are asked already. Guard: of_turns_sql. */
static void a_tool_that_is_away(void)
{
    begin_rota();
    struct escalation_trigger away = trigger_of("tool_outage", 1);
    away.calls = false;
    struct turn_commit made = turn_with(1, 1, "reply", away);
    commit(WORKER_A, &made); /* its answer was lost */
    away.id = number_id(8, 2);
    turn_with(1, 2, "reply", away);
    run("UPDATE escalations SET state = 'accepted', accepted_by = 'x'");
    away.id = number_id(8, 3);
    turn_with(1, 3, "reply", away);
    CU_ASSERT_STRING_EQUAL(rows(), "tool_outage:accepted:none:0");
    struct escalation_trigger word = trigger_of("policy_word", 4);
    word.if_taken = "Somebody is on it.";
    turn_with(1, 4, "reply", word);
    CU_ASSERT_STRING_EQUAL(last_reply(), "See you at 3.");
    CU_ASSERT_STRING_EQUAL(rows(), "tool_outage:accepted:none:0 policy_word:open:running:0");
    run("UPDATE escalations SET state = 'closed', closed_by = 'x' WHERE reason = 'tool_outage'");
    away.id = number_id(8, 5);
    turn_with(1, 5, "reply", away);
    CU_ASSERT_STRING_EQUAL(value("SELECT count(*) FROM escalations"), "2");
    run("UPDATE escalations SET state = 'closed', rota = 'over', closed_by = 'x'");
    away.id = number_id(8, 6);
    turn_with(1, 6, "reply", away);
    CU_ASSERT_STRING_EQUAL(value("SELECT string_agg(reason || ' ' || rota, ', ') FROM escalations"
                                 " WHERE state = 'open'"),
                           "tool_outage none");
    end_test();
}

int main(void)
{
    CU_initialize_registry();
    CU_pSuite suite = CU_add_suite("escalation", open_server, rig_end_server);
    CU_add_test(suite, "a commit opens one", a_commit_opens_one);
    CU_add_test(suite, "a refused commit opens nothing", a_refused_commit_opens_nothing);
    CU_add_test(suite, "a word, and somebody has it", a_word_where_somebody_has_accepted);
    CU_add_test(suite, "a reply that may have left", a_reply_that_may_have_left_stands);
    CU_add_test(suite, "an accepted message", an_accepted_message_is_in_no_way);
    CU_add_test(suite, "failures", failures);
    CU_add_test(suite, "a tool that is away", a_tool_that_is_away);
    CU_basic_run_tests();
    return CU_get_number_of_failures() != 0;
}
