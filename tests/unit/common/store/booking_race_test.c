/* What two connections do to the same chairs at once, and which plans the statements of bookings
 * get in tables that have grown, on a real PostgreSQL (docs/PROTOCOL.md, bookings). */
#include "unit/common/store/booking_rig.h"

/* The last slot, two customers, 1,000 times: one gets it, the other is told, nobody errs. */
static void two_want_the_last_slot(void)
{
    begin_bookings();
    const struct booking_rules rules = always();
    int booked = 0, taken = 0, wrong = 0;
    for (int i = 0; i < 1000; i++) {
        struct done out[2];
        for (int who = 0; who < 2; who++) {
            const struct booking_request request =
                request_of(who + 1, 2 * i + who + 1, start_number(i));
            submit(BOOK, &rules, &request, &out[who]);
        }
        rig_run();
        for (int who = 0; who < 2; who++) {
            booked += !out[who].failed && out[who].result.kind == BOOKING_BOOKED;
            taken += !out[who].failed && out[who].result.kind == BOOKING_TAKEN;
        }
        wrong += booked != i + 1 || taken != i + 1;
    }
    CU_ASSERT_EQUAL(booked, 1000);
    CU_ASSERT_EQUAL(taken, 1000);
    CU_ASSERT_EQUAL(wrong, 0);
    CU_ASSERT_STRING_EQUAL(value("SELECT count(*) || ' ' || count(DISTINCT starts_at)"
                                 " FROM appointments WHERE state = 'booked'"),
                           "1000 1000");
    end_test();
}

/* Two services name the same chairs in opposite order: nobody waits in a circle, both get one. */
static void two_orders_of_chairs(void)
{
    begin_bookings();
    struct booking_rules rules[2] = {always(), always()};
    static const char *const backwards[] = {"chair 2", "chair 1"};
    int booked = 0;
    rules[0].resource_count = rules[1].resource_count = 2;
    rules[1].resources = backwards;
    rules[1].service = "whitening";
    for (int i = 0; i < 200; i++) {
        struct done out[2];
        for (int who = 0; who < 2; who++) {
            const struct booking_request request =
                request_of(who + 1, 2 * i + who + 1, start_number(i));
            submit(BOOK, &rules[who], &request, &out[who]);
        }
        rig_run();
        for (int who = 0; who < 2; who++)
            booked += !out[who].failed && out[who].result.kind == BOOKING_BOOKED;
    }
    CU_ASSERT_EQUAL(booked, 400);
    end_test();
}

/* Two conversations of one contact want one more at once, on chairs of their own: one gets it.
 * Guard: lock_contact_sql. */
static void two_want_the_last_of_a_contact(void)
{
    begin_bookings();
    struct booking_rules rules[2] = {always(), always()};
    static const char *const other[] = {"chair 2"};
    int booked = 0, enough = 0;
    rules[1].resources = other;
    rules[1].service = "whitening";
    for (int i = 0; i < 200; i++) {
        struct done out[2];
        for (int k = 0; k < 2; k++) {
            const struct booking_request request = request_of(1, 2 * i + k + 1, start_number(i));
            rules[k].most_per_customer = 1;
            submit(BOOK, &rules[k], &request, &out[k]);
        }
        rig_run();
        for (int k = 0; k < 2; k++) {
            booked += !out[k].failed && out[k].result.kind == BOOKING_BOOKED;
            enough += !out[k].failed && out[k].result.kind == BOOKING_ENOUGH;
        }
        run("UPDATE appointments SET state = 'cancelled'");
    }
    CU_ASSERT_EQUAL(booked, 200);
    CU_ASSERT_EQUAL(enough, 200);
    end_test();
}

/* Two appointments are moved to the same start at once. Guard: the locks on the resources; without
 * them an UPDATE meets the exclusion constraint. */
static void two_move_to_the_same_slot(void)
{
    begin_bookings();
    const struct booking_rules rules = always();
    struct uuid id[2];
    int moved = 0, taken = 0;
    for (int who = 0; who < 2; who++)
        id[who] = book(&rules, who + 1, who + 1, start_number(1000 + who)).appointment.id;
    for (int i = 0; i < 200; i++) {
        struct done out[2];
        for (int who = 0; who < 2; who++) {
            struct booking_request request = request_of(who + 1, 2 * i + who + 3, start_number(i));
            request.appointment = id[who];
            submit(MOVE, &rules, &request, &out[who]);
        }
        rig_run();
        for (int who = 0; who < 2; who++) {
            moved += !out[who].failed && out[who].result.kind == BOOKING_MOVED;
            taken += !out[who].failed && out[who].result.kind == BOOKING_TAKEN;
        }
    }
    CU_ASSERT_EQUAL(moved, 200);
    CU_ASSERT_EQUAL(taken, 200);
    end_test();
}

/* The same call from two connections at once, as when an answer to a COMMIT was lost. */
static void one_call_twice_at_once(void)
{
    begin_bookings();
    const struct booking_rules rules = always();
    int booked = 0, already = 0;
    for (int i = 0; i < 100; i++) {
        struct done out[2];
        const struct booking_request request = request_of(1, i + 1, start_number(i));
        submit(BOOK, &rules, &request, &out[0]);
        submit(BOOK, &rules, &request, &out[1]);
        rig_run();
        for (int k = 0; k < 2; k++) {
            booked += !out[k].failed && out[k].result.kind == BOOKING_BOOKED;
            already += !out[k].failed && out[k].result.kind == BOOKING_ALREADY;
        }
    }
    CU_ASSERT_EQUAL(booked, 100);
    CU_ASSERT_EQUAL(already, 100);
    end_test();
}

