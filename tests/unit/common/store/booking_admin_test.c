/* What deskctl does with bookings on a real PostgreSQL, as its role: a tenant's resources and its
 * appointments. */
#include "unit/common/store/booking_rig.h"

static struct pg_session *begin_ops(void)
{
    struct pg_session *session = NULL;
    CU_ASSERT_EQUAL_FATAL(pg_session_open(rig_server.url, "test", &session, NULL), 0);
    CU_ASSERT_EQUAL_FATAL(schema_begin_as_ops(session, NULL), 0);
    return session;
}

static void commit_ops(struct pg_session **session)
{
    CU_ASSERT_EQUAL(pg_session_script(*session, "COMMIT", NULL), 0);
    pg_session_close(session);
}

static const char *alive(void)
{
    return value("SELECT string_agg(name, ', ' ORDER BY name) FROM resources"
                 " WHERE tenant_id = '" TENANT "' AND removed_at IS NULL");
}

static void a_tenants_resources(void)
{
    static const char *const fewer[] = {"chair 1", "chair \"9\"", "chair 1"};
    begin_bookings();
    struct booking_resource_changes changed;
    struct uuid tenant;
    struct err err;
    CU_ASSERT_TRUE(uuid_parse(TENANT, &tenant));
    struct pg_session *session = begin_ops();
    CU_ASSERT_EQUAL(booking_admin_set_resources(session, &tenant, fewer, 3, &changed, &err), 0);
    commit_ops(&session);
    CU_ASSERT(changed.made == 1 && changed.revived == 0 && changed.removed == 2);
    CU_ASSERT_STRING_EQUAL(alive(), "chair \"9\", chair 1");
    session = begin_ops();
    CU_ASSERT_EQUAL(booking_admin_set_resources(session, &tenant, chairs, 3, &changed, &err), 0);
    CU_ASSERT(changed.made == 0 && changed.revived == 2 && changed.removed == 1);
    CU_ASSERT_EQUAL(booking_admin_set_resources(session, &tenant, chairs, 3, &changed, &err), 0);
    CU_ASSERT(changed.made == 0 && changed.revived == 0 && changed.removed == 0);
    commit_ops(&session);
    CU_ASSERT_STRING_EQUAL(alive(), "chair 1, chair 2, chair 3");
    session = begin_ops();
    CU_ASSERT_EQUAL(booking_admin_set_resources(session, &tenant, NULL, 0, &changed, &err), 0);
    CU_ASSERT_EQUAL(changed.removed, 3);
    commit_ops(&session);
    CU_ASSERT_STRING_EQUAL(value("SELECT count(*) FROM resources WHERE removed_at IS NULL"), "3");
    end_test();
}

static void a_tenants_appointments(void)
{
    begin_bookings();
    struct booking_rules rules = check_up();
    struct booking_admin_row *rows = NULL;
    size_t count = 0;
    struct err err;
    rules.hours = HOURS(PAIR("00:00", "24:00"));
    struct booking_result first = book(&rules, 1, 1, at(day(30), "00:00"));
    hold(&rules, 2, 2, at(day(31), "23:00"));
    book(&rules, 2, 3, at(day(32), "00:00")); /* takes the hold with it */
    hold(&rules, 2, 4, at(day(31), "23:00"));
    change(CANCEL, &rules, 1, 5, &first.appointment.id, NULL);
    struct booking_admin_query query = {.from_day = day(30), .days = 2, .all = true};
    CU_ASSERT_TRUE(uuid_parse(TENANT, &query.tenant));
    struct pg_session *session = begin_ops();
    CU_ASSERT_EQUAL_FATAL(booking_admin_list(session, arena, &query, &rows, &count, &err), 0);
    CU_ASSERT_EQUAL_FATAL(count, 2);
    CU_ASSERT_STRING_EQUAL(rows[0].state, "cancelled");
    CU_ASSERT_STRING_EQUAL(rows[0].address, "+15559001");
    CU_ASSERT_PTR_NULL(rows[0].hold_until);
    CU_ASSERT_STRING_EQUAL(rows[1].state, "held");
    CU_ASSERT_PTR_NOT_NULL(strstr(rows[1].starts_at, at(day(31), "23:00:00+0")));
    CU_ASSERT_PTR_NOT_NULL(rows[1].hold_until);
    query.all = false;
    CU_ASSERT_EQUAL_FATAL(booking_admin_list(session, arena, &query, &rows, &count, &err), 0);
    CU_ASSERT_EQUAL_FATAL(count, 1);
    CU_ASSERT_STRING_EQUAL(rows[0].state, "held");
    query.from_day = NULL; /* today */
    query.days = 32;
    CU_ASSERT_EQUAL_FATAL(booking_admin_list(session, arena, &query, &rows, &count, &err), 0);
    CU_ASSERT_EQUAL(count, 1);
    CU_ASSERT_EQUAL(pg_session_script(session, "UPDATE appointments SET hold_until = now()", &err),
                    0);
    CU_ASSERT_EQUAL_FATAL(booking_admin_list(session, arena, &query, &rows, &count, &err), 0);
    CU_ASSERT_EQUAL(count, 0);
    query.from_day = "x";
    CU_ASSERT_EQUAL(booking_admin_list(session, arena, &query, &rows, &count, &err), -1);
    CU_ASSERT_STRING_EQUAL(err.code, "booking.day");
    query = (struct booking_admin_query){.from_day = day(30), .days = 366, .all = true};
    CU_ASSERT_TRUE(uuid_parse(OTHER_TENANT, &query.tenant));
    CU_ASSERT_EQUAL_FATAL(booking_admin_list(session, arena, &query, &rows, &count, &err), 0);
    CU_ASSERT_EQUAL(count, 0);
    commit_ops(&session);
    end_test();
}

int main(void)
{
    CU_initialize_registry();
    CU_pSuite suite = CU_add_suite("bookings: admin", open_function_server, rig_end_server);
    CU_add_test(suite, "a tenant's resources", a_tenants_resources);
    CU_add_test(suite, "a tenant's appointments", a_tenants_appointments);
    CU_basic_run_tests();
    return CU_get_number_of_failures() != 0;
}
