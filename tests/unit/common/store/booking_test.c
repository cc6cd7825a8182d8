/* Bookings, holds, moves and cancellations on a real PostgreSQL, as the engine's role: what each
 * outcome writes, and what it must not (docs/PROTOCOL.md, bookings). */
#include "unit/common/store/booking_rig.h"

static void a_booking(void)
{
    begin_bookings();
    struct booking_rules rules = check_up();
    const char *on = day(30);
    struct booking_request request = request_of(1, 1, at(on, "09:00"));
    request.details = "{\"reason\":\"pain\",\"since\":1e-400000}";
    struct booking_result done = carry_out(BOOK, &rules, &request);
    CU_ASSERT_EQUAL(done.kind, BOOKING_BOOKED);
    CU_ASSERT_STRING_EQUAL(done.appointment.state, "booked");
    CU_ASSERT_STRING_EQUAL(done.appointment.service, "check-up");
    CU_ASSERT_STRING_EQUAL(done.appointment.resource, "chair 1");
    CU_ASSERT_STRING_EQUAL(done.appointment.start.date, on);
    CU_ASSERT_STRING_EQUAL(done.appointment.start.time, "09:00");
    CU_ASSERT_STRING_EQUAL(done.appointment.start.weekday,
                           value(arena_printf(arena, "SELECT to_char('%s'::date, 'FMDay')", on)));
    CU_ASSERT_STRING_EQUAL(done.appointment.end.time, "10:00");
    CU_ASSERT_STRING_EQUAL(done.appointment.hold_until.rfc3339, "");
    CU_ASSERT_STRING_EQUAL(value("SELECT details ->> 'reason' FROM appointments"), "pain");
    CU_ASSERT_STRING_EQUAL(book(&rules, 2, 2, at(on, "09:00")).appointment.resource, "chair 2");
    struct booking_result third = book(&rules, 3, 3, at(on, "09:00"));
    CU_ASSERT_EQUAL(third.kind, BOOKING_TAKEN);
    CU_ASSERT_TRUE(uuid_is_nil(&third.appointment.id));
    CU_ASSERT_STRING_EQUAL(value("SELECT count(*) FROM appointments"), "2");
    end_test();
}

static void starts_that_cannot_be_had(void)
{
    static const struct {
        const char *time;
        enum booking_limit limit;
    } cases[] = {
        {"07:30", BOOKING_LIMIT_HOURS},   {"11:30", BOOKING_LIMIT_HOURS},
        {"12:00", BOOKING_LIMIT_HOURS},   {"16:30", BOOKING_LIMIT_HOURS},
        {"23:30", BOOKING_LIMIT_HOURS},   {"09:15", BOOKING_LIMIT_GRID},
        {"09:00:01", BOOKING_LIMIT_GRID}, {"09:00:00.4", BOOKING_LIMIT_GRID},
        {"13:10", BOOKING_LIMIT_GRID},
    };
    begin_bookings();
    struct booking_rules rules = check_up();
    const char *on = day(30);
    for (size_t i = 0; i < sizeof cases / sizeof cases[0]; i++) {
        struct booking_result no = book(&rules, 1, 1, at(on, cases[i].time));
        CU_ASSERT_EQUAL(no.kind, BOOKING_OUTSIDE);
        CU_ASSERT_EQUAL(no.limit, cases[i].limit);
    }
    CU_ASSERT_STRING_EQUAL(value("SELECT count(*) FROM appointments"), "0");
    end_test();
}

static void the_same_call_twice(void)
{
    begin_bookings();
    struct booking_rules rules = check_up();
    const char *on = day(30);
    struct booking_result first = book(&rules, 1, 1, at(on, "09:00"));
    struct booking_result again = book(&rules, 1, 1, at(on, "10:00"));
    CU_ASSERT_EQUAL(again.kind, BOOKING_ALREADY);
    CU_ASSERT_TRUE(uuid_equal(&again.appointment.id, &first.appointment.id));
    CU_ASSERT_STRING_EQUAL(again.appointment.start.time, "09:00");
    const struct uuid *id = &first.appointment.id;
    CU_ASSERT_EQUAL(change(MOVE, &rules, 1, 2, id, at(on, "10:00")).kind, BOOKING_MOVED);
    CU_ASSERT_EQUAL(change(MOVE, &rules, 1, 3, id, at(on, "11:00")).kind, BOOKING_MOVED);
    /* also when another call came in between */
    again = change(MOVE, &rules, 1, 2, id, at(on, "10:00"));
    CU_ASSERT_EQUAL(again.kind, BOOKING_ALREADY);
    CU_ASSERT_STRING_EQUAL(again.appointment.start.time, "11:00");
    CU_ASSERT_EQUAL(change(CANCEL, &rules, 1, 4, id, NULL).kind, BOOKING_CANCELLED);
    again = change(CANCEL, &rules, 1, 4, id, NULL);
    CU_ASSERT_EQUAL(again.kind, BOOKING_ALREADY);
    CU_ASSERT_STRING_EQUAL(again.appointment.state, "cancelled");
    CU_ASSERT_EQUAL(book(&rules, 1, 1, at(on, "09:00")).kind, BOOKING_ALREADY);
    CU_ASSERT_STRING_EQUAL(value("SELECT count(*) || ' ' || (SELECT count(*) FROM"
                                 " appointment_changes) FROM appointments"),
                           "1 3");
    end_test();
}

