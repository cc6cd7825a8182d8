/* What erasure takes with a contact beside the conversations: appointments, tool calls and rounds;
 * and an erasure that comes while the contact books, on a real PostgreSQL (docs/PROTOCOL.md). */
#include "unit/common/store/booking_rig.h"

#include "store/erasure.h"

/* Erases contact 1. */
static void erase(void)
{
    struct pg_session *session = NULL;
    struct err err;
    int64_t messages = 0;
    struct erasure erasure = {
        .address = "+15559001", .address_hash = number_id(4, 1), .actor = "test"};
    CU_ASSERT_TRUE(uuid_parse(TENANT, &erasure.tenant));
    CU_ASSERT_EQUAL_FATAL(pg_session_open(rig_server.url, "test", &session, &err), 0);
    CU_ASSERT_EQUAL_FATAL(schema_begin_as_ops(session, &err), 0);
    int rc = erasure_run(session, &erasure, &messages, &err);
    if (rc != 0)
        printf("    %s: %s\n", err.code, err.message);
    CU_ASSERT_EQUAL(rc, 0);
    CU_ASSERT_EQUAL(pg_session_script(session, "COMMIT", &err), 0);
    pg_session_close(&session);
}

/* All tool calls of the seed are contact 1's. */
static const char left_sql[] =
    "SELECT (SELECT count(*) FROM appointments) + (SELECT count(*) FROM appointment_changes)"
    " + (SELECT count(*) FROM tool_calls) + (SELECT count(*) FROM turn_rounds)"
    " + (SELECT count(*) FROM turns) || ' ' || (SELECT count(*) FROM contacts)";

static void erasure_takes_bookings_and_calls(void)
{
    begin_bookings();
    const struct booking_rules rules = always();
    struct booking_result mine = book(&rules, 1, 1, start_number(1));
    change(MOVE, &rules, 1, 2, &mine.appointment.id, start_number(2));
    hold(&rules, 1, 3, start_number(3));
    erase();
    CU_ASSERT_STRING_EQUAL(value(left_sql), "0 2");
    end_test();
}

/* Texts that wait for a person because no turn will answer them: not the erased one's any more.
 * Guard: both steps at inbox_events. */
static void erasure_settles_what_nobody_answers(void)
{
    static const char *const texts[] = {
        "SM1', 1, 'open', NULL", "SM2', 1, 'late', NULL", "SM3', 1, 'failed', NULL",
        "SM4', 1, 'failed', gen_random_uuid()", "SM5', 2, 'failed', NULL"};
    begin_bookings();
    for (size_t i = 0; i < sizeof texts / sizeof *texts; i++)
        run(arena_printf(arena,
                         "INSERT INTO inbox_events (tenant_id, channel, provider_id, session_id,"
                         " message_id, address_hash, content_hash, state, turn_id, claim_id,"
                         " event_time) SELECT '" TENANT "', 'sms', id, gen_random_uuid(),"
                         " gen_random_uuid(), ('0400000000000000000000000000000' || who)::uuid, '',"
                         " state, turn::uuid, gen_random_uuid(), now()"
                         " FROM (VALUES ('%s)) AS v (id, who, state, turn)",
                         texts[i]));
    erase();
    CU_ASSERT_STRING_EQUAL(value("SELECT string_agg(state || ':' || coalesce(reason, '-'), ' '"
                                 " ORDER BY provider_id) FROM inbox_events"),
                           "ended:erased ended:erased ended:erased failed:- failed:-");
    end_test();
}

/* Holds its transaction open until another one waits for it, 10 s at most. */
static const char until_waited_for_sql[] =
    "DO $$ BEGIN FOR i IN 1..1000 LOOP EXIT WHEN EXISTS (SELECT FROM pg_locks WHERE NOT granted);"
    " PERFORM pg_sleep(0.01); END LOOP; END $$";

static bool is_waiting(void)
{
    struct pg_session *session = NULL;
    struct pg_result *result = NULL;
    const struct pg_statement look = {.sql = "SELECT count(*) FROM pg_stat_activity WHERE state ="
                                             " 'active' AND query LIKE 'DO %'"};
    CU_ASSERT_EQUAL_FATAL(pg_session_open(rig_server.url, "test", &session, NULL), 0);
    CU_ASSERT_EQUAL_FATAL(pg_session_query(session, &look, &result, NULL), 0);
    bool waiting = pg_int(result, 0, 0, 0) > 0;
    pg_result_free(&result);
    pg_session_close(&session);
    return waiting;
}

/* Who holds the conversation when erasure comes makes his appointment, and then it goes too:
 * neither waits for the other in a circle. */
static void a_booking_that_erasure_waits_for(void)
{
    begin_bookings();
    const struct booking_rules rules = always();
    struct done out = {.failed = false};
    struct pg_unit unit = {.done = on_done, .arg = &out, .deadline_ms = 15000};
    const struct booking_request request = request_of(1, 1, start_number(1));
    pg_add(&unit, "SELECT 1 FROM conversations WHERE id = '05000000-0000-0000-0000-000000000001'"
                  " FOR SHARE");
    pg_add(&unit, until_waited_for_sql);
    add_begun(&unit, &request);
    CU_ASSERT_EQUAL_FATAL(booking_add_book(&unit, arena, &rules, &request, &out.err), 0);
    rig_waiting++;
    pg_submit(rig_pg, &unit);
    CU_ASSERT_TRUE_FATAL(rig_until(is_waiting));
    erase();
    rig_run();
    CU_ASSERT_FALSE(out.failed);
    CU_ASSERT_EQUAL(out.result.kind, BOOKING_BOOKED);
    CU_ASSERT_STRING_EQUAL(value(left_sql), "0 2");
    end_test();
}

int main(void)
{
    CU_initialize_registry();
    CU_pSuite suite = CU_add_suite("erasure", open_function_server, rig_end_server);
    CU_add_test(suite, "bookings and calls", erasure_takes_bookings_and_calls);
    CU_add_test(suite, "what nobody answers", erasure_settles_what_nobody_answers);
    CU_add_test(suite, "beside a booking", a_booking_that_erasure_waits_for);
    CU_basic_run_tests();
    return CU_get_number_of_failures() != 0;
}
