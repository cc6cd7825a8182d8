/* Units that write many rows at once, on a real PostgreSQL, beside somebody who takes two of them
 * in the order of all locks (docs/PROTOCOL.md): who waits for the first of them has none behind it,
 * or the two would wait for each other. */
#include "unit/common/store/rota_rig.h"

#include "store/conversation.h"
#include "store/delivery_due.h"

#include <pthread.h>

#define WORKER_R "00000000-0000-7000-8000-00000000000c"

enum { SESSIONS = 1, DELIVERIES = 9 }; /* kinds of ids */

static struct pg_session *orderly;

static bool one_waits(void)
{
    return strcmp(owner_value("SELECT count(*)::text FROM pg_locks WHERE NOT granted"), "1") == 0;
}

static bool take(const char *table, int kind, int number, const char *how)
{
    char id[UUID_TEXT_SIZE];
    const struct uuid row = number_id(kind, number);
    struct err err;
    return pg_session_script(orderly,
                             arena_printf(arena,
                                          "SELECT 1 FROM %s WHERE id = '%s' FOR NO KEY UPDATE %s",
                                          table, uuid_format(&row, id), how),
                             &err) == 0;
}

/* Has the first of two rows, of which the second one is found first. */
static void take_first(const char *table, int kind)
{
    struct err err;
    CU_ASSERT_EQUAL_FATAL(pg_session_open(rig_server.url, "orderly", &orderly, &err), 0);
    CU_ASSERT_EQUAL_FATAL(pg_session_script(orderly, "BEGIN", &err), 0);
    CU_ASSERT_TRUE_FATAL(take(table, kind, 1, ""));
}

static void take_second(const char *table, int kind)
{
    struct err err;
    CU_ASSERT_TRUE(rig_until(one_waits));
    CU_ASSERT_TRUE(take(table, kind, 2, "NOWAIT"));
    CU_ASSERT_EQUAL(pg_session_script(orderly, "ROLLBACK", &err), 0);
    pg_session_close(&orderly);
}

/* Guard: ORDER BY in give_back_sql. */
static void an_engine_that_drains(void)
{
    struct outcome out;
    struct pg_unit unit = {.deadline_ms = 15000};
    begin_rota();
    claim_one(WORKER_A, 2, 1, "one");
    claim_one(WORKER_A, 1, 2, "two");
    take_first("channel_sessions", SESSIONS);
    turn_add_give_back(&unit, WORKER_A);
    rig_submit(&unit, &out);
    take_second("channel_sessions", SESSIONS);
    rig_run();
    CU_ASSERT_FALSE(out.failed);
    CU_ASSERT_STRING_EQUAL(value("SELECT count(*) FROM channel_sessions WHERE worker IS NULL"),
                           "2");
    end_test();
}

/* Two texts whose claims were not heard of come again. Guard: ORDER BY in `again` of arm_sql. */
static void texts_that_come_again(void)
{
    struct inbox_event events[2];
    struct outcome out;
    struct pg_unit unit = {.deadline_ms = 15000};
    begin_rota();
    events[0] = text_of(2, 1, "one");
    events[1] = text_of(1, 2, "two");
    claim(WORKER_A, events, 2);
    take_first("channel_sessions", SESSIONS);
    inbox_add_claim(&unit, arena, WORKER_B, events, 2,
                    &(struct inbox_timing){3000, 10000, 86400000, 604800000, 0, 0});
    rig_submit(&unit, &out);
    take_second("channel_sessions", SESSIONS);
    rig_run();
    CU_ASSERT_FALSE(out.failed);
    CU_ASSERT_STRING_EQUAL(
        value("SELECT count(*) FROM channel_sessions WHERE worker = '" WORKER_B "'"), "2");
    end_test();
}

