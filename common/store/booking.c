/* The SQL that makes and changes appointments: see booking.h and docs/PROTOCOL.md, bookings. Used
 * by the engine only. The arithmetic of days and zones is in functions of the database (migration
 * 0009). All statements of a unit judge holds by now(), the time at which the unit began, so that
 * they agree on what has run out.
 *
 * Locks: whoever gives an appointment a time first locks the rows of all resources that the service
 * may use, by id, then the appointments that it may change, by id; the statement that looks for
 * room comes after both, with a snapshot of its own. So what it sees free stays free until its
 * commit, and neither its INSERT nor its UPDATE can meet the exclusion constraint. Nobody locks a
 * resource while holding an appointment, so no two units can wait for each other. Cancelling and
 * erasure only make room: they lock appointments alone, by id too. In front of all this, bookings
 * of one contact follow one another where he may have so many: an advisory lock, since his row is
 * locked by claims before the session. */
#include "store/booking.h"

#include "store/booking_inside.h"

#include <assert.h>
#include <stdio.h>
#include <string.h>

/* $1 tenant, $2 zone, $3 call, $4 contact, $5 appointment; of all but cancelling: $6 service, $7
 * names of resources, $8 the start or $9 the start by the local clock, $10 duration, $11 and $12
 * buffers; of what judges: $13 hours, $14 holidays, $15 step, $16 lead, $17 horizon. */
enum { SUBJECT_PARAMS = 5, BUSY_PARAMS = 12, RULES_PARAMS = 17, PARAMS_MAX = 24 };

/* By this very transaction (round.h): that an earlier one started the call does not do, since this
 * one's begin may have been refused. */
#define STARTED_SQL                                                                                \
    "(SELECT FROM tool_calls c WHERE c.tenant_id = $1::uuid AND c.id = $3::uuid"                   \
    " AND c.state = 'started' AND c.xmin = pg_current_xact_id_if_assigned()::xid)"

#define WANTED_SQL   "coalesce($8::timestamptz, $9::timestamp AT TIME ZONE $2::text)"
#define DURATION_SQL "make_interval(mins => $10::integer)"

#define BUSY_SQL                                                                                   \
    "tstzrange(" WANTED_SQL " - make_interval(mins => $11::integer),"                              \
    " " WANTED_SQL " + " DURATION_SQL " + make_interval(mins => $12::integer))"

/* ---- locks, and holds that ran out ---- */

static const char lock_contact_sql[] =
    "SELECT pg_advisory_xact_lock(hashtextextended("
    "'frontdesk.booking.' || $1::uuid::text || $2::uuid::text, 0))::text";

static const char lock_resources_sql[] =
    "SELECT 1 FROM resources r WHERE r.tenant_id = $1::uuid AND r.name = ANY ($2::text[])"
    " AND r.removed_at IS NULL ORDER BY r.id FOR NO KEY UPDATE";

/* What a unit may change: holds that ran out where it wants to be, the contact's own hold on the
 * service, and the appointment that it names. `near` comes first, so that its rows are found by
 * resource and time, not among all that are held. */
#define NEAR_SQL                                                                                   \
    "WITH near AS MATERIALIZED (SELECT a.id, a.state, a.hold_until FROM resources r"               \
    " JOIN appointments a ON a.tenant_id = r.tenant_id AND a.resource_id = r.id"                   \
    " AND a.state IN ('held', 'booked') AND a.busy && " BUSY_SQL                                   \
    " WHERE r.tenant_id = $1::uuid AND r.name = ANY ($7::text[]) AND EXISTS " STARTED_SQL "),"     \
    " touched AS (SELECT n.id FROM near n WHERE n.state = 'held' AND n.hold_until <= now()"        \
    " UNION SELECT a.id FROM appointments a WHERE a.tenant_id = $1::uuid"                          \
    " AND a.contact_id = $4::uuid AND a.service = $6::text AND a.state = 'held'"                   \
    " UNION SELECT $5::uuid)"

static const char lock_appointments_sql[] =
    NEAR_SQL " SELECT 1 FROM appointments x WHERE x.tenant_id = $1::uuid"
             " AND x.id IN (SELECT id FROM touched) ORDER BY x.id FOR NO KEY UPDATE";

