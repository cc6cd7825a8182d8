/* Free starts and coming appointments on a real PostgreSQL, as the engine's role: openings, grid,
 * buffers, holidays, and the days on which the clock changes (docs/PROTOCOL.md, bookings). */
#include "unit/common/store/booking_rig.h"

/* ---- free starts ---- */

static void openings_grid_and_chairs(void)
{
    begin_bookings();
    struct booking_rules rules = check_up();
    const char *on = day(30);
    CU_ASSERT_STRING_EQUAL(slots_on(&rules, on),
                           "08:00x2 08:30x2 09:00x2 09:30x2 10:00x2 10:30x2 11:00x2"
                           " 13:00x2 13:30x2 14:00x2 14:30x2 15:00x2 15:30x2 16:00x2");
    CU_ASSERT_EQUAL(book(&rules, 1, 1, at(on, "09:00")).kind, BOOKING_BOOKED);
    CU_ASSERT_EQUAL(book(&rules, 2, 2, at(on, "09:30")).kind, BOOKING_BOOKED);
    rules.hours = HOURS(PAIR("08:00", "12:00"));
    CU_ASSERT_STRING_EQUAL(slots_on(&rules, on), "08:00x2 08:30x1 10:00x1 10:30x2 11:00x2");
    rules.resource_count = 3; /* a third chair can do it too */
    CU_ASSERT_STRING_EQUAL(slots_on(&rules, on),
                           "08:00x3 08:30x2 09:00x1 09:30x1 10:00x2 10:30x3 11:00x3");
    run("UPDATE resources SET removed_at = now() WHERE name = 'chair 3'");
    rules.hours = HOURS(PAIR("10:00", "11:00"));
    CU_ASSERT_STRING_EQUAL(slots_on(&rules, on), "10:00x1");
    end_test();
}

/* Buffers keep a distance to other appointments; they may lie outside the hours. */
static void buffers(void)
{
    begin_bookings();
    struct booking_rules rules = check_up();
    const char *on = day(30);
    rules.resource_count = 1;
    rules.hours = HOURS(PAIR("08:00", "13:00"));
    rules.buffer_before_min = 30;
    CU_ASSERT_EQUAL(book(&rules, 1, 1, at(on, "10:00")).kind, BOOKING_BOOKED);
    CU_ASSERT_STRING_EQUAL(slots_on(&rules, on), "08:00x1 08:30x1 11:30x1 12:00x1");
    rules.buffer_before_min = 0;
    rules.buffer_after_min = 30;
    CU_ASSERT_STRING_EQUAL(slots_on(&rules, on), "08:00x1 11:00x1 11:30x1 12:00x1");
    CU_ASSERT_EQUAL(book(&rules, 2, 2, at(on, "08:30")).kind, BOOKING_TAKEN);
    CU_ASSERT_EQUAL(book(&rules, 2, 2, at(on, "08:00")).kind, BOOKING_BOOKED);
    end_test();
}

static void lead_and_horizon(void)
{
    begin_bookings();
    struct booking_rules rules = check_up();
    rules.hours = HOURS(PAIR("00:00", "24:00"));
    rules.step_min = rules.duration_min = 60;
    rules.lead_min = 300;
    rules.horizon_days = 2;
    const struct booking_search all = {
        .tenant = TENANT, .from_day = "1999-01-01", .to_day = "2999-12-31", .limit = 50};
    const struct slots *found = search(&rules, &all);
    CU_ASSERT_FALSE(found->failed);
    const char *first = arena_printf(arena, "%.25s", found->full);
    CU_ASSERT_STRING_EQUAL(
        value(arena_printf(arena,
                           "SELECT '%s'::timestamptz - now() BETWEEN interval '5 h' AND"
                           " interval '7 h'",
                           first)),
        "t");
    CU_ASSERT_PTR_NOT_NULL(strstr(found->full, day(2)));
    CU_ASSERT_PTR_NULL(strstr(found->full, day(3)));
    struct booking_result no = book(&rules, 1, 1, at(day(3), "09:00"));
    CU_ASSERT(no.kind == BOOKING_OUTSIDE && no.limit == BOOKING_LIMIT_HORIZON);
    no = book(&rules, 1, 1, at(day(-1), "09:00"));
    CU_ASSERT(no.kind == BOOKING_OUTSIDE && no.limit == BOOKING_LIMIT_LEAD);
    CU_ASSERT_EQUAL(book(&rules, 1, 1, at(day(2), "23:00")).kind, BOOKING_BOOKED);
    end_test();
}