/* Guard: the engine marks a call started under its fence and epoch; nothing happens before. */
static void a_call_that_is_not_started_does_nothing(void)
{
    begin_bookings();
    struct booking_rules rules = check_up();
    const char *on = day(30);
    struct booking_result kept = hold(&rules, 1, 1, at(on, "09:00"));
    const struct uuid *id = &kept.appointment.id;
    run("UPDATE appointments SET hold_until = now() - interval '1 s'");
    for (int number = CALL_ASKED; number <= CALL_ASKED + 1;
         number++) { /* one is not there at all */
        CU_ASSERT_EQUAL(book(&rules, 2, number, at(on, "09:00")).kind, BOOKING_NOT_STARTED);
        CU_ASSERT_EQUAL(hold(&rules, 1, number, at(on, "09:00")).kind, BOOKING_NOT_STARTED);
        CU_ASSERT_EQUAL(change(MOVE, &rules, 1, number, id, at(on, "10:00")).kind,
                        BOOKING_NOT_STARTED);
        CU_ASSERT_EQUAL(change(CANCEL, &rules, 1, number, id, NULL).kind, BOOKING_NOT_STARTED);
    }
    CU_ASSERT_STRING_EQUAL(value("SELECT string_agg(state, ' ') FROM appointments"), "held");
    run("UPDATE appointments SET state = 'booked'");
    CU_ASSERT_EQUAL(change(MOVE, &rules, 1, CALL_ASKED, id, at(on, "10:00")).kind,
                    BOOKING_NOT_STARTED);
    CU_ASSERT_EQUAL(change(CANCEL, &rules, 1, CALL_ASKED, id, NULL).kind, BOOKING_NOT_STARTED);
    CU_ASSERT_STRING_EQUAL(value("SELECT string_agg(state || to_char(starts_at AT TIME ZONE"
                                 " 'Europe/Berlin', ' HH24:MI '), '') || (SELECT count(*) FROM"
                                 " appointment_changes) FROM appointments"),
                           "booked 09:00 0");
    end_test();
}

/* ---- holds ---- */

static void a_hold_becomes_the_booking(void)
{
    begin_bookings();
    struct booking_rules rules = check_up();
    const char *on = day(30);
    rules.resource_count = 1;
    rules.hours = HOURS(PAIR("09:00", "12:00"));
    struct booking_request request = request_of(1, 1, at(on, "09:00"));
    request.confirm = false;
    request.details = "{\"reason\":\"pain\"}";
    struct booking_result held = carry_out(BOOK, &rules, &request);
    CU_ASSERT_EQUAL(held.kind, BOOKING_HELD);
    CU_ASSERT_STRING_EQUAL(value("SELECT hold_until - now() BETWEEN interval '14 min' AND"
                                 " interval '15 min' FROM appointments"),
                           "t");
    CU_ASSERT_PTR_NOT_NULL(strchr(held.appointment.hold_until.rfc3339, 'T'));
    CU_ASSERT_STRING_EQUAL(slots_on(&rules, on), "10:00x1 10:30x1 11:00x1");
    struct booking_search own = {
        .tenant = TENANT, .contact = contact(1), .from_day = on, .to_day = on, .limit = 50};
    CU_ASSERT_STRING_EQUAL(search(&rules, &own)->times, "09:00x1 09:30x1 10:00x1 10:30x1 11:00x1");
    own.contact = contact(2);
    CU_ASSERT_STRING_EQUAL(search(&rules, &own)->times, "10:00x1 10:30x1 11:00x1");
    CU_ASSERT_EQUAL(book(&rules, 2, 2, at(on, "09:00")).kind, BOOKING_TAKEN);
    /* another start, which the hold itself overlaps: still one hold */
    CU_ASSERT_EQUAL(hold(&rules, 1, 3, at(on, "09:30")).kind, BOOKING_HELD);
    struct booking_result booked = book(&rules, 1, 4, at(on, "09:30"));
    CU_ASSERT_EQUAL(booked.kind, BOOKING_BOOKED);
    CU_ASSERT_TRUE(uuid_equal(&booked.appointment.id, &held.appointment.id));
    CU_ASSERT_STRING_EQUAL(booked.appointment.details, "{\"reason\": \"pain\"}");
    CU_ASSERT_EQUAL(book(&rules, 1, 4, at(on, "09:30")).kind, BOOKING_ALREADY);
    CU_ASSERT_STRING_EQUAL(value("SELECT state || ' ' || (hold_until IS NULL) FROM appointments"),
                           "booked true");
    /* a hold whose wish is taken stays what it was */
    CU_ASSERT_EQUAL(hold(&rules, 1, 5, at(on, "10:30")).kind, BOOKING_HELD);
    CU_ASSERT_EQUAL(book(&rules, 1, 6, at(on, "09:00")).kind, BOOKING_TAKEN);
    CU_ASSERT_STRING_EQUAL(value("SELECT count(*) FROM appointments WHERE state = 'held'"), "1");
    end_test();
}