/* Not by the word: the index of what is held would be read by its tenant alone. */
static const char expire_sql[] =
    NEAR_SQL " UPDATE appointments x SET state = 'expired', changed_at = clock_timestamp()"
             " WHERE x.tenant_id = $1::uuid AND x.state NOT IN ('booked', 'cancelled', 'expired')"
             " AND x.hold_until <= now()"
             " AND x.id IN (SELECT id FROM touched) AND EXISTS " STARTED_SQL;

static const char lock_one_sql[] =
    "SELECT 1 FROM appointments a WHERE a.tenant_id = $1::uuid AND a.id = $2::uuid"
    " FOR NO KEY UPDATE";

/* ---- parts of what judges and writes ---- */

#define ROW_SQL                                                                                    \
    "a.id, a.state, a.service, a.resource_id, a.starts_at, a.ends_at, a.hold_until, a.details"

/* `before`: what this call did when it ran before. `go`: it is started and did not. */
#define CALL_SQL                                                                                   \
    " before AS (SELECT a.id FROM appointments a WHERE a.tenant_id = $1::uuid"                     \
    " AND a.call_id = $3::uuid UNION ALL SELECT m.appointment_id FROM appointment_changes m"       \
    " WHERE m.tenant_id = $1::uuid AND m.call_id = $3::uuid),"                                     \
    " go AS (SELECT FROM (SELECT 1) AS one WHERE EXISTS " STARTED_SQL                              \
    " AND NOT EXISTS (SELECT FROM before)),"                                                       \
    " again AS (SELECT " ROW_SQL " FROM before b JOIN appointments a ON a.tenant_id = $1::uuid"    \
    " AND a.id = b.id),"

#define OWN_HOLD_SQL(more)                                                                         \
    " own AS (SELECT a.id, a.resource_id, a.starts_at, a.busy FROM appointments a"                 \
    " WHERE a.tenant_id = $1::uuid AND a.contact_id = $4::uuid AND a.service = $6::text"           \
    " AND a.state = 'held' AND a.id IS DISTINCT FROM $5::uuid" more "),"

/* A local time that the clock jumps over reads back as another one. */
#define JUDGED_SQL                                                                                 \
    " want AS (SELECT w.at, w.at AT TIME ZONE $2::text AS clock"                                   \
    " FROM (SELECT " WANTED_SQL " AS at) AS w),"                                                   \
    " fitting AS (SELECT extract(epoch FROM w.at - o.begins) % ($15::integer * 60) = 0 AS on_grid" \
    " FROM want w CROSS JOIN LATERAL openings(w.clock::date, $13::jsonb, $14::jsonb, $2::text)"    \
    " AS o WHERE w.at >= o.begins AND w.at + " DURATION_SQL " <= o.ends),"                         \
    " feast AS (SELECT h.day ->> 'name' AS name FROM want w"                                       \
    " CROSS JOIN LATERAL jsonb_array_elements($14::jsonb) AS h (day)"                              \
    " WHERE h.day ->> 'day' = to_char(w.clock, 'YYYY-MM-DD') LIMIT 1),"                            \
    " judged AS (SELECT w.at, CASE WHEN w.at < now() + make_interval(mins => $16::integer)"        \
    " THEN 'lead' WHEN w.clock::date > (now() AT TIME ZONE $2::text)::date + $17::integer"         \
    " THEN 'horizon' WHEN w.clock <> $9::timestamp OR NOT is_said_once(w.at, $2::text)"            \
    " THEN 'hours' WHEN NOT EXISTS (SELECT FROM fitting)"                                          \
    " THEN CASE WHEN EXISTS (SELECT FROM feast) THEN 'holiday' ELSE 'hours' END"                   \
    " WHEN NOT EXISTS (SELECT FROM fitting WHERE on_grid) THEN 'grid' END AS reason FROM want w),"

/* Where it can be: `mine` are the appointments that do not count. */
#define ROOM_SQL                                                                                   \
    " room AS (SELECT r.id, array_position($7::text[], r.name) AS place, j.at FROM go"             \
    " CROSS JOIN judged j CROSS JOIN resources r WHERE j.reason IS NULL AND r.tenant_id = "        \
    "$1::uuid"                                                                                     \
    " AND r.name = ANY ($7::text[]) AND r.removed_at IS NULL AND NOT EXISTS ("                     \
    "SELECT FROM appointments a WHERE a.tenant_id = r.tenant_id AND a.resource_id = r.id"          \
    " AND a.state IN ('held', 'booked') AND a.busy && " BUSY_SQL                                   \
    " AND a.id <> ALL (ARRAY(SELECT id FROM mine)))),"

