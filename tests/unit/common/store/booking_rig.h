/* What the test of bookings stands on: two tenants with contacts, chairs and started tool calls,
 * and searches, bookings, moves and cancellations that wait for their answer. The pool calls
 * functions, as the engine does. */
#ifndef DESK_TESTS_BOOKING_RIG_H
#define DESK_TESTS_BOOKING_RIG_H

#include "unit/common/store/function_rig.h"
#include "unit/common/store/turn_rig.h"

#include "store/booking.h"
#include "store/booking_admin.h"
#include "store/booking_look.h"

#define OTHER_TENANT "00000000-0000-7000-8000-000000000002"
#define CALLS        3000 /* ids of started tool calls; the one behind the last is only asked */
#define TEXT_MAX     4096

enum { CALL_ASKED = CALLS + 1 };

/* Contacts 1 to 3 with an open conversation each; chairs of both tenants have the same names. */
static const char booking_seed_sql[] =
    "INSERT INTO tenants (id, name, display_name, timezone) VALUES ('" OTHER_TENANT "', 'garage',"
    " 'Garage', 'UTC');"
    "INSERT INTO contacts (tenant_id, id) SELECT '" TENANT "', ('02000000-0000-0000-0000-' ||"
    " lpad(n::text, 12, '0'))::uuid FROM generate_series(1, 3) AS n;"
    "INSERT INTO contact_addresses (tenant_id, kind, address, contact_id) SELECT tenant_id, "
    "'phone',"
    " '+1555900' || right(id::text, 1), id FROM contacts;"
    "INSERT INTO conversations (tenant_id, id, contact_id) SELECT tenant_id,"
    " overlay(id::text PLACING '05' FROM 1)::uuid, id FROM contacts;"
    "INSERT INTO channel_sessions (tenant_id, id, conversation_id, channel_id, kind,"
    " remote_address) SELECT tenant_id, '01000000-0000-0000-0000-000000000001', id,"
    " '00000000-0000-7000-8000-0000000000c1', 'sms', '+15559001' FROM conversations"
    " WHERE id = '05000000-0000-0000-0000-000000000001';"
    "INSERT INTO turns (tenant_id, id, session_id, conversation_id, number, state, fence, epoch,"
    " deadline_at) SELECT tenant_id, '06000000-0000-0000-0000-000000000001', id, conversation_id,"
    " 1, 'running', 1, 0, now() FROM channel_sessions;"
    "INSERT INTO turn_rounds (tenant_id, turn_id, number, after_position, claimed, said)"
    " SELECT tenant_id, id, 1, 0, 0, '' FROM turns;"
    "INSERT INTO tool_calls (tenant_id, id, turn_id, round, place, provider_id, name, arguments,"
    " state) SELECT tenant_id, ('07000000-0000-0000-0000-' || lpad(to_hex(n), 12, '0'))::uuid,"
    " turn_id, 1, n, 'c', 'book', '{}', CASE WHEN n > 3000 THEN 'asked' ELSE 'started' END"
    " FROM turn_rounds CROSS JOIN generate_series(1, 3001) AS n;"
    "INSERT INTO resources (tenant_id, id, name) SELECT t.id, gen_random_uuid(), 'chair ' || n"
    " FROM tenants t CROSS JOIN generate_series(1, 3) AS n";

static inline struct uuid contact(int number)
{
    return number_id(2, number);
}

static inline struct uuid call(int number)
{
    struct uuid id = number_id(7, number & 255);
    id.bytes[14] = (uint8_t)(number >> 8);
    return id;
}

/* ---- rules ---- */

#define HOURS(pairs)                                                                               \
    "{\"mon\":[" pairs "],\"tue\":[" pairs "],\"wed\":[" pairs "],\"thu\":[" pairs                 \
    "],\"fri\":[" pairs "],\"sat\":[" pairs "],\"sun\":[" pairs "]}"
#define PAIR(from, until) "[\"" from "\",\"" until "\"]"

static const char *const chairs[] = {"chair 1", "chair 2", "chair 3"};

/* An hour's check on two chairs, every half hour, eight to twelve and one to five. */
static inline struct booking_rules check_up(void)
{
    return (struct booking_rules){.timezone = "Europe/Berlin",
                                  .hours = HOURS(PAIR("08:00", "12:00") "," PAIR("13:00", "17:00")),
                                  .holidays = "[]",
                                  .service = "check-up",
                                  .resources = chairs,
                                  .resource_count = 2,
                                  .duration_min = 60,
                                  .step_min = 30,
                                  .horizon_days = 366,
                                  .hold_min = 15};
}

/* The local date so many days from today, in Berlin. */
static inline const char *day(int ahead)
{
    return arena_strdup(
        arena, value(arena_printf(arena,
                                  "SELECT to_char((now() AT TIME ZONE 'Europe/Berlin')::date + %d,"
                                  " 'YYYY-MM-DD')",
                                  ahead)));
}

static inline const char *at(const char *date, const char *time)
{
    return arena_printf(arena, "%sT%s", date, time);
}

/* Chairs that are always open, in a zone without surprises. */
static inline struct booking_rules always(void)
{
    struct booking_rules rules = check_up();
    rules.timezone = "UTC";
    rules.hours = HOURS(PAIR("00:00", "24:00"));
    rules.step_min = rules.duration_min = 5;
    rules.resource_count = 1;
    return rules;
}

/* The n-th of the starts from a month ahead on. */
static inline const char *start_number(int n)
{
    char text[CLOCK_RFC3339_SIZE];
    const int64_t day_ms = 86400000, from = clock_wall_ms() / day_ms * day_ms + 30 * day_ms;
    clock_format_rfc3339(from + (int64_t)n * 300000, text);
    return arena_strdup(arena, text);
}

