/* Starts that find no row, and calls in line for a place, on a real PostgreSQL. */
#include "unit/services/engine/engine_rig.h"

#include "counters.h"

static struct inbox_claimed claimed;

static bool is_thinking(void)
{
    return find(&claimed)->state == TURN_THINKING;
}

static bool is_over(void)
{
    return !statements_in_flight(engine.sessions);
}

/* Whatever the reason, the answer is none of its session: the place is for others. Guard: the
 * second loop of starts_done. */
static void a_session_without_a_row_keeps_no_place(void)
{
    begin_engine();
    const struct inbox_claimed known = text(1, 1);
    const struct inbox_claimed none = {.session = number_id(1, 9), .conversation = uuid_new()};
    run("UPDATE conversations SET held_by = 'operator' WHERE id = (SELECT conversation_id"
        " FROM channel_sessions WHERE remote_address = '+15559001')");
    sessions_claimed(engine.sessions, TENANT, &none.session, &none.conversation, 1, 60000);
    hold_pace(engine.sessions->start_pace); /* so that both are in one batch */
    session_apply(find(&none), EVENT_DUE);
    session_apply(find(&known), EVENT_DUE);
    CU_ASSERT_EQUAL(sessions_at_work(engine.sessions), 2);
    let_go(engine.sessions->start_pace);
    statements_flush(engine.sessions);
    CU_ASSERT_TRUE_FATAL(rig_until(is_over));
    CU_ASSERT_PTR_NULL(find(&known));
    CU_ASSERT_PTR_NULL(find(&none));
    CU_ASSERT_EQUAL(sessions_at_work(engine.sessions), 0);
    CU_ASSERT_STRING_EQUAL(value("SELECT count(*) FROM turns"), "0");
    end_engine();
}

/* A call that is not claimed yet has no conversation, and no row that a start could find: it stands
 * in line once its claim has answered. Guard: the nil conversation in sessions_begin_call. */
static void a_call_in_line_has_a_conversation(void)
{
    begin_engine();
    struct inbox_claimed first;
    uint64_t ticket = 0;
    hold_pace(engine.sessions->start_pace); /* nothing is sent */
    for (int i = 1; i <= 3; i++) {          /* a tenant alone gets three of the four places */
        first = text(i, i);
        session_apply(find(&first), EVENT_DUE);
    }
    CU_ASSERT_EQUAL(sessions_at_work(engine.sessions), 3);
    const struct inbox_claimed call = {.session = number_id(1, 9), .conversation = uuid_new()};
    CU_ASSERT_FALSE(sessions_begin_call(engine.sessions, TENANT, &call.session, &ticket));
    CU_ASSERT_PTR_NULL(find(&call));
    /* claimed, and another prompt comes */
    sessions_claimed(engine.sessions, TENANT, &call.session, &call.conversation, 1, 60000);
    CU_ASSERT_FALSE(sessions_begin_call(engine.sessions, TENANT, &call.session, &ticket));
    CU_ASSERT_PTR_NOT_NULL_FATAL(find(&call));
    CU_ASSERT_EQUAL(find(&call)->state, TURN_QUEUED);
    session_apply(find(&first), EVENT_NOT_OURS);
    sessions_tick(engine.sessions);
    CU_ASSERT_EQUAL(find(&call)->state, TURN_STARTING);
    let_go(engine.sessions->start_pace);
    end_engine();
}

/* A call that was claimed before its engine knew it, and did not start with that claim: the first
 * start tells its conversation, the next one runs in it. */
static void a_call_that_starts_by_itself_runs_in_its_conversation(void)
{
    begin_engine();
    uint64_t ticket = 0;
    struct claims claims = claim_one(worker_id(engine.worker), 1, 1, "hello");
    claimed = claims.rows[0];
    CU_ASSERT_TRUE_FATAL(sessions_begin_call(engine.sessions, TENANT, &claimed.session, &ticket));
    CU_ASSERT_TRUE(uuid_is_nil(&find(&claimed)->conversation));
    sessions_call_by_itself(engine.sessions, &claimed.session, ticket);
    CU_ASSERT_TRUE(rig_until(is_thinking));
    CU_ASSERT_TRUE(uuid_equal(&find(&claimed)->conversation, &claimed.conversation));
    CU_ASSERT_STRING_EQUAL(value("SELECT count(*) FROM turns WHERE state = 'running'"), "1");
    sessions_drop_all(engine.sessions);
    end_engine();
}

int main(void)
{
    CU_initialize_registry();
    counters_init();
    CU_pSuite suite = CU_add_suite("starts", open_server, rig_end_server);
    CU_add_test(suite, "a session without a row", a_session_without_a_row_keeps_no_place);
    CU_add_test(suite, "a call in line", a_call_in_line_has_a_conversation);
    CU_add_test(suite, "a call by itself", a_call_that_starts_by_itself_runs_in_its_conversation);
    CU_basic_run_tests();
    return CU_get_number_of_failures() != 0;
}