/* A booking at the time of the hold keeps the hold's chair, though another comes first. */
static void a_hold_keeps_its_chair(void)
{
    begin_bookings();
    struct booking_rules rules = check_up();
    const char *on = day(30);
    struct booking_result other = book(&rules, 2, 1, at(on, "09:00"));
    CU_ASSERT_STRING_EQUAL(hold(&rules, 1, 2, at(on, "09:00")).appointment.resource, "chair 2");
    CU_ASSERT_EQUAL(change(CANCEL, &rules, 2, 3, &other.appointment.id, NULL).kind,
                    BOOKING_CANCELLED);
    CU_ASSERT_STRING_EQUAL(book(&rules, 1, 4, at(on, "09:00")).appointment.resource, "chair 2");
    end_test();
}

/* Somebody who calls from his number books beside his hold, which stays as it is and where it is.
 */
static void a_stranger_leaves_the_hold(void)
{
    begin_bookings();
    const struct booking_rules rules = check_up();
    const char *on = day(30);
    struct booking_request request = request_of(1, 2, at(on, "11:00"));
    request.is_stranger = true;
    request.details = "{\"full_name\": \"Mallory\"}";
    const struct uuid held = hold(&rules, 1, 1, at(on, "09:00")).appointment.id;
    const char *before = arena_strdup(arena, value("SELECT a::text FROM appointments a"));
    struct booking_result made = carry_out(BOOK, &rules, &request);
    CU_ASSERT_EQUAL(made.kind, BOOKING_BOOKED);
    CU_ASSERT_FALSE(uuid_equal(&made.appointment.id, &held));
    CU_ASSERT_STRING_EQUAL(value("SELECT a::text FROM appointments a WHERE state = 'held'"),
                           before);
    CU_ASSERT_STRING_EQUAL(value("SELECT count(*)::text FROM appointments"), "2");
    end_test();
}

static void an_expired_hold_is_free_again(void)
{
    begin_bookings();
    struct booking_rules rules = check_up();
    const char *on = day(30);
    rules.resource_count = 1;
    rules.hours = HOURS(PAIR("09:00", "10:00"));
    hold(&rules, 1, 1, at(on, "09:00"));
    CU_ASSERT_EQUAL(hold(&rules, 2, 2, at(on, "09:00")).kind, BOOKING_TAKEN);
    run("UPDATE appointments SET hold_until = now() - interval '1 s'");
    CU_ASSERT_STRING_EQUAL(slots_on(&rules, on), "09:00x1");
    CU_ASSERT_EQUAL(book(&rules, 2, 3, at(on, "09:00")).kind, BOOKING_BOOKED);
    CU_ASSERT_STRING_EQUAL(value("SELECT string_agg(state, ' ' ORDER BY state) FROM appointments"),
                           "booked expired");
    CU_ASSERT_EQUAL(book(&rules, 1, 4, at(on, "09:00")).kind, BOOKING_TAKEN);
    /* one's own that ran out makes way for a new one, elsewhere too */
    on = day(31);
    hold(&rules, 1, 5, at(on, "09:00"));
    run("UPDATE appointments SET hold_until = now() - interval '1 s' WHERE state = 'held'");
    CU_ASSERT_EQUAL(hold(&rules, 1, 6, at(day(32), "09:00")).kind, BOOKING_HELD);
    CU_ASSERT_STRING_EQUAL(value("SELECT count(*) FROM appointments WHERE state = 'expired'"), "2");
    end_test();
}

