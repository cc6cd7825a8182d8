/* Claims, starts and commits of several customers in one unit: every row finds its own. And what a
 * claim decides about a conversation that somebody is taking over. */
#include "unit/common/store/turn_rig.h"

/* Both texts of a new customer open one conversation, the other customer another one. */
static void two_customers_in_one_claim(void)
{
    begin_test();
    struct inbox_event texts[3] = {text_of(1, 1, "one"), text_of(2, 2, "two"),
                                   text_of(1, 3, "three")};
    for (int i = 0; i < 3; i++)
        texts[i].place = i;
    struct claims claimed = claim(WORKER_A, texts, 3);
    CU_ASSERT_EQUAL_FATAL(claimed.count, 3);
    CU_ASSERT_TRUE(uuid_equal(&claimed.rows[0].conversation, &claimed.rows[2].conversation));
    CU_ASSERT_FALSE(uuid_equal(&claimed.rows[0].conversation, &claimed.rows[1].conversation));
    CU_ASSERT_STRING_EQUAL(
        value("SELECT string_agg(bodies, ' / ' ORDER BY bodies) FROM (SELECT string_agg(body, ' '"
              " ORDER BY position) AS bodies FROM messages GROUP BY conversation_id) AS m"),
        "one three / two");
    CU_ASSERT_STRING_EQUAL(value("SELECT count(*) FROM conversations"), "2");
    /* One that is new and one that came again: only the first is written, both are armed. */
    struct inbox_event mixed[2] = {text_of(2, 2, "two"), text_of(1, 4, "four")};
    claimed = claim(WORKER_B, mixed, 2);
    CU_ASSERT_EQUAL_FATAL(claimed.count, 2);
    CU_ASSERT_FALSE(claimed.rows[0].fresh);
    CU_ASSERT_TRUE(claimed.rows[0].mine);
    CU_ASSERT_TRUE(claimed.rows[1].fresh);
    CU_ASSERT_TRUE(claimed.rows[1].mine);
    CU_ASSERT_STRING_EQUAL(value("SELECT string_agg(claimed::text, ' ' ORDER BY id)"
                                 " FROM channel_sessions"),
                           "2 1");
    CU_ASSERT_STRING_EQUAL(value("SELECT count(*) FROM messages"), "4");
    end_test();
}

/* Starts and commits of two sessions in one unit answer each its own texts, in the order given. */
static void two_turns_in_one_unit(void)
{
    begin_test();
    struct claims a = claim_one(WORKER_A, 1, 1, "of one"), b = claim_one(WORKER_A, 2, 2, "of two");
    claim_one(WORKER_A, 2, 3, "late of two");
    run("UPDATE inbox_events SET event_time = event_time - interval '2 days'"
        " WHERE provider_id = 'SM003'");
    const struct inbox_claimed *rows[2] = {&b.rows[0], &a.rows[0]};
    struct turn_start starts[2];
    for (int i = 0; i < 2; i++)
        starts[i] = (struct turn_start){.tenant = TENANT,
                                        .session = rows[i]->session,
                                        .conversation = rows[i]->conversation,
                                        .turn = uuid_new()};
    struct starts started = {.count = 0};
    struct pg_unit unit = {.done = on_started, .arg = &started};
    turn_add_start(&unit, arena, WORKER_A, starts, 2,
                   &(struct turn_times){DEADLINE, 5000, 24 * 3600 * 1000});
    rig_waiting++;
    pg_submit(rig_pg, &unit);
    rig_run();
    CU_ASSERT_EQUAL_FATAL(started.count, 2);
    for (int i = 0; i < 2; i++) {
        CU_ASSERT_EQUAL(started.rows[i].kind, TURN_START_RUN);
        CU_ASSERT_EQUAL(started.rows[i].index, (size_t)i);
    }
    CU_ASSERT_STRING_EQUAL(started.rows[0].events, "{SM002}");
    CU_ASSERT_STRING_EQUAL(started.rows[1].events, "{SM001}");
    CU_ASSERT_PTR_NOT_NULL(strstr(started.rows[0].context, "of two"));
    CU_ASSERT_PTR_NULL(strstr(started.rows[0].context, "of one"));
    CU_ASSERT_STRING_EQUAL(value("SELECT state FROM inbox_events WHERE provider_id = 'SM003'"),
                           "late");
    struct turn_commit commits[2];
    for (int i = 0; i < 2; i++) {
        commits[i] = commit_of(rows[i], &started.rows[i]);
        commits[i].body = i == 0 ? "to two" : "to one";
    }
    commits[0].fence--; /* refused beside one that passes */
    struct commits out = {.count = 0};
    struct pg_unit both = {.done = on_committed, .arg = &out};
    turn_add_commit(&both, arena, WORKER_A, commits, 2);
    rig_waiting++;
    pg_submit(rig_pg, &both);
    rig_run();
    CU_ASSERT_EQUAL_FATAL(out.count, 2);
    CU_ASSERT_EQUAL(out.rows[0].kind, TURN_REFUSED_LOST);
    CU_ASSERT_EQUAL(out.rows[1].kind, TURN_COMMITTED);
    CU_ASSERT_STRING_EQUAL(value("SELECT string_agg(provider_id || ' ' || state, ', '"
                                 " ORDER BY provider_id) FROM inbox_events"),
                           "SM001 answered, SM002 open, SM003 late");
    CU_ASSERT_STRING_EQUAL(value("SELECT string_agg(body, ', ') FROM messages"
                                 " WHERE direction = 'out'"),
                           "to one");
    end_test();
}

