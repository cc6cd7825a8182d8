/* Sessions whose start never passes, beside others in the line of starts, on a real PostgreSQL. */
#include "unit/services/engine/engine_rig.h"

#include "counters.h"

static bool is_over(void)
{
    return !statements_in_flight(engine.sessions);
}

/* Whoever waits to give up, and was held up by something that passes, shares no start: its session
 * would not know what to do with the turn. Guard: `fits` leaves it to its own unit. */
static void who_gives_up_shares_no_start(void)
{
    begin_engine();
    const struct inbox_claimed other = text(1, 1), unfit = text(2, 2);
    run("UPDATE conversations SET held_by = 'operator' WHERE id = (SELECT conversation_id"
        " FROM channel_sessions WHERE remote_address = '+15559001')");
    hold_pace(engine.sessions->start_pace); /* so that both stand in line */
    session_apply(find(&other), EVENT_DUE);
    find(&unfit)->tried = unfit.claimed;
    find(&unfit)->state = TURN_GIVING_UP;
    session_apply(find(&unfit), EVENT_DUE);
    let_go(engine.sessions->start_pace);
    statements_flush(engine.sessions);
    CU_ASSERT_TRUE_FATAL(rig_until(is_over));
    CU_ASSERT_PTR_NULL(find(&other));
    CU_ASSERT_PTR_NULL(find(&unfit));
    CU_ASSERT_STRING_EQUAL(value("SELECT string_agg(state || ':' || coalesce(reason, '-'), ' '"
                                 " ORDER BY provider_id) FROM inbox_events"),
                           "open:- failed:start.unfit");
    CU_ASSERT_STRING_EQUAL(value("SELECT count(*) FROM turns"), "0");
    end_engine();
}

/* Its turn is over: others need not wait for the database to take that. Guard: give_place_back in
 * act_give_up. */
static void who_gives_up_has_no_place(void)
{
    begin_engine();
    shared.settings.max_in_flight = 1;
    const struct inbox_claimed unfit = text(1, 1);
    hold_pace(engine.sessions->start_pace);
    session_apply(find(&unfit), EVENT_DUE);
    CU_ASSERT_EQUAL(sessions_at_work(engine.sessions), 1);
    session_apply(find(&unfit), EVENT_UNFIT);
    CU_ASSERT_EQUAL(find(&unfit)->state, TURN_GIVING_UP);
    CU_ASSERT_EQUAL(sessions_at_work(engine.sessions), 0);
    session_apply(find(&unfit), EVENT_DB_AWAY);
    CU_ASSERT_EQUAL(sessions_at_work(engine.sessions), 0);
    let_go(engine.sessions->start_pace);
    end_engine();
}

/* A text that came after the last start, as while a lost answer is waited for, is tried first.
 * Guard: `tried` is set where a start is sent, and compared. */
static void a_text_that_no_start_has_tried_is_started(void)
{
    begin_engine();
    const struct inbox_claimed unfit = text(1, 1);
    find(&unfit)->tried = unfit.claimed;
    find(&unfit)->state = TURN_GIVING_UP;
    text(1, 2);
    session_apply(find(&unfit), EVENT_DUE);
    CU_ASSERT_TRUE_FATAL(rig_until(is_over));
    CU_ASSERT_PTR_NOT_NULL_FATAL(find(&unfit));
    CU_ASSERT_EQUAL(find(&unfit)->state, TURN_WAITING);
    CU_ASSERT_STRING_EQUAL(value("SELECT string_agg(state, ' ') FROM inbox_events"), "open open");
    end_engine();
}

/* A claim whose answer was lost is heard of so, and then known. Guard: given_up takes it over. */
static void a_claim_that_was_not_heard_of_is_learned(void)
{
    begin_engine();
    const struct inbox_claimed unfit = text(1, 1);
    find(&unfit)->tried = unfit.claimed;
    find(&unfit)->state = TURN_GIVING_UP;
    struct claims unheard = claim_one(worker_id(engine.worker), 1, 2, "hello");
    session_apply(find(&unfit), EVENT_DUE);
    CU_ASSERT_TRUE_FATAL(rig_until(is_over));
    CU_ASSERT_PTR_NOT_NULL_FATAL(find(&unfit));
    CU_ASSERT_EQUAL(find(&unfit)->state, TURN_WAITING);
    CU_ASSERT_EQUAL(find(&unfit)->claimed, unheard.rows[0].claimed);
    end_engine();
}

/* Lets the start of that session fail so, as often. */
static void fail(const struct inbox_claimed *claimed, const char *sqlstate, int times)
{
    run(arena_printf(arena, "UPDATE test_trouble SET code = '%s'", sqlstate));
    for (int i = 0; i < times; i++) {
        CU_ASSERT_PTR_NOT_NULL_FATAL(find(claimed));
        CU_ASSERT_EQUAL(find(claimed)->state, TURN_WAITING);
        session_apply(find(claimed), EVENT_DUE);
        CU_ASSERT_TRUE_FATAL(rig_until(is_over));
    }
}

/* An outage between two failures is one of the database: it shows nothing about the start. Guard:
 * the first line of is_unfit. */
static void only_failures_in_a_row_count(void)
{
    begin_engine();
    run("CREATE TABLE test_trouble (code text); INSERT INTO test_trouble VALUES ('');"
        "GRANT SELECT ON test_trouble TO PUBLIC;"
        "CREATE FUNCTION test_trouble() RETURNS trigger LANGUAGE plpgsql AS $$ BEGIN"
        " RAISE EXCEPTION USING ERRCODE = (SELECT code FROM test_trouble), MESSAGE = 'trouble';"
        " END $$;"
        "CREATE TRIGGER test_trouble BEFORE INSERT ON turns FOR EACH ROW"
        " EXECUTE FUNCTION test_trouble()");
    const struct inbox_claimed unfit = text(1, 1);
    fail(&unfit, "22021", 4);
    fail(&unfit, "53300", 1);
    fail(&unfit, "22021", 5);
    CU_ASSERT_PTR_NULL(find(&unfit)); /* given up, in the same line */
    CU_ASSERT_STRING_EQUAL(value("SELECT state FROM inbox_events"), "failed");
    run("DROP TRIGGER test_trouble ON turns; DROP FUNCTION test_trouble; DROP TABLE test_trouble");
    end_engine();
}

int main(void)
{
    CU_initialize_registry();
    counters_init();
    CU_pSuite suite = CU_add_suite("giving up", open_server, rig_end_server);
    CU_add_test(suite, "who gives up shares no start", who_gives_up_shares_no_start);
    CU_add_test(suite, "who gives up has no place", who_gives_up_has_no_place);
    CU_add_test(suite, "a text that no start has tried", a_text_that_no_start_has_tried_is_started);
    CU_add_test(suite, "a claim that was not heard of", a_claim_that_was_not_heard_of_is_learned);
    CU_add_test(suite, "failures in a row", only_failures_in_a_row_count);
    CU_basic_run_tests();
    return CU_get_number_of_failures() != 0;
}