/* ---- changes ---- */

static void moves(void)
{
    begin_bookings();
    struct booking_rules rules = check_up();
    const char *on = day(30);
    book(&rules, 2, 1, at(on, "09:00"));
    struct booking_result mine = book(&rules, 1, 2, at(on, "09:00")); /* chair 2 */
    const struct uuid *id = &mine.appointment.id;
    struct booking_result moved = change(MOVE, &rules, 1, 3, id, at(on, "09:30"));
    CU_ASSERT_EQUAL(moved.kind, BOOKING_MOVED);
    CU_ASSERT_STRING_EQUAL(moved.appointment.resource, "chair 2"); /* stays, and over itself */
    CU_ASSERT_STRING_EQUAL(moved.appointment.start.time, "09:30");
    book(&rules, 2, 4, at(on, "13:00"));
    book(&rules, 2, 5, at(on, "13:00"));
    moved = change(MOVE, &rules, 1, 6, id, at(on, "13:30"));
    CU_ASSERT_EQUAL(moved.kind, BOOKING_TAKEN);
    CU_ASSERT_STRING_EQUAL(moved.appointment.start.time, "09:30");
    CU_ASSERT_EQUAL(change(MOVE, &rules, 1, 6, id, at(on, "12:00")).limit, BOOKING_LIMIT_HOURS);
    rules.resource_count = 1; /* chair 2 does not do it any more */
    CU_ASSERT_STRING_EQUAL(change(MOVE, &rules, 1, 6, id, at(on, "10:00")).appointment.resource,
                           "chair 1");
    CU_ASSERT_STRING_EQUAL(value("SELECT string_agg(kind || ' ' || to_char(was_at AT TIME ZONE"
                                 " 'Europe/Berlin', 'HH24:MI'), ', ' ORDER BY changed_at)"
                                 " FROM appointment_changes"),
                           "moved 09:00, moved 09:30");
    end_test();
}

/* The model may hold the new time before it moves: that hold gives way. */
static void a_move_to_ones_own_hold(void)
{
    begin_bookings();
    struct booking_rules rules = check_up();
    const char *on = day(30);
    rules.resource_count = 1;
    struct booking_result mine = book(&rules, 1, 1, at(on, "09:00"));
    CU_ASSERT_EQUAL(hold(&rules, 1, 2, at(on, "11:00")).kind, BOOKING_HELD);
    CU_ASSERT_EQUAL(change(MOVE, &rules, 1, 3, &mine.appointment.id, at(on, "10:30")).kind,
                    BOOKING_MOVED);
    CU_ASSERT_STRING_EQUAL(value("SELECT string_agg(state, ' ' ORDER BY state) FROM appointments"),
                           "booked cancelled");
    end_test();
}

static void who_may_change_what_until_when(void)
{
    begin_bookings();
    struct booking_rules rules = check_up();
    const char *on = day(30);
    struct booking_result mine = book(&rules, 1, 1, at(on, "09:00"));
    const struct uuid *id = &mine.appointment.id;
    CU_ASSERT_EQUAL(change(MOVE, &rules, 2, 2, id, at(on, "10:00")).kind, BOOKING_NOT_FOUND);
    CU_ASSERT_EQUAL(change(CANCEL, &rules, 2, 2, id, NULL).kind, BOOKING_NOT_FOUND);
    struct booking_request foreign = request_of(1, 2, at(on, "10:00"));
    foreign.tenant = OTHER_TENANT;
    foreign.appointment = *id;
    CU_ASSERT_EQUAL(carry_out(MOVE, &rules, &foreign).kind, BOOKING_NOT_STARTED);
    struct booking_rules other = rules;
    other.service = "whitening";
    CU_ASSERT_EQUAL(change(MOVE, &other, 1, 2, id, at(on, "10:00")).kind, BOOKING_NOT_FOUND);
    CU_ASSERT_EQUAL(change(CANCEL, &other, 1, 2, id, NULL).kind, BOOKING_NOT_FOUND);
    rules.change_min = 32 * 24 * 60;
    struct booking_result late = change(MOVE, &rules, 1, 2, id, at(on, "10:00"));
    CU_ASSERT_EQUAL(late.kind, BOOKING_TOO_LATE);
    CU_ASSERT_STRING_EQUAL(late.appointment.start.time, "09:00");
    CU_ASSERT_EQUAL(change(CANCEL, &rules, 1, 2, id, NULL).kind, BOOKING_TOO_LATE);
    rules.change_min = 24 * 60;
    CU_ASSERT_EQUAL(change(CANCEL, &rules, 1, 2, id, NULL).kind, BOOKING_CANCELLED);
    CU_ASSERT_EQUAL(change(MOVE, &rules, 1, 3, id, at(on, "10:00")).kind, BOOKING_NOT_FOUND);
    CU_ASSERT_EQUAL(change(CANCEL, &rules, 1, 3, id, NULL).kind, BOOKING_NOT_FOUND);
    rules.resource_count = 1;
    CU_ASSERT_EQUAL(book(&rules, 2, 4, at(on, "09:00")).kind, BOOKING_BOOKED); /* free again */
    end_test();
}