/* ---- plans ---- */

/* As flow/schema.no_frequent_statement_reads_a_table_whole: what each function of a statement on
 * bookings reads without a condition, or by its tenant alone. */
static const char plans_sql[] =
    "CREATE FUNCTION bad_plans() RETURNS text LANGUAGE plpgsql AS $f$\n"
    "DECLARE f record; plan json; bad text := ''; seen integer := 0; node jsonb; setting text;\n"
    "BEGIN\n"
    " FOR f IN SELECT proname, prosrc, proconfig, pronargs, array_to_string(ARRAY("
    "   SELECT format_type(t, NULL) FROM unnest(proargtypes) AS t), ',') AS types FROM pg_proc"
    "   WHERE proname LIKE 'desk\\_statement\\_%' AND (prosrc LIKE '%appointments%'"
    "   OR prosrc LIKE '%resources r%') LOOP\n"
    "  seen := seen + 1;\n"
    "  FOREACH setting IN ARRAY f.proconfig LOOP\n"
    "   PERFORM set_config(split_part(setting, '=', 1), split_part(setting, '=', 2), true);\n"
    "  END LOOP;\n"
    "  EXECUTE format('PREPARE %I (%s) AS %s', f.proname, f.types,"
    "   substring(f.prosrc FROM 'BEGIN (?:RETURN QUERY )?(.*); END'));\n"
    "  EXECUTE format('EXPLAIN (FORMAT JSON) EXECUTE %I (%s)', f.proname,"
    "   array_to_string(array_fill('NULL'::text, ARRAY[f.pronargs::integer]), ', ')) INTO plan;\n"
    "  FOR node IN SELECT n FROM jsonb_path_query(plan::jsonb, 'strict $.**') AS n"
    "    WHERE jsonb_typeof(n) = 'object' AND n ? 'Node Type' LOOP\n"
    "   IF node ->> 'Node Type' = 'Seq Scan' OR (node ? 'Index Name' AND"
    "     coalesce(node ->> 'Index Cond', '') ~ '^(\\(tenant_id = [^()]*\\))?$') THEN\n"
    "    bad := bad || ' ' || coalesce(node ->> 'Index Name', node ->> 'Relation Name') || ' in '"
    "     || left(regexp_replace(f.prosrc, '.*BEGIN ', ''), 60);\n"
    "   END IF;\n"
    "  END LOOP;\n"
    " END LOOP;\n"
    " RETURN seen || ':' || bad;\n"
    "END $f$;";

static void no_plan_grows_with_history(void)
{
    begin_bookings();
    run("INSERT INTO resources (tenant_id, id, name) SELECT '" TENANT
        "', gen_random_uuid(), 'bay ' || n"
        " FROM generate_series(1, 2000) AS n");
    run("INSERT INTO appointments (tenant_id, id, resource_id, contact_id, service, starts_at,"
        " ends_at, busy, state, hold_until) SELECT r.tenant_id, gen_random_uuid(), r.id,"
        " ('02000000-0000-0000-0000-' || lpad((n % 3 + 1)::text, 12, '0'))::uuid,"
        " CASE WHEN n % 10 = 1 THEN 'service ' || r.name || n ELSE 'check-up' END,"
        " s, s + interval '1 h', tstzrange(s, s + interval '1 h'),"
        " CASE n % 10 WHEN 0 THEN 'cancelled' WHEN 1 THEN 'held' ELSE 'booked' END,"
        " CASE WHEN n % 10 = 1 THEN now() END"
        " FROM resources r CROSS JOIN generate_series(1, 6000) AS n"
        " CROSS JOIN LATERAL (SELECT now() + (n - 5000) * interval '2 h' AS s) AS x"
        " WHERE r.tenant_id = '" TENANT "' AND r.name LIKE 'chair %';"
        "INSERT INTO appointment_changes (tenant_id, call_id, appointment_id, kind, was_at)"
        " SELECT a.tenant_id, k.id, a.id, 'moved', now() FROM (SELECT *, row_number() OVER () AS n"
        " FROM appointments) AS a JOIN (SELECT *, row_number() OVER () AS n FROM tool_calls) AS k"
        " ON k.n = a.n; ANALYZE");
    run(plans_sql);
    const char *found = value("SELECT bad_plans()");
    if (strcmp(found, "9:") != 0)
        printf("    %s\n", found);
    CU_ASSERT_STRING_EQUAL(found, "9:");
    run("DROP FUNCTION bad_plans()");
    end_test();
}

int main(void)
{
    CU_initialize_registry();
    CU_pSuite suite = CU_add_suite("booking races", open_function_server, rig_end_server);
    CU_add_test(suite, "the last slot", two_want_the_last_slot);
    CU_add_test(suite, "two orders of chairs", two_orders_of_chairs);
    CU_add_test(suite, "the last of a contact", two_want_the_last_of_a_contact);
    CU_add_test(suite, "two moves", two_move_to_the_same_slot);
    CU_add_test(suite, "one call twice at once", one_call_twice_at_once);
    CU_add_test(suite, "plans", no_plan_grows_with_history);
    CU_basic_run_tests();
    return CU_get_number_of_failures() != 0;
}
