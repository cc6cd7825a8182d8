/* Sessions whose start never passes, beside others in the line of starts, on a real PostgreSQL. */
#include "unit/services/engine/engine_rig.h"

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
    engine.sessions->starts_in_flight = 2; /* so that both stand in line */
    session_apply(find(&other), EVENT_DUE);
    find(&unfit)->state = TURN_GIVING_UP;
    session_apply(find(&unfit), EVENT_DUE);
    engine.sessions->starts_in_flight = 0;
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

int main(void)
{
    CU_initialize_registry();
    CU_pSuite suite = CU_add_suite("giving up", open_server, rig_end_server);
    CU_add_test(suite, "who gives up shares no start", who_gives_up_shares_no_start);
    CU_basic_run_tests();
    return CU_get_number_of_failures() != 0;
}