#define NOTE_SQL                                                                                   \
    "INSERT INTO appointment_changes (tenant_id, call_id, appointment_id, kind, was_at)"           \
    " SELECT $1::uuid, $3::uuid, "

/* The word, around what each statement decides; then why, and the appointment. */
#define WORD_SQL                                                                                   \
    " SELECT CASE WHEN EXISTS (SELECT FROM before) THEN 'already'"                                 \
    " WHEN NOT EXISTS (SELECT FROM go) THEN 'not_started'"
#define WHY_SQL                                                                                    \
    " END, j.reason, CASE WHEN j.reason = 'holiday' THEN (SELECT name FROM feast) END,"            \
    " " BOOKING_APPOINTMENT_SQL " FROM judged j LEFT JOIN shown s ON true" SHOWN_RESOURCE_SQL
#define SHOWN_RESOURCE_SQL                                                                         \
    " LEFT JOIN resources r ON r.tenant_id = $1::uuid AND r.id = s.resource_id"

/* ---- book ---- */

/* $18 confirm, $19 how long a hold lasts, $20 fresh id, $21 conversation, $22 details, $23 how many
 * the contact may have; NULL: any, $24 whether his own hold is taken up */
#define STATE_SQL "CASE WHEN $18::boolean THEN 'booked' ELSE 'held' END"
#define HOLD_SQL  "CASE WHEN NOT $18::boolean THEN now() + make_interval(mins => $19::integer) END"

/* The contact's own hold on the service becomes this one, and does not count. */
#define ENOUGH_SQL                                                                                 \
    " enough AS (SELECT FROM go WHERE $23::integer <= (SELECT count(*) FROM appointments a"        \
    " WHERE a.tenant_id = $1::uuid AND a.contact_id = $4::uuid AND a.starts_at > now()"            \
    " AND (a.state = 'booked' OR (a.state = 'held' AND a.hold_until > now()))"                     \
    " AND a.id <> ALL (ARRAY(SELECT id FROM own)))),"

static const char book_sql[] = "WITH" CALL_SQL OWN_HOLD_SQL(" AND $24::boolean") JUDGED_SQL
    " mine AS (SELECT id FROM own)," ENOUGH_SQL ROOM_SQL
    " pick AS (SELECT m.id, m.at FROM room m LEFT JOIN own o ON true"
    " WHERE NOT EXISTS (SELECT FROM enough) ORDER BY (o.resource_id = m.id AND o.starts_at = m.at) "
    "DESC NULLS LAST, m.place LIMIT 1),"
    " kept AS (UPDATE appointments a SET resource_id = p.id, starts_at = p.at,"
    " ends_at = p.at + " DURATION_SQL ", busy = " BUSY_SQL ", state = " STATE_SQL ","
    " hold_until = " HOLD_SQL ", conversation_id = $21::uuid,"
    " details = a.details || coalesce($22::jsonb, '{}'), changed_at = clock_timestamp() FROM pick "
    "p, own o"
    " WHERE a.tenant_id = $1::uuid AND a.id = o.id RETURNING " ROW_SQL "),"
    " made AS (INSERT INTO appointments AS a (tenant_id, id, resource_id, contact_id,"
    " conversation_id, call_id, service, starts_at, ends_at, busy, state, hold_until, details)"
    " SELECT $1::uuid, $20::uuid, p.id, $4::uuid, $21::uuid, $3::uuid, $6::text, p.at,"
    " p.at + " DURATION_SQL ", " BUSY_SQL ", " STATE_SQL ", " HOLD_SQL ","
    " coalesce($22::jsonb, '{}') FROM pick p WHERE NOT EXISTS (SELECT FROM own)"
    " ON CONFLICT DO NOTHING RETURNING " ROW_SQL "),"
    " noted AS (" NOTE_SQL "k.id, k.state, o.starts_at FROM kept k, own o),"
    " shown AS (SELECT * FROM kept UNION ALL SELECT * FROM made UNION ALL SELECT * FROM "
    "again)" WORD_SQL " WHEN j.reason IS NOT NULL THEN 'outside'"
    " WHEN EXISTS (SELECT FROM enough) THEN 'enough' WHEN s.id IS NULL THEN 'taken'"
    " ELSE s.state" WHY_SQL;