/* A few of many: each half of a day before the second of any, the first of each hour first. */
static void a_limited_search_is_spread(void)
{
    begin_bookings();
    struct booking_rules rules = check_up();
    const char *from = day(30), *to = day(31);
    struct booking_search two_days = {.tenant = TENANT, .from_day = from, .to_day = to, .limit = 3};
    CU_ASSERT_STRING_EQUAL(search(&rules, &two_days)->times, "08:00x2 13:00x2 08:00x2");
    two_days.to_day = from;
    two_days.limit = 4;
    CU_ASSERT_STRING_EQUAL(search(&rules, &two_days)->times, "08:00x2 09:00x2 13:00x2 14:00x2");
    two_days.limit = 1;
    const struct slots *one = search(&rules, &two_days);
    CU_ASSERT_EQUAL(one->count, 1);
    CU_ASSERT_STRING_EQUAL(arena_printf(arena, "%.16s", one->full), at(from, "08:00"));
    two_days.to_day = day(29); /* ends before it begins */
    CU_ASSERT_EQUAL(search(&rules, &two_days)->count, 0);
    end_test();
}

static void hours_until_midnight(void)
{
    begin_bookings();
    struct booking_rules rules = check_up();
    const char *on = day(30);
    rules.hours = HOURS(PAIR("00:00", "01:30") "," PAIR("22:00", "24:00"));
    CU_ASSERT_STRING_EQUAL(slots_on(&rules, on), "00:00x2 00:30x2 22:00x2 22:30x2 23:00x2");
    struct booking_result last = book(&rules, 1, 1, at(on, "23:00"));
    CU_ASSERT_EQUAL(last.kind, BOOKING_BOOKED);
    CU_ASSERT_STRING_EQUAL(last.appointment.end.date, day(31));
    CU_ASSERT_STRING_EQUAL(last.appointment.end.time, "00:00");
    CU_ASSERT_EQUAL(book(&rules, 1, 2, at(on, "23:30")).limit, BOOKING_LIMIT_HOURS);
    CU_ASSERT_EQUAL(book(&rules, 1, 2, at(day(31), "00:00")).kind, BOOKING_BOOKED);
    end_test();
}

static void holidays_and_closed_days(void)
{
    begin_bookings();
    struct booking_rules rules = check_up();
    const char *closed = day(30), *half = day(31);
    rules.holidays = arena_printf(arena,
                                  "[{\"day\":\"%s\",\"name\":\"Feast\"},{\"day\":\"%s\","
                                  "\"name\":\"Eve\",\"hours\":[[\"08:00\",\"10:00\"]]}]",
                                  closed, half);
    CU_ASSERT_STRING_EQUAL(slots_on(&rules, closed), "");
    CU_ASSERT_STRING_EQUAL(slots_on(&rules, half), "08:00x2 08:30x2 09:00x2");
    struct booking_result no = book(&rules, 1, 1, at(closed, "09:00"));
    CU_ASSERT(no.kind == BOOKING_OUTSIDE && no.limit == BOOKING_LIMIT_HOLIDAY);
    CU_ASSERT_STRING_EQUAL(no.holiday, "Feast");
    no = book(&rules, 1, 1, at(half, "14:00"));
    CU_ASSERT(no.kind == BOOKING_OUTSIDE && no.limit == BOOKING_LIMIT_HOLIDAY);
    CU_ASSERT_EQUAL(book(&rules, 1, 1, at(half, "09:00")).kind, BOOKING_BOOKED);
    rules.holidays = "[]";
    rules.hours = "{}";
    CU_ASSERT_STRING_EQUAL(slots_on(&rules, closed), "");
    CU_ASSERT_EQUAL(book(&rules, 1, 2, at(closed, "09:00")).limit, BOOKING_LIMIT_HOURS);
    end_test();
}

/* ---- days on which the clock changes ---- */

/* The next day in the zone that lasts so many hours. */
static const char *day_of_hours(const char *zone, int hours)
{
    return arena_strdup(
        arena, value(arena_printf(
                   arena,
                   "SELECT to_char(d, 'YYYY-MM-DD') FROM (SELECT (now() AT TIME ZONE '%s')::date"
                   " + n AS d FROM generate_series(1, 366) AS n) AS x WHERE (d + 1)::timestamp AT"
                   " TIME ZONE '%s' - d::timestamp AT TIME ZONE '%s' = interval '%d h' ORDER BY d"
                   " LIMIT 1",
                   zone, zone, zone, hours)));
}

static const struct zone {
    const char *name, *winter, *summer;
    const char *twice; /* the hour that comes twice in autumn; in spring 2 is jumped over */
} berlin = {"Europe/Berlin", "+01:00", "+02:00", "02"},
  los_angeles = {"America/Los_Angeles", "-08:00", "-07:00", "01"};

