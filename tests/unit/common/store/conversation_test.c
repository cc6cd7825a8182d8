/* Takeover, reply and hand-back as the console's role of one tenant: what it may do suffices for
 * all statements of conversation.c, and reaches no other tenant. */
#include "unit/common/store/rota_rig.h"

#include "store/conversation.h"

#define OTHER "00000000-0000-7000-8000-000000000002"

static struct pg_session *console;

static void become(const char *tenant)
{
    struct err err;
    CU_ASSERT_EQUAL_FATAL(
        pg_session_script(console,
                          arena_printf(arena,
                                       "BEGIN; SET LOCAL ROLE frontdesk_console; SELECT"
                                       " set_config('frontdesk.tenant', '%s', true)",
                                       tenant),
                          &err),
        0);
}

static void open_console(void)
{
    struct err err;
    CU_ASSERT_EQUAL_FATAL(pg_session_open(rig_server.url, "console", &console, &err), 0);
}

static void finish(void)
{
    struct err err;
    CU_ASSERT_EQUAL(pg_session_script(console, "COMMIT", &err), 0);
}

/* A text of customer 1 that the reception answered with a question. */
static struct conversation_ref asked(void)
{
    static const struct reception_record asking = {
        .asked = "name", .tries = 1, .reason = "my tooth", .due_ms = 60000};
    struct conversation_ref ref = {.actor = "staff"};
    begin_test();
    open_console();
    struct claims claimed = claim_one(WORKER_A, 1, 1, "hello");
    struct turn_started turn = start(WORKER_A, &claimed.rows[0]);
    struct turn_commit fallback = commit_of(&claimed.rows[0], &turn);
    fallback.outcome = "fallback";
    fallback.reception = &asking;
    CU_ASSERT_EQUAL(commit(WORKER_A, &fallback).kind, TURN_COMMITTED);
    CU_ASSERT_TRUE(uuid_parse(TENANT, &ref.tenant));
    ref.conversation = claimed.rows[0].conversation;
    return ref;
}

static void end(void)
{
    pg_session_close(&console);
    end_test();
}

#define GOOD(call)                                                                                 \
    do {                                                                                           \
        int rc = (call);                                                                           \
        if (rc != 0)                                                                               \
            printf("    %s: %s\n", err.code, err.message);                                         \
        CU_ASSERT_EQUAL(rc, 0);                                                                    \
    } while (0)

static void taken_over_answered_and_handed_back(void)
{
    struct conversation_ref ref = asked();
    struct conversation_takeover taken;
    struct conversation_reply reply = {
        .message = uuid_new(), .delivery = uuid_new(), .body = "Staff here"};
    int64_t due = 0, begun = 0;
    bool yours = false;
    struct err err;
    run("UPDATE deliveries SET state = 'sending', worker = '" WORKER_B "';"
        "UPDATE workers SET lease_until = clock_timestamp() WHERE id = '" WORKER_B "'");
    become(TENANT);
    GOOD(conversation_take_over(console, &ref, &taken, &err));
    finish();
    become(TENANT);
    GOOD(conversation_is_yours(console, &ref, &yours, &begun, &err));
    finish();
    CU_ASSERT_TRUE(yours);
    become(TENANT);
    GOOD(conversation_reply(console, &ref, &reply, &err));
    finish();
    become(TENANT);
    GOOD(conversation_hand_back(console, &ref, &due, &err));
    finish();
    CU_ASSERT_STRING_EQUAL(value("SELECT concat_ws(' ', asked, tries) FROM receptions"),
                           "nothing 0");
    CU_ASSERT_STRING_EQUAL(value("SELECT count(*) FROM deliveries"), "2");
    CU_ASSERT_STRING_EQUAL(value("SELECT held_by IS NULL FROM conversations"), "t");
    end();
}

/* The turn of a text that the person answers is over, with what was heard of it, as on a call, and
 * what it has begun; a text that came behind the answer gets a turn of its own. Guards:
 * answered_sql, and the grants that it needs. */
static void a_turn_ends_with_the_persons_answer(void)
{
    struct conversation_ref ref = asked();
    struct conversation_takeover taken;
    struct conversation_reply reply = {
        .message = uuid_new(), .delivery = uuid_new(), .body = "I did it"};
    int64_t due = 0;
    struct err err;
    struct claims claimed = claim_one(WORKER_A, 1, 2, "cancel it");
    struct turn_started turn = start(WORKER_A, &claimed.rows[0]);
    CU_ASSERT_EQUAL_FATAL(turn.kind, TURN_START_RUN);
    run("UPDATE turns SET heard = 'We are op' WHERE state = 'running'");
    begin_tool_call();
    become(TENANT);
    GOOD(conversation_take_over(console, &ref, &taken, &err));
    GOOD(conversation_reply(console, &ref, &reply, &err));
    finish();
    claim_one(WORKER_A, 1, 3, "thanks");
    become(TENANT);
    GOOD(conversation_hand_back(console, &ref, &due, &err));
    finish();
    CU_ASSERT_EQUAL(due, 1);
    CU_ASSERT_STRING_EQUAL(value("SELECT string_agg(state, ' ' ORDER BY provider_id)"
                                 " FROM inbox_events"),
                           "answered human open");
    CU_ASSERT_STRING_EQUAL(value("SELECT concat_ws(' ', state, outcome) FROM tool_calls"),
                           "done unknown");
    CU_ASSERT_STRING_EQUAL(value("SELECT concat_ws(':', d.state, d.via, m.body) FROM deliveries d"
                                 " JOIN messages m ON m.id = d.message_id JOIN turns t"
                                 " ON t.id = d.turn_id WHERE t.outcome = 'interrupted'"),
                           "delivered:stream:We are op");
    run("UPDATE channel_sessions SET worker = '" WORKER_A "'");
    turn = start(WORKER_A, &claimed.rows[0]);
    CU_ASSERT_EQUAL(turn.kind, TURN_START_RUN);
    CU_ASSERT_FALSE(turn.again);
    CU_ASSERT_STRING_EQUAL(turn.events, "{SM003}");
    end();
}