/* ---- move and cancel ---- */

/* $18 how long before the start a change is allowed. `freed` is read before `moved` writes: the old
 * hold is gone when its time is taken. */
static const char move_sql[] = "WITH" CALL_SQL OWN_HOLD_SQL("") JUDGED_SQL
    " found AS (SELECT " ROW_SQL ", a.state = 'booked'"
    " AND a.starts_at < now() + make_interval(mins => $18::integer) AS late FROM appointments a"
    " WHERE a.tenant_id = $1::uuid AND a.id = $5::uuid AND a.contact_id = $4::uuid"
    " AND a.service = $6::text AND a.state IN ('held', 'booked') AND a.starts_at > now()),"
    " mine AS (SELECT id FROM own UNION ALL SELECT id FROM found)," ROOM_SQL
    " pick AS (SELECT m.id, m.at FROM room m CROSS JOIN found f WHERE NOT f.late"
    " ORDER BY m.id = f.resource_id DESC, m.place LIMIT 1),"
    " freed AS (UPDATE appointments a SET state = 'cancelled', changed_at = clock_timestamp()"
    " FROM pick p, own o WHERE a.tenant_id = $1::uuid AND a.id = o.id AND o.busy && " BUSY_SQL
    " RETURNING a.id),"
    " moved AS (UPDATE appointments a SET resource_id = p.id, starts_at = p.at,"
    " ends_at = p.at + " DURATION_SQL ", busy = " BUSY_SQL ", changed_at = clock_timestamp()"
    " FROM pick p, found f, (SELECT count(*) FROM freed) AS gone"
    " WHERE a.tenant_id = $1::uuid AND a.id = f.id RETURNING " ROW_SQL "),"
    " noted AS (" NOTE_SQL "m.id, 'moved', f.starts_at FROM moved m, found f),"
    " shown AS (SELECT * FROM moved UNION ALL SELECT * FROM again UNION ALL SELECT " ROW_SQL
    " FROM found a WHERE NOT EXISTS (SELECT FROM moved) AND NOT EXISTS (SELECT FROM "
    "before))" WORD_SQL
    " WHEN s.id IS NULL THEN 'not_found' WHEN (SELECT late FROM found) THEN 'too_late'"
    " WHEN j.reason IS NOT NULL THEN 'outside'"
    " WHEN EXISTS (SELECT FROM moved) THEN 'moved' ELSE 'taken'" WHY_SQL;

/* $6 as move's $18; $7 the service, whose rule that is */
static const char cancel_sql[] =
    "WITH" CALL_SQL " found AS (SELECT " ROW_SQL ", a.state = 'booked'"
    " AND a.starts_at < now() + make_interval(mins => $6::integer) AS late FROM appointments a"
    " WHERE a.tenant_id = $1::uuid AND a.id = $5::uuid AND a.contact_id = $4::uuid"
    " AND a.service = $7::text"
    " AND (a.state = 'booked' OR (a.state = 'held' AND a.hold_until > now()))"
    " AND a.starts_at > now()),"
    " ended AS (UPDATE appointments a SET state = 'cancelled', changed_at = clock_timestamp()"
    " FROM go, found f WHERE a.tenant_id = $1::uuid AND a.id = f.id AND NOT f.late"
    " RETURNING " ROW_SQL "),"
    " noted AS (" NOTE_SQL "e.id, 'cancelled', e.starts_at FROM ended e),"
    " shown AS (SELECT * FROM ended UNION ALL SELECT * FROM again UNION ALL SELECT " ROW_SQL
    " FROM found a WHERE NOT EXISTS (SELECT FROM ended) AND NOT EXISTS (SELECT FROM "
    "before))" WORD_SQL " WHEN s.id IS NULL THEN 'not_found'"
    " WHEN EXISTS (SELECT FROM ended) THEN 'cancelled' ELSE 'too_late' END,"
    " NULL::text, NULL::text, " BOOKING_APPOINTMENT_SQL
    " FROM (SELECT 1) AS one LEFT JOIN shown s ON true" SHOWN_RESOURCE_SQL;

/* ---- writing units ---- */

void booking_add(struct pg_unit *unit, const char *sql, const char *const *params, int count)
{
    struct pg_statement *statement = pg_add(unit, sql);
    for (int i = 0; i < count; i++)
        pg_param(statement, params[i]);
}