/* A claim that finds a conversation quiet for long, and somebody about to take it over, waits,
 * reads its row again and closes nothing: a person has it. Needs the look at the locked row in
 * touch_conversations_sql, and arm_sql's at the conversation in a later statement. */
static void a_claim_beside_a_takeover_closes_and_arms_nothing(void)
{
    begin_test();
    struct claims first = claim_one(WORKER_A, 1, 1, "one");
    run("UPDATE channel_sessions SET due_at = NULL, worker = NULL;"
        "UPDATE conversations SET last_activity_at = now() - interval '8 days'");
    struct pg_session *holder = NULL;
    struct err err;
    CU_ASSERT_EQUAL_FATAL(pg_session_open(rig_server.url, "holder", &holder, &err), 0);
    CU_ASSERT_EQUAL_FATAL(pg_session_script(holder,
                                            "BEGIN; UPDATE conversations SET epoch = epoch + 1,"
                                            " held_by = 'operator'",
                                            &err),
                          0);
    struct claims out = {.count = 0};
    struct inbox_event text = text_of(1, 2, "two");
    struct pg_unit unit = {.done = on_claimed, .arg = &out};
    inbox_add_claim(&unit, arena, WORKER_A, &text, 1,
                    &(struct inbox_timing){3000, 10000, 86400000, 604800000, 0, 0});
    rig_waiting++;
    pg_submit(rig_pg, &unit);
    int64_t until = clock_mono_ms() + 300;
    while (clock_mono_ms() < until) {
        loop_pass(rig_loop);
        poll(NULL, 0, 5); /* the claim now waits for the row */
    }
    CU_ASSERT_EQUAL(out.count, 0);
    CU_ASSERT_EQUAL_FATAL(pg_session_script(holder, "COMMIT", &err), 0);
    rig_run();
    CU_ASSERT_EQUAL_FATAL(out.count, 1);
    CU_ASSERT_FALSE(out.rows[0].mine);
    CU_ASSERT_TRUE(uuid_equal(&out.rows[0].conversation, &first.rows[0].conversation));
    CU_ASSERT_STRING_EQUAL(
        value("SELECT count(*) || ' ' || bool_or(closed_at IS NOT NULL) || ' ' ||"
              " bool_and(last_activity_at > now() - interval '1 h')"
              " FROM conversations"),
        "1 false true");
    CU_ASSERT_STRING_EQUAL(value("SELECT due_at IS NULL FROM channel_sessions"), "t");
    pg_session_close(&holder);
    end_test();
}

/* A start that does not know its conversation has not locked it, so it cannot know either whether
 * somebody is taking it over: it writes nothing and is told which one it is. Guard: 'moved' in
 * start_sql. */
static void a_start_without_a_conversation_writes_nothing(void)
{
    begin_test();
    struct claims claimed = claim_one(WORKER_A, 1, 1, "one");
    struct pg_session *holder = NULL;
    struct err err;
    CU_ASSERT_EQUAL_FATAL(pg_session_open(rig_server.url, "holder", &holder, &err), 0);
    CU_ASSERT_EQUAL_FATAL(pg_session_script(holder,
                                            "BEGIN; UPDATE conversations SET epoch = epoch + 1,"
                                            " held_by = 'operator'",
                                            &err),
                          0);
    struct inbox_claimed unknown = claimed.rows[0];
    unknown.conversation = (struct uuid){.bytes = {0}};
    struct turn_started told = start(WORKER_A, &unknown);
    CU_ASSERT_EQUAL(told.kind, TURN_START_MOVED);
    CU_ASSERT_TRUE(uuid_equal(&told.conversation, &claimed.rows[0].conversation));
    CU_ASSERT_STRING_EQUAL(value("SELECT (SELECT count(*) FROM turns) || ' ' || fence"
                                 " FROM channel_sessions"),
                           "0 0");
    CU_ASSERT_EQUAL_FATAL(pg_session_script(holder, "COMMIT", &err), 0);
    unknown.conversation = told.conversation;
    CU_ASSERT_EQUAL(start(WORKER_A, &unknown).kind, TURN_START_HELD);
    CU_ASSERT_STRING_EQUAL(value("SELECT count(*) FROM turns"), "0");
    pg_session_close(&holder);
    end_test();
}

int main(void)
{
    CU_initialize_registry();
    CU_pSuite suite = CU_add_suite("turn batches", open_server, rig_end_server);
    CU_add_test(suite, "two customers in one claim", two_customers_in_one_claim);
    CU_add_test(suite, "two turns in one unit", two_turns_in_one_unit);
    CU_add_test(suite, "a claim beside a takeover",
                a_claim_beside_a_takeover_closes_and_arms_nothing);
    CU_add_test(suite, "a start without a conversation",
                a_start_without_a_conversation_writes_nothing);
    CU_basic_run_tests();
    return CU_get_number_of_failures() != 0;
}
