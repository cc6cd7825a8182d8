/* Free starts and a contact's appointments: see booking_look.h. Used by the engine only. What is
 * free here may be taken a moment later: only booking.c, under its locks, decides. */
#include "store/booking_look.h"

#include "store/booking_inside.h"

#include <assert.h>

#define TODAY_SQL    "(now() AT TIME ZONE $2::text)::date"
#define DURATION_SQL "make_interval(mins => $8::integer)"

/* The busy times of a resource come as one multirange, so that each start is looked up in that and
 * not in the table; those from well before the first day until well after the last. */
static const char slots_sql[] =
    "WITH span AS (SELECT greatest($6::date, " TODAY_SQL ") AS since,"
    " least($7::date, greatest($6::date, " TODAY_SQL ") + ($17::integer - 1),"
    " " TODAY_SQL " + $15::integer) AS until),"
    " start AS (SELECT DISTINCT g.at FROM span s"
    " CROSS JOIN LATERAL generate_series(0, s.until - s.since) AS n"
    " CROSS JOIN LATERAL openings(s.since + n, $11::jsonb, $12::jsonb, $2::text) AS o"
    " CROSS JOIN LATERAL generate_series(o.begins, o.ends - " DURATION_SQL ","
    " make_interval(mins => $13::integer)) AS g (at) WHERE is_said_once(g.at, $2::text)"
    " AND g.at >= now() + make_interval(mins => $14::integer)),"
    " resource AS (SELECT (SELECT range_agg(a.busy) FROM appointments a"
    " WHERE a.tenant_id = r.tenant_id AND a.resource_id = r.id AND a.state IN ('held', 'booked')"
    " AND a.busy && tstzrange((s.since::timestamp AT TIME ZONE $2::text) - interval '48 h',"
    " (s.until::timestamp AT TIME ZONE $2::text) + interval '96 h')"
    " AND (a.state = 'booked' OR (a.hold_until > now() AND (a.contact_id = $3::uuid"
    " AND a.service = $4::text) IS NOT TRUE))) AS busy"
    " FROM resources r CROSS JOIN span s WHERE r.tenant_id = $1::uuid AND r.name = ANY ($5::text[])"
    " AND r.removed_at IS NULL),"
    " roomy AS (SELECT t.at, t.at AT TIME ZONE $2::text AS clock, f.free FROM start t"
    " CROSS JOIN LATERAL (SELECT count(*) AS free FROM resource r WHERE r.busy IS NULL"
    " OR NOT r.busy && tstzrange(t.at - make_interval(mins => $9::integer),"
    " t.at + " DURATION_SQL " + make_interval(mins => $10::integer))) AS f WHERE f.free > 0),"
    " hourly AS (SELECT r.*, width_bucket(extract(hour FROM r.clock), ARRAY[12, 17]::numeric[])"
    " AS part, row_number() OVER (PARTITION BY date_trunc('hour', r.clock) ORDER BY r.at) AS inside"
    " FROM roomy r),"
    " spread AS (SELECT h.*, row_number() OVER (PARTITION BY h.clock::date, h.part"
    " ORDER BY h.inside, h.at) AS round FROM hourly h),"
    " picked AS (SELECT p.at, p.free FROM spread p ORDER BY p.round, p.at LIMIT $16::integer)"
    " SELECT local_moment(p.at, $2::text), p.free FROM picked p ORDER BY p.at";

/* An appointment lasts a day at most, so the index need not be read from further back. */
static const char coming_sql[] =
    "SELECT " BOOKING_APPOINTMENT_SQL " FROM appointments s"
    " JOIN resources r ON r.tenant_id = s.tenant_id AND r.id = s.resource_id"
    " WHERE s.tenant_id = $1::uuid AND s.contact_id = $3::uuid"
    " AND s.starts_at > now() - interval '24 h' AND s.ends_at > now()"
    " AND (s.state = 'booked' OR (s.state = 'held' AND s.hold_until > now()))"
    " ORDER BY s.starts_at, s.id LIMIT $4::integer";

int booking_look_add_slots(struct pg_unit *unit, struct arena *arena,
                           const struct booking_rules *rules, const struct booking_search *search,
                           struct err *err)
{
    assert(search->limit > 0 && search->limit <= BOOKING_SLOTS_MAX);
    if (booking_check_rules(rules, err) != 0 || booking_check_day(search->from_day, err) != 0 ||
        booking_check_day(search->to_day, err) != 0)
        return -1;
    const char *const params[] = {
        search->tenant,
        rules->timezone,
        booking_uuid(arena, &search->contact),
        rules->service,
        booking_resources(arena, rules),
        search->from_day,
        search->to_day,
        booking_number(arena, rules->duration_min),
        booking_number(arena, rules->buffer_before_min),
        booking_number(arena, rules->buffer_after_min),
        rules->hours,
        rules->holidays,
        booking_number(arena, rules->step_min),
        booking_number(arena, rules->lead_min),
        booking_number(arena, rules->horizon_days),
        booking_number(arena, search->limit),
        booking_number(arena, BOOKING_DAYS_MAX),
    };
    booking_add(unit, slots_sql, params, sizeof params / sizeof params[0]);
    return 0;
}

bool booking_look_read_slot(const struct pg_answer *answer, int statement, int row,
                            struct booking_slot *out)
{
    if (row >= pg_rows(answer->results, statement))
        return false;
    *out = (struct booking_slot){.start = booking_read_moment(answer, statement, row, 0),
                                 .free = (int)pg_int(answer->results, statement, row, 1)};
    return true;
}

void booking_look_add_coming(struct pg_unit *unit, struct arena *arena, const char *tenant,
                             const struct uuid *contact, const char *timezone)
{
    const char *const params[] = {tenant, timezone, booking_uuid(arena, contact),
                                  booking_number(arena, BOOKING_COMING_MAX)};
    booking_add(unit, coming_sql, params, sizeof params / sizeof params[0]);
}

bool booking_look_read_coming(const struct pg_answer *answer, int statement, int row,
                              struct booking_appointment *out)
{
    if (row >= pg_rows(answer->results, statement))
        return false;
    *out = booking_read_appointment(answer, statement, row, 0);
    return true;
}

const char *const booking_look_statements[] = {slots_sql, coming_sql, NULL};