const char *booking_number(struct arena *arena, int value)
{
    return arena_printf(arena, "%d", value);
}

const char *booking_uuid(struct arena *arena, const struct uuid *id)
{
    char text[UUID_TEXT_SIZE];
    return uuid_is_nil(id) ? NULL : arena_strdup(arena, uuid_format(id, text));
}

const char *booking_resources(struct arena *arena, const struct booking_rules *rules)
{
    struct pg_array names;
    pg_array_init(&names);
    for (size_t i = 0; i < rules->resource_count; i++)
        pg_array_add(&names, rules->resources[i]);
    const char *literal = pg_array_take(&names, arena);
    pg_array_fini(&names);
    return literal;
}

/* What a statement is given, in the order of its parameters. */
struct params {
    const char *texts[PARAMS_MAX];
    int count;
};

static void give(struct params *params, const char *text)
{
    assert(params->count < PARAMS_MAX);
    params->texts[params->count++] = text;
}

static void give_subject(struct params *params, struct arena *arena,
                         const struct booking_rules *rules, const struct booking_request *request)
{
    give(params, request->tenant);
    give(params, rules->timezone);
    give(params, booking_uuid(arena, &request->call));
    give(params, booking_uuid(arena, &request->contact));
    give(params, booking_uuid(arena, &request->appointment));
    assert(params->count == SUBJECT_PARAMS);
}

static void give_rules(struct params *params, struct arena *arena,
                       const struct booking_rules *rules, const struct booking_start *start)
{
    give(params, rules->service);
    give(params, booking_resources(arena, rules));
    give(params, start->instant);
    give(params, start->local);
    give(params, booking_number(arena, rules->duration_min));
    give(params, booking_number(arena, rules->buffer_before_min));
    give(params, booking_number(arena, rules->buffer_after_min));
    assert(params->count == BUSY_PARAMS);
    give(params, rules->hours);
    give(params, rules->holidays);
    give(params, booking_number(arena, rules->step_min));
    give(params, booking_number(arena, rules->lead_min));
    give(params, booking_number(arena, rules->horizon_days));
    assert(params->count == RULES_PARAMS);
}

/* A move leaves the contact with as many as before. */
static bool is_limited(const struct booking_rules *rules, const struct booking_request *request)
{
    return rules->most_per_customer > 0 && uuid_is_nil(&request->appointment);
}

/* What both books and moves: the checks, and everything up to the statement that writes. */
static int begin(struct pg_unit *unit, struct arena *arena, const struct booking_rules *rules,
                 const struct booking_request *request, struct params *params, struct err *err)
{
    struct booking_start start;
    if (booking_check_rules(rules, err) != 0 ||
        booking_parse_start(arena, request->start, &start, err) != 0)
        return -1;
    give_subject(params, arena, rules, request);
    give_rules(params, arena, rules, &start);
    if (is_limited(rules, request))
        booking_add(unit, lock_contact_sql,
                    (const char *const[]){request->tenant, booking_uuid(arena, &request->contact)},
                    2);
    const char *const resources[] = {request->tenant, booking_resources(arena, rules)};
    booking_add(unit, lock_resources_sql, resources, 2);
    booking_add(unit, lock_appointments_sql, params->texts, BUSY_PARAMS);
    booking_add(unit, expire_sql, params->texts, BUSY_PARAMS);
    return 0;
}

int booking_add_book(struct pg_unit *unit, struct arena *arena, const struct booking_rules *rules,
                     const struct booking_request *request, struct err *err)
{
    const char *details = NULL;
    struct params params = {.count = 0};
    struct booking_request unnamed = *request;
    struct uuid fresh = uuid_new();
    unnamed.appointment = (struct uuid){{0}};
    if (booking_copy_details(arena, request->details, &details, err) != 0 ||
        begin(unit, arena, rules, &unnamed, &params, err) != 0)
        return -1;
    give(&params, request->confirm ? "t" : "f");
    give(&params, booking_number(arena, rules->hold_min));
    give(&params, booking_uuid(arena, &fresh));
    give(&params, booking_uuid(arena, &request->conversation));
    give(&params, details);
    give(&params,
         rules->most_per_customer > 0 ? booking_number(arena, rules->most_per_customer) : NULL);
    give(&params, request->is_stranger ? "f" : "t");
    booking_add(unit, book_sql, params.texts, params.count);
    return 0;
}