static const struct {
    const struct zone *zone;
    int hours; /* of the day */
    const char *opening;
    int duration_min;
    const char *expected;
} changes[] = {
    {&berlin, 23, PAIR("01:00", "05:00"), 30, "01:00x1 01:30x1 03:00x1 03:30x1 04:00x1 04:30x1"},
    {&berlin, 23, PAIR("01:00", "05:00"), 60, "01:00x1 01:30x1 03:00x1 03:30x1 04:00x1"},
    {&berlin, 23, PAIR("02:00", "03:00"), 30, ""},
    {&berlin, 23, PAIR("02:15", "02:45"), 30, ""},
    {&berlin, 23, PAIR("00:30", "02:30"), 30, "00:30x1 01:00x1 01:30x1"},
    {&berlin, 23, PAIR("02:30", "04:00"), 30, "03:00x1 03:30x1"},
    {&berlin, 25, PAIR("01:00", "04:00"), 30, "01:00x1 01:30x1 02:00x1 02:30x1 03:00x1 03:30x1"},
    {&berlin, 25, PAIR("02:00", "03:00"), 30, "02:00x1 02:30x1"},
    {&berlin, 25, PAIR("02:15", "02:45"), 30, "02:15x1"},
    {&berlin, 25, PAIR("00:30", "02:30"), 30, "00:30x1 01:00x1 01:30x1"},
    {&berlin, 25, PAIR("00:30", "02:30"), 60, "00:30x1 01:00x1 01:30x1"},
    {&berlin, 25, PAIR("02:00", "02:30") "," PAIR("02:30", "03:00"), 30, "02:00x1 02:30x1"},
    {&los_angeles, 23, PAIR("01:00", "05:00"), 60, "01:00x1 01:30x1 03:00x1 03:30x1 04:00x1"},
    {&los_angeles, 23, PAIR("02:00", "03:00"), 30, ""},
    {&los_angeles, 23, PAIR("00:30", "02:30"), 30, "00:30x1 01:00x1 01:30x1"},
    {&los_angeles, 25, PAIR("00:00", "02:30"), 30, "00:00x1 00:30x1 01:00x1 01:30x1 02:00x1"},
    {&los_angeles, 25, PAIR("01:00", "02:00"), 30, "01:00x1 01:30x1"},
    {&los_angeles, 25, PAIR("00:00", "01:30"), 60, "00:00x1 00:30x1"},
};

static void openings_when_the_clock_changes(void)
{
    begin_bookings();
    struct booking_rules rules = check_up();
    rules.resource_count = 1;
    for (size_t i = 0; i < sizeof changes / sizeof changes[0]; i++) {
        const char *pairs = changes[i].opening;
        rules.timezone = changes[i].zone->name;
        rules.hours =
            arena_printf(arena, HOURS("%s"), pairs, pairs, pairs, pairs, pairs, pairs, pairs);
        rules.duration_min = changes[i].duration_min;
        const char *found = slots_on(&rules, day_of_hours(rules.timezone, changes[i].hours));
        if (strcmp(found, changes[i].expected) != 0)
            printf("    %s, %d h, %s: %s\n", rules.timezone, changes[i].hours, pairs, found);
        CU_ASSERT_STRING_EQUAL(found, changes[i].expected);
    }
    end_test();
}

static const char *hour_of(const char *date, const char *hour, const char *rest)
{
    return arena_printf(arena, "%sT%s:%s", date, hour, rest);
}

/* A day that is open all day: each hour that the clock shows once, and none twice. */
static void check_whole_days(const struct zone *zone, const char *spring, const char *autumn)
{
    struct booking_rules rules = check_up();
    rules.timezone = zone->name;
    rules.resource_count = 1;
    rules.hours = HOURS(PAIR("00:00", "24:00"));
    rules.step_min = rules.duration_min = 60;
    struct booking_search whole = {
        .tenant = TENANT, .from_day = spring, .to_day = spring, .limit = BOOKING_SLOTS_MAX};
    CU_ASSERT_EQUAL(search(&rules, &whole)->count, 23);
    whole.from_day = whole.to_day = autumn;
    const struct slots *found = search(&rules, &whole);
    CU_ASSERT_EQUAL(found->count, 24);
    CU_ASSERT_PTR_NOT_NULL(
        strstr(found->full, hour_of(autumn, "00", arena_printf(arena, "00:00%s", zone->summer))));
    CU_ASSERT_PTR_NOT_NULL(strstr(
        found->full, hour_of(autumn, zone->twice, arena_printf(arena, "00:00%s", zone->winter))));
    CU_ASSERT_PTR_NULL(strstr(
        found->full, hour_of(autumn, zone->twice, arena_printf(arena, "00:00%s", zone->summer))));
}