static struct conversation_ref of_customer(void)
{
    struct conversation_ref ref = {.actor = "staff"};
    CU_ASSERT_TRUE(uuid_parse(TENANT, &ref.tenant));
    CU_ASSERT_TRUE(
        uuid_parse(value("SELECT conversation_id FROM escalations LIMIT 1"), &ref.conversation));
    return ref;
}

/* People are being asked about the conversation: their timer and notices end with the takeover.
 * Guard: the grants on jobs. */
static void taken_over_while_people_are_asked(void)
{
    begin_rota();
    open_console();
    open_one();
    tell(STAFF, "7K3F");
    struct conversation_ref ref = of_customer();
    struct conversation_takeover taken;
    int64_t due = 0;
    struct err err;
    become(TENANT);
    GOOD(conversation_take_over(console, &ref, &taken, &err));
    finish();
    CU_ASSERT_STRING_EQUAL(rows(), "policy_word:accepted:over:1");
    CU_ASSERT_STRING_EQUAL(notices(), "desk:1:ended");
    CU_ASSERT_STRING_EQUAL(value("SELECT state || ' ' || reason FROM deliveries"
                                 " WHERE author = 'system'"),
                           "suppressed accepted");
    CU_ASSERT_STRING_EQUAL(value("SELECT due_at IS NULL AND worker IS NULL FROM jobs"
                                 " WHERE kind = 'escalation'"),
                           "t");
    become(TENANT);
    GOOD(conversation_hand_back(console, &ref, &due, &err));
    finish();
    CU_ASSERT_STRING_EQUAL(rows(), "policy_word:closed:over:1");
    CU_ASSERT_STRING_EQUAL(
        owner_value("SELECT string_agg(action, ' ' ORDER BY at) FROM audit_log"),
        "conversation.taken escalation.accept conversation.handed_back escalation.close");
    end();
}

/* Somebody of the rota has accepted, then a person took over and handed back: people can be asked
 * again, and a message that was taken on is still somebody's, and a tool's outage nobody's.
 * Guard: asked_sql, settled_sql. */
static void a_hand_back_settles_what_a_code_accepted(void)
{
    begin_rota();
    open_console();
    open_one();
    tell(STAFF, "7K3F");
    CU_ASSERT_STRING_EQUAL(text_code(STAFF, 90, "7K3F"), "ended rota");
    CU_ASSERT_STRING_EQUAL(rows(), "policy_word:accepted:over:1");
    run("INSERT INTO escalations (tenant_id, id, conversation_id, reason, summary, state,"
        " accepted_by) SELECT tenant_id, gen_random_uuid(), conversation_id, 'message', 's',"
        " 'accepted', 'desk' FROM escalations");
    run("INSERT INTO escalations (tenant_id, id, conversation_id, reason, summary, rota)"
        " SELECT tenant_id, gen_random_uuid(), conversation_id, 'tool_outage', 's', 'over'"
        " FROM escalations WHERE reason = 'message'");
    struct conversation_ref ref = of_customer();
    struct conversation_takeover taken;
    int64_t due = 0;
    struct err err;
    become(TENANT);
    GOOD(conversation_take_over(console, &ref, &taken, &err));
    GOOD(conversation_hand_back(console, &ref, &due, &err));
    finish();
    CU_ASSERT_STRING_EQUAL(rows(), "policy_word:closed:over:1 message:accepted:none:0"
                                   " tool_outage:open:over:0");
    CU_ASSERT_STRING_EQUAL(value("SELECT closed_by FROM escalations WHERE state = 'closed'"),
                           "staff");
    turn_with(1, 2, "reply", trigger_of("policy_word", 2));
    CU_ASSERT_STRING_EQUAL(value("SELECT rota FROM escalations WHERE state = 'open'"
                                 " AND reason = 'policy_word'"),
                           "running");
    end();
}

/* Guard: the policy of every table that the grants open. */
static void another_tenant_reaches_nothing(void)
{
    struct conversation_ref ref = asked();
    struct conversation_takeover taken;
    int64_t due = 0;
    struct err err;
    become(OTHER);
    CU_ASSERT_EQUAL(conversation_take_over(console, &ref, &taken, &err), -1);
    CU_ASSERT_STRING_EQUAL(err.code, "conversation.missing");
    finish();
    run("UPDATE conversations SET held_by = 'staff'");
    become(OTHER);
    CU_ASSERT_EQUAL(conversation_hand_back(console, &ref, &due, &err), -1);
    finish();
    CU_ASSERT_STRING_EQUAL(value("SELECT held_by FROM conversations"), "staff");
    CU_ASSERT_STRING_EQUAL(value("SELECT asked FROM receptions"), "name");
    end();
}

int main(void)
{
    CU_initialize_registry();
    CU_pSuite suite = CU_add_suite("conversation", open_server, rig_end_server);
    CU_add_test(suite, "taken over, answered, handed back", taken_over_answered_and_handed_back);
    CU_add_test(suite, "a turn that a person answers", a_turn_ends_with_the_persons_answer);
    CU_add_test(suite, "taken over while people are asked", taken_over_while_people_are_asked);
    CU_add_test(suite, "accepted by code, handed back", a_hand_back_settles_what_a_code_accepted);
    CU_add_test(suite, "another tenant", another_tenant_reaches_nothing);
    CU_basic_run_tests();
    return CU_get_number_of_failures() != 0;
}