int booking_add_move(struct pg_unit *unit, struct arena *arena, const struct booking_rules *rules,
                     const struct booking_request *request, struct err *err)
{
    struct params params = {.count = 0};
    if (begin(unit, arena, rules, request, &params, err) != 0)
        return -1;
    give(&params, booking_number(arena, rules->change_min));
    booking_add(unit, move_sql, params.texts, params.count);
    return 0;
}

void booking_add_cancel(struct pg_unit *unit, struct arena *arena,
                        const struct booking_rules *rules, const struct booking_request *request)
{
    struct params params = {.count = 0};
    give_subject(&params, arena, rules, request);
    const char *const key[] = {request->tenant, booking_uuid(arena, &request->appointment)};
    booking_add(unit, lock_one_sql, key, 2);
    give(&params, booking_number(arena, rules->change_min));
    give(&params, rules->service);
    booking_add(unit, cancel_sql, params.texts, params.count);
}

/* ---- reading answers ---- */

int booking_check_answer(const struct pg_answer *answer, struct err *err)
{
    static const char data_error[] = "pg.22", overlap[] = "pg.23P01";
    if (answer->err == NULL)
        return 0;
    if (err == NULL)
        return -1;
    *err = *answer->err;
    if (strncmp(err->code, data_error, sizeof data_error - 1) == 0)
        err->class = ERR_BUG;
    else if (strcmp(err->code, overlap) == 0)
        err->class = ERR_RETRY_NOW;
    return -1;
}

struct booking_moment booking_read_moment(const struct pg_answer *answer, int statement, int row,
                                          int column)
{
    struct booking_moment moment = {.rfc3339 = ""};
    const char *text = pg_text(answer->results, statement, row, column);
    const char *space = strchr(text, ' ');
    if (space == NULL)
        return moment;
    snprintf(moment.weekday, sizeof moment.weekday, "%.*s", (int)(space - text), text);
    snprintf(moment.rfc3339, sizeof moment.rfc3339, "%s", space + 1);
    snprintf(moment.date, sizeof moment.date, "%.10s", space + 1);
    snprintf(moment.time, sizeof moment.time, "%.5s", space + 1 + sizeof "2026-12-01");
    return moment;
}

struct booking_appointment booking_read_appointment(const struct pg_answer *answer, int statement,
                                                    int row, int first)
{
    const struct pg_result *r = answer->results;
    return (struct booking_appointment){
        .id = pg_uuid(r, statement, row, first),
        .state = pg_text(r, statement, row, first + 1),
        .service = pg_text(r, statement, row, first + 2),
        .resource = pg_text(r, statement, row, first + 3),
        .start = booking_read_moment(answer, statement, row, first + 4),
        .end = booking_read_moment(answer, statement, row, first + 5),
        .hold_until = booking_read_moment(answer, statement, row, first + 6),
        .details = pg_text(r, statement, row, first + 7),
    };
}

/* The index of a word that our own statement chose. */
static int word_index(const char *const *words, const char *word)
{
    int i = 0;
    while (words[i] != NULL && strcmp(words[i], word) != 0)
        i++;
    assert(words[i] != NULL);
    return i;
}

void booking_read_result(const struct pg_answer *answer, int statement, struct booking_result *out)
{
    static const char *const kinds[] = {"booked",   "held",      "moved",       "cancelled",
                                        "already",  "taken",     "enough",      "outside",
                                        "too_late", "not_found", "not_started", NULL};
    static const char *const limits[] = {"", "lead", "horizon", "holiday", "hours", "grid", NULL};
    const struct pg_result *r = answer->results;
    *out = (struct booking_result){
        .kind = (enum booking_kind)word_index(kinds, pg_text(r, statement, 0, 0)),
        .holiday = "",
        .appointment = booking_read_appointment(answer, statement, 0, 3)};
    if (out->kind == BOOKING_OUTSIDE) {
        out->limit = (enum booking_limit)word_index(limits, pg_text(r, statement, 0, 1));
        out->holiday = pg_text(r, statement, 0, 2);
    }
}

const char *const booking_statements[] = {
    lock_contact_sql, lock_resources_sql, lock_appointments_sql,
    expire_sql,       lock_one_sql,       book_sql,
    move_sql,         cancel_sql,         NULL};