/* The same starts when they are booked: by the local clock, and with an offset. */
static void check_bookings(const struct zone *zone, const char *spring, const char *autumn)
{
    struct booking_rules rules = check_up();
    rules.timezone = zone->name;
    rules.resource_count = 1;
    rules.hours = HOURS(PAIR("00:00", "24:00"));
    const char *first = hour_of(autumn, zone->twice, arena_printf(arena, "30:00%s", zone->summer));
    const char *second = hour_of(autumn, zone->twice, arena_printf(arena, "30:00%s", zone->winter));
    CU_ASSERT_EQUAL(book(&rules, 1, 1, at(spring, "02:30")).limit, BOOKING_LIMIT_HOURS);
    CU_ASSERT_EQUAL(book(&rules, 1, 1, first).limit, BOOKING_LIMIT_HOURS);
    struct booking_result done = book(&rules, 1, 1, hour_of(autumn, zone->twice, "30"));
    CU_ASSERT_EQUAL(done.kind, BOOKING_BOOKED);
    CU_ASSERT_STRING_EQUAL(done.appointment.start.rfc3339, second);
    CU_ASSERT_EQUAL(book(&rules, 2, 2, second).kind, BOOKING_TAKEN);
    done = book(&rules, 2, 3, at(spring, "01:30"));
    CU_ASSERT_EQUAL(done.kind, BOOKING_BOOKED);
    CU_ASSERT_STRING_EQUAL(done.appointment.end.time, "03:30");
}

static void bookings_when_the_clock_changes(void)
{
    static const struct zone *const zones[] = {&berlin, &los_angeles};
    for (int i = 0; i < 2; i++) {
        begin_bookings();
        const char *spring = day_of_hours(zones[i]->name, 23);
        const char *autumn = day_of_hours(zones[i]->name, 25);
        check_whole_days(zones[i], spring, autumn);
        check_bookings(zones[i], spring, autumn);
        end_test();
    }
}

/* ---- coming appointments ---- */

static struct {
    int count;
    char text[TEXT_MAX];
} coming;

static void on_coming(void *arg, const struct pg_answer *answer)
{
    struct booking_appointment one;
    size_t used = 0;
    (void)arg;
    coming.count = 0;
    coming.text[0] = '\0';
    CU_ASSERT_PTR_NULL_FATAL(answer->err);
    while (booking_look_read_coming(answer, 0, coming.count, &one))
        used += (size_t)snprintf(coming.text + used, TEXT_MAX - used, "%s%s %s %s",
                                 coming.count++ > 0 ? ", " : "", one.start.time, one.state,
                                 one.resource);
    rig_count_down();
}

static void coming_appointments(void)
{
    begin_bookings();
    struct booking_rules rules = check_up();
    const char *on = day(30);
    book(&rules, 1, 1, at(on, "10:00"));
    book(&rules, 2, 2, at(on, "10:00"));
    hold(&rules, 1, 3, at(on, "09:00"));
    struct booking_result gone = book(&rules, 1, 4, at(on, "14:00")); /* takes the hold with it */
    hold(&rules, 1, 5, at(on, "15:00"));
    change(CANCEL, &rules, 1, 6, &gone.appointment.id, NULL);
    const struct uuid who = contact(1);
    for (int expired = 0; expired <= 1; expired++) {
        struct pg_unit unit = {.done = on_coming};
        booking_look_add_coming(&unit, arena, TENANT, &who, "Europe/Berlin");
        rig_waiting++;
        pg_submit(rig_pg, &unit);
        rig_run();
        CU_ASSERT_STRING_EQUAL(coming.text, expired ? "10:00 booked chair 1"
                                                    : "10:00 booked chair 1, 15:00 held chair 1");
        run("UPDATE appointments SET hold_until = now() WHERE state = 'held'");
    }
    end_test();
}

int main(void)
{
    CU_initialize_registry();
    CU_pSuite suite = CU_add_suite("bookings: look", open_function_server, rig_end_server);
    CU_add_test(suite, "openings, grid, chairs", openings_grid_and_chairs);
    CU_add_test(suite, "buffers", buffers);
    CU_add_test(suite, "lead and horizon", lead_and_horizon);
    CU_add_test(suite, "spread", a_limited_search_is_spread);
    CU_add_test(suite, "midnight", hours_until_midnight);
    CU_add_test(suite, "holidays", holidays_and_closed_days);
    CU_add_test(suite, "openings when the clock changes", openings_when_the_clock_changes);
    CU_add_test(suite, "bookings when the clock changes", bookings_when_the_clock_changes);
    CU_add_test(suite, "coming", coming_appointments);
    CU_basic_run_tests();
    return CU_get_number_of_failures() != 0;
}