static void as_responder(void)
{
    char url[256];
    rig_close();
    rig_open();
    snprintf(url, sizeof url, "%s user=frontdesk_responder", rig_server.url);
    rig_pool(url, 4, 0);
    CU_ASSERT_TRUE_FATAL(rig_until(rig_is_up));
}

static void reply_to(int who)
{
    struct claims claimed = claim_one(WORKER_A, who, who, "hello");
    struct turn_started turn = start(WORKER_A, &claimed.rows[0]);
    struct turn_commit reply = commit_of(&claimed.rows[0], &turn);
    reply.delivery = number_id(DELIVERIES, who);
    CU_ASSERT_EQUAL(commit(WORKER_A, &reply).kind, TURN_COMMITTED);
}

/* Guard: ORDER BY in release_sql. */
static void a_responder_that_drains(void)
{
    struct outcome out;
    struct pg_unit unit = {.deadline_ms = 15000};
    begin_rota();
    reply_to(2);
    reply_to(1);
    run("UPDATE deliveries SET state = 'unknown', worker = '" WORKER_R "'");
    as_responder();
    take_first("deliveries", DELIVERIES);
    delivery_add_release(&unit, WORKER_R);
    rig_submit(&unit, &out);
    take_second("deliveries", DELIVERIES);
    rig_run();
    CU_ASSERT_FALSE(out.failed);
    CU_ASSERT_STRING_EQUAL(owner_value("SELECT count(*)::text FROM deliveries"
                                       " WHERE worker IS NULL"),
                           "2");
    end_test();
}

/* ---- a person's acts ---- */

struct act {
    struct conversation_ref ref;
    int (*run)(struct pg_session *session, const struct conversation_ref *ref, struct err *err);
    pthread_t thread;
    bool good;
};

static int take_over(struct pg_session *session, const struct conversation_ref *ref,
                     struct err *err)
{
    struct conversation_takeover taken;
    return conversation_take_over(session, ref, &taken, err);
}

static int is_yours(struct pg_session *session, const struct conversation_ref *ref, struct err *err)
{
    bool yours;
    int64_t begun;
    return conversation_is_yours(session, ref, &yours, &begun, err);
}

static int hand_back(struct pg_session *session, const struct conversation_ref *ref,
                     struct err *err)
{
    int64_t due;
    return conversation_hand_back(session, ref, &due, err);
}

/* Not of the test's thread: says how it ended, and asserts nothing. */
static void *do_act(void *arg)
{
    struct act *act = arg;
    struct pg_session *session = NULL;
    struct err err;
    act->good = pg_session_open(rig_server.url, "act", &session, &err) == 0 &&
                schema_begin_as_ops(session, &err) == 0 &&
                act->run(session, &act->ref, &err) == 0 &&
                pg_session_script(session, "COMMIT", &err) == 0;
    if (!act->good)
        printf("    act: %s: %s\n", err.code, err.message);
    pg_session_close(&session);
    return NULL;
}

/* Done while somebody has the first of the rows, who then gets the second one, too. */
static void act_beside(const char *table, int kind, const struct uuid *conversation,
                       int (*run_it)(struct pg_session *, const struct conversation_ref *,
                                     struct err *))
{
    struct act act = {.ref = {.conversation = *conversation, .actor = "staff"}, .run = run_it};
    CU_ASSERT_TRUE_FATAL(uuid_parse(TENANT, &act.ref.tenant));
    take_first(table, kind);
    CU_ASSERT_EQUAL_FATAL(pthread_create(&act.thread, NULL, do_act, &act), 0);
    take_second(table, kind);
    pthread_join(act.thread, NULL);
    CU_ASSERT_TRUE(act.good);
}