/* The other tenant's chairs have the same names; they are never looked at. */
/* What is booked, and what is held just now, of any service; not what is over, cancelled, expired
 * or another contact's. */
static void a_customer_has_enough(void)
{
    begin_bookings();
    struct booking_rules rules = check_up(), other = check_up();
    const char *on = day(30);
    rules.most_per_customer = other.most_per_customer = 2;
    other.service = "whitening";
    struct booking_result first = book(&rules, 1, 1, at(on, "08:00"));
    CU_ASSERT_EQUAL(hold(&other, 1, 2, at(on, "09:00")).kind, BOOKING_HELD);
    struct booking_result third = book(&rules, 1, 3, at(on, "10:00"));
    CU_ASSERT_EQUAL(third.kind, BOOKING_ENOUGH);
    CU_ASSERT_TRUE(uuid_is_nil(&third.appointment.id));
    CU_ASSERT_EQUAL(hold(&rules, 1, 4, at(on, "10:00")).kind, BOOKING_ENOUGH);
    CU_ASSERT_EQUAL(book(&rules, 1, 1, at(on, "08:00")).kind, BOOKING_ALREADY);
    CU_ASSERT_EQUAL(book(&other, 1, 5, at(on, "09:00")).kind, BOOKING_BOOKED); /* the hold */
    CU_ASSERT_EQUAL(book(&rules, 1, 6, at(on, "06:00")).kind, BOOKING_OUTSIDE);
    CU_ASSERT_EQUAL(book(&rules, 2, 7, at(on, "10:00")).kind, BOOKING_BOOKED);
    const struct uuid *id = &first.appointment.id;
    CU_ASSERT_EQUAL(change(MOVE, &rules, 1, 8, id, at(on, "11:00")).kind, BOOKING_MOVED);
    CU_ASSERT_EQUAL(change(CANCEL, &rules, 1, 9, id, NULL).kind, BOOKING_CANCELLED);
    CU_ASSERT_EQUAL(hold(&rules, 1, 10, at(on, "08:00")).kind, BOOKING_HELD);
    run("UPDATE appointments SET hold_until = now() WHERE state = 'held'");
    rules.service = "polish";
    CU_ASSERT_EQUAL(book(&rules, 1, 11, at(on, "13:00")).kind, BOOKING_BOOKED);
    CU_ASSERT_EQUAL(book(&rules, 1, 12, at(on, "14:00")).kind, BOOKING_ENOUGH);
    run("UPDATE appointments SET starts_at = starts_at - interval '60 d', ends_at = ends_at -"
        " interval '60 d', busy = tstzrange(lower(busy) - interval '60 d', upper(busy) -"
        " interval '60 d') WHERE service = 'polish'");
    CU_ASSERT_EQUAL(book(&rules, 1, 13, at(on, "14:00")).kind, BOOKING_BOOKED);
    rules.most_per_customer = 0;
    CU_ASSERT_EQUAL(book(&rules, 1, 14, at(on, "15:00")).kind, BOOKING_BOOKED);
    end_test();
}

static void walls_between_tenants(void)
{
    begin_bookings();
    struct booking_rules rules = check_up();
    const char *on = day(30);
    run("DELETE FROM resources WHERE tenant_id = '" TENANT "'");
    CU_ASSERT_STRING_EQUAL(slots_on(&rules, on), "");
    CU_ASSERT_EQUAL(book(&rules, 1, 1, at(on, "09:00")).kind, BOOKING_TAKEN);
    CU_ASSERT_STRING_EQUAL(value("SELECT count(*) FROM appointments"), "0");
    end_test();
}