/* ---- looking ---- */

struct slots {
    char times[TEXT_MAX]; /* "08:00x2 08:30x1" */
    char full[TEXT_MAX];  /* "2026-12-01T08:00:00+01:00 ..." */
    int count;
    struct err err;
    bool failed;
};

static inline void on_slots(void *arg, const struct pg_answer *answer)
{
    struct slots *out = arg;
    struct booking_slot slot;
    size_t used = 0, used_full = 0;
    out->failed = booking_check_answer(answer, &out->err) != 0;
    while (!out->failed && booking_look_read_slot(answer, 0, out->count, &slot)) {
        const char *gap = out->count++ > 0 ? " " : "";
        used += (size_t)snprintf(out->times + used, TEXT_MAX - used, "%s%sx%d", gap,
                                 slot.start.time, slot.free);
        used_full += (size_t)snprintf(out->full + used_full, TEXT_MAX - used_full, "%s%s", gap,
                                      slot.start.rfc3339);
        CU_ASSERT_FATAL(used < TEXT_MAX && used_full < TEXT_MAX);
    }
    rig_count_down();
}

static inline const struct slots *search(const struct booking_rules *rules,
                                         const struct booking_search *what)
{
    static struct slots out;
    struct pg_unit unit = {.done = on_slots, .arg = &out};
    out = (struct slots){.count = 0};
    CU_ASSERT_EQUAL_FATAL(booking_look_add_slots(&unit, arena, rules, what, &out.err), 0);
    rig_waiting++;
    pg_submit(rig_pg, &unit);
    rig_run();
    return &out;
}

/* All starts of one day, to nobody in particular. */
static inline const char *slots_on(const struct booking_rules *rules, const char *date)
{
    const struct slots *out = search(
        rules, &(struct booking_search){
                   .tenant = TENANT, .from_day = date, .to_day = date, .limit = BOOKING_SLOTS_MAX});
    CU_ASSERT_FALSE(out->failed);
    return out->times;
}

/* ---- writing ---- */

struct done {
    struct booking_result result;
    struct err err;
    bool failed;
};

static inline void on_done(void *arg, const struct pg_answer *answer)
{
    struct done *out = arg;
    out->failed = booking_check_answer(answer, &out->err) != 0;
    if (out->failed) {
        printf("    %s: %s\n", out->err.code, out->err.message);
    } else {
        struct booking_appointment *of = &out->result.appointment;
        booking_read_result(answer, answer->count - 1, &out->result);
        out->result.holiday = arena_strdup(arena, out->result.holiday);
        of->state = arena_strdup(arena, of->state);
        of->service = arena_strdup(arena, of->service);
        of->resource = arena_strdup(arena, of->resource);
        of->details = arena_strdup(arena, of->details);
    }
    rig_count_down();
}

static inline struct booking_request request_of(int who, int call_number, const char *start)
{
    return (struct booking_request){.tenant = TENANT,
                                    .call = call(call_number),
                                    .contact = contact(who),
                                    .conversation = number_id(5, who),
                                    .start = start,
                                    .confirm = true};
}

enum what { BOOK, MOVE, CANCEL };

/* What round_add_begin does to a call in front of its effect, without its judgement. */
static const char begun_sql[] = "UPDATE tool_calls SET state = state WHERE tenant_id = $1::uuid"
                                " AND id = $2::uuid AND state = 'started'";

static inline void add_begun(struct pg_unit *unit, const struct booking_request *request)
{
    struct pg_statement *begun = pg_add(unit, begun_sql);
    pg_param(begun, request->tenant);
    pg_param(begun, uuid_format(&request->call, arena_alloc(arena, UUID_TEXT_SIZE)));
}

static inline void submit(enum what what, const struct booking_rules *rules,
                          const struct booking_request *request, struct done *out)
{
    struct pg_unit unit = {.done = on_done, .arg = out};
    int rc = 0;
    add_begun(&unit, request);
    *out = (struct done){.failed = false};
    if (what == BOOK)
        rc = booking_add_book(&unit, arena, rules, request, &out->err);
    else if (what == MOVE)
        rc = booking_add_move(&unit, arena, rules, request, &out->err);
    else
        booking_add_cancel(&unit, arena, rules, request);
    CU_ASSERT_EQUAL_FATAL(rc, 0);
    rig_waiting++;
    pg_submit(rig_pg, &unit);
}

static inline struct booking_result carry_out(enum what what, const struct booking_rules *rules,
                                              const struct booking_request *request)
{
    struct done out;
    submit(what, rules, request, &out);
    rig_run();
    CU_ASSERT_FALSE_FATAL(out.failed);
    return out.result;
}

static inline struct booking_result book(const struct booking_rules *rules, int who,
                                         int call_number, const char *start)
{
    const struct booking_request request = request_of(who, call_number, start);
    return carry_out(BOOK, rules, &request);
}

static inline struct booking_result hold(const struct booking_rules *rules, int who,
                                         int call_number, const char *start)
{
    struct booking_request request = request_of(who, call_number, start);
    request.confirm = false;
    return carry_out(BOOK, rules, &request);
}

static inline struct booking_result change(enum what what, const struct booking_rules *rules,
                                           int who, int call_number, const struct uuid *appointment,
                                           const char *start)
{
    struct booking_request request = request_of(who, call_number, start);
    request.appointment = *appointment;
    return carry_out(what, rules, &request);
}

/* ---- start and end ---- */

static inline void begin_bookings(void)
{
    run(seed_sql);
    run(booking_seed_sql);
    arena = arena_new();
    rig_open();
    open_function_pool(2);
}

#endif