/* Of a customer who writes to two of the tenant's numbers. Guard: ORDER BY in rest_sql. */
static void the_sessions_of_a_takeover(void)
{
    begin_rota();
    run("INSERT INTO channels (tenant_id, id, kind, address, account_sid, credentials, edge_keys,"
        " assistant_id) VALUES ('" TENANT "', '00000000-0000-7000-8000-0000000000c2', 'sms',"
        " '+15550002', 'AC1', '', '[]', '00000000-0000-7000-8000-0000000000a1')");
    struct inbox_event other = text_of(1, 1, "one");
    other.sender = "+15550002";
    other.session = number_id(SESSIONS, 2);
    claim(WORKER_A, &other, 1);
    struct claims claimed = claim_one(WORKER_A, 1, 2, "two");
    act_beside("channel_sessions", SESSIONS, &claimed.rows[0].conversation, take_over);
    CU_ASSERT_STRING_EQUAL(value("SELECT count(*) FROM channel_sessions WHERE due_at IS NULL"),
                           "2");
    end_test();
}

/* Two replies of one conversation, of which the one with the greater id is found first. */
static struct uuid two_replies(void)
{
    struct uuid conversation = {{0}};
    begin_rota();
    for (int i = 2; i > 0; i--) {
        struct claims claimed = claim_one(WORKER_A, 1, i, "hello");
        struct turn_started turn = start(WORKER_A, &claimed.rows[0]);
        struct turn_commit reply = commit_of(&claimed.rows[0], &turn);
        reply.delivery = number_id(DELIVERIES, i);
        CU_ASSERT_EQUAL(commit(WORKER_A, &reply).kind, TURN_COMMITTED);
        conversation = turn.conversation;
    }
    return conversation;
}

/* A responder that writes what became of both has them in this order. Guard: ORDER BY in
 * IN_ORDER_SQL. */
static void the_deliveries_of_a_takeover(void)
{
    const struct uuid conversation = two_replies();
    act_beside("deliveries", DELIVERIES, &conversation, take_over);
    CU_ASSERT_STRING_EQUAL(owner_value("SELECT string_agg(state || ':' || reason, ' ')"
                                       " FROM deliveries"),
                           "suppressed:takeover suppressed:takeover");
    end_test();
}

static void the_deliveries_that_a_dead_worker_was_sending(void)
{
    const struct uuid conversation = two_replies();
    run("UPDATE deliveries SET state = 'sending', worker = '" WORKER_R "'");
    act_beside("deliveries", DELIVERIES, &conversation, is_yours);
    CU_ASSERT_STRING_EQUAL(owner_value("SELECT string_agg(state, ' ') FROM deliveries"),
                           "unknown unknown");
    end_test();
}

static void the_deliveries_of_a_hand_back(void)
{
    const struct uuid conversation = two_replies();
    run("UPDATE deliveries SET state = 'unknown';"
        "UPDATE conversations SET held_by = 'staff', epoch = 7");
    act_beside("deliveries", DELIVERIES, &conversation, hand_back);
    CU_ASSERT_STRING_EQUAL(owner_value("SELECT string_agg(epoch::text, ' ') FROM deliveries"),
                           "8 8");
    end_test();
}

static int open_both(void)
{
    return open_server() == 0 &&
                   test_server_sql(&rig_server, "ALTER ROLE frontdesk_responder LOGIN")
               ? 0
               : 1;
}

int main(void)
{
    CU_initialize_registry();
    CU_pSuite suite = CU_add_suite("order of locks", open_both, rig_end_server);
    CU_add_test(suite, "an engine that drains", an_engine_that_drains);
    CU_add_test(suite, "texts that come again", texts_that_come_again);
    CU_add_test(suite, "a responder that drains", a_responder_that_drains);
    CU_add_test(suite, "a takeover's sessions", the_sessions_of_a_takeover);
    CU_add_test(suite, "a takeover's deliveries", the_deliveries_of_a_takeover);
    CU_add_test(suite, "a dead worker's", the_deliveries_that_a_dead_worker_was_sending);
    CU_add_test(suite, "a hand-back's", the_deliveries_of_a_hand_back);
    CU_basic_run_tests();
    return CU_get_number_of_failures() != 0;
}