/* ---- the last line of defence, and input that is wrong ---- */

static void the_table_refuses_an_overlap(void)
{
    begin_bookings();
    struct booking_rules rules = check_up();
    struct pg_session *session = NULL;
    struct err err;
    book(&rules, 1, 1, at(day(30), "09:00"));
    CU_ASSERT_EQUAL_FATAL(pg_session_open(rig_server.url, "test", &session, &err), 0);
    for (int overlapping = 1; overlapping >= 0; overlapping--) {
        const char *sql = arena_printf(
            arena,
            "INSERT INTO appointments (tenant_id, id, resource_id, contact_id, service, starts_at,"
            " ends_at, busy, state) SELECT tenant_id, gen_random_uuid(), resource_id, contact_id,"
            " 'other', s, s + interval '1 h', tstzrange(s, s + interval '1 h'), 'booked'"
            " FROM (SELECT a.*, a.starts_at + interval '%d min' AS s FROM appointments a) AS a",
            overlapping ? 59 : 60);
        CU_ASSERT_EQUAL(pg_session_script(session, sql, &err), overlapping ? -1 : 0);
        CU_ASSERT(!overlapping || strcmp(err.code, "pg.23P01") == 0);
    }
    pg_session_close(&session);
    end_test();
}

static void what_is_wrong_adds_nothing(void)
{
    begin_bookings();
    struct booking_rules rules = check_up();
    struct booking_request request = request_of(1, 1, "next tuesday");
    struct pg_unit unit = {.count = 0};
    struct err err;
    CU_ASSERT_EQUAL(booking_add_book(&unit, arena, &rules, &request, &err), -1);
    CU_ASSERT_STRING_EQUAL(err.code, "booking.start");
    CU_ASSERT_EQUAL(booking_add_move(&unit, arena, &rules, &request, &err), -1);
    CU_ASSERT_EQUAL(err.class, ERR_PERMANENT);
    request.start = at(day(30), "09:00");
    request.details = "[]";
    CU_ASSERT_EQUAL(booking_add_book(&unit, arena, &rules, &request, &err), -1);
    CU_ASSERT_STRING_EQUAL(err.code, "booking.details");
    request.details = NULL;
    rules.hours = "{";
    CU_ASSERT_EQUAL(booking_add_book(&unit, arena, &rules, &request, &err), -1);
    CU_ASSERT_EQUAL(err.class, ERR_BUG);
    CU_ASSERT_EQUAL(unit.count, 0);
    /* a zone that only the database can refuse */
    rules = check_up();
    rules.timezone = "Europe/Nowhere";
    const struct slots *found =
        search(&rules, &(struct booking_search){
                           .tenant = TENANT, .from_day = day(1), .to_day = day(2), .limit = 5});
    CU_ASSERT_TRUE(found->failed);
    CU_ASSERT_EQUAL(found->err.class, ERR_BUG);
    end_test();
}

int main(void)
{
    CU_initialize_registry();
    CU_pSuite suite = CU_add_suite("bookings", open_function_server, rig_end_server);
    CU_add_test(suite, "a booking", a_booking);
    CU_add_test(suite, "outside", starts_that_cannot_be_had);
    CU_add_test(suite, "the same call twice", the_same_call_twice);
    CU_add_test(suite, "not started", a_call_that_is_not_started_does_nothing);
    CU_add_test(suite, "a hold becomes the booking", a_hold_becomes_the_booking);
    CU_add_test(suite, "a hold keeps its chair", a_hold_keeps_its_chair);
    CU_add_test(suite, "a stranger leaves the hold", a_stranger_leaves_the_hold);
    CU_add_test(suite, "an expired hold", an_expired_hold_is_free_again);
    CU_add_test(suite, "moves", moves);
    CU_add_test(suite, "a move to one's own hold", a_move_to_ones_own_hold);
    CU_add_test(suite, "who, what, until when", who_may_change_what_until_when);
    CU_add_test(suite, "enough", a_customer_has_enough);
    CU_add_test(suite, "tenants", walls_between_tenants);
    CU_add_test(suite, "the constraint", the_table_refuses_an_overlap);
    CU_add_test(suite, "wrong input", what_is_wrong_adds_nothing);
    CU_basic_run_tests();
    return CU_get_number_of_failures() != 0;
}
