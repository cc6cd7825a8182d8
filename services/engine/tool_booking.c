/* Tools about appointments. Which services there are, when and for how long comes from the tenant's
 * workflow; whose appointment it is from the conversation: never from the model. */
#include "base/text.h"
#include "details.h"
#include "store/booking.h"
#include "store/booking_look.h"
#include "tools.h"

#include <stdio.h>
#include <string.h>

#define RESULT_MAX  (16 * 1024)
#define SLOTS       8
#define NAMES_SHOWN 200 /* bytes */

/* ---- what all share ---- */

static int find_service(const struct tool_call *call, const struct workflow_service **service,
                        struct err *err)
{
    const struct workflow *workflow = &call->assistant->workflow;
    const char *name = json_member_text(call->arguments, "service");
    struct strbuf names;
    *service = workflow_find(workflow, name);
    if (*service != NULL)
        return 0;
    strbuf_init(&names, 300);
    for (size_t i = 0; i < workflow->service_count; i++)
        strbuf_printf(&names, "%s%s", i > 0 ? ", " : "", workflow->services[i].rules.service);
    err_set(err, ERR_PERMANENT, "tool.service", "arguments.service: must be one of %.*s",
            (int)text_utf8_prefix(names.data, NAMES_SHOWN), names.data);
    strbuf_fini(&names);
    return -1;
}

static void add_moment(struct json_writer *w, const char *name, const struct booking_moment *moment)
{
    char text[64];
    if (moment->date[0] == '\0')
        return;
    snprintf(text, sizeof text, "%s %s %s", moment->weekday, moment->date, moment->time);
    json_add_text(w, name, text);
}

static void add_appointment(struct json_writer *w, const struct booking_appointment *appointment)
{
    char id[UUID_TEXT_SIZE];
    if (uuid_is_nil(&appointment->id))
        return;
    json_open_object(w, "appointment");
    json_add_text(w, "id", uuid_format(&appointment->id, id));
    json_add_text(w, "state", appointment->state);
    json_add_text(w, "service", appointment->service);
    json_add_text(w, "with", appointment->resource);
    add_moment(w, "start", &appointment->start);
    add_moment(w, "end", &appointment->end);
    add_moment(w, "held_until", &appointment->hold_until);
    json_close_object(w);
}

static const char *take(const struct tool_call *call, struct strbuf *out)
{
    const char *text = arena_strndup(call->arena, out->data, out->length);
    strbuf_fini(out);
    return text;
}

/* ---- check_availability ---- */

static int add_availability(const struct tool_call *call, struct pg_unit *unit, struct err *err)
{
    const struct workflow_service *service;
    const struct uuid nobody = {{0}}; /* a stranger is not told where the contact has a hold */
    const char *from = json_member_text(call->arguments, "from_day");
    const char *to = json_member_text(call->arguments, "to_day");
    if (find_service(call, &service, err) != 0)
        return -1;
    return booking_look_add_slots(
        unit, call->arena, &service->rules,
        &(struct booking_search){.tenant = call->tenant,
                                 .contact = call->is_stranger ? nobody : call->contact,
                                 .from_day = from,
                                 .to_day = to != NULL ? to : from,
                                 .limit = SLOTS},
        err);
}

static void read_availability(const struct tool_call *call, const struct pg_answer *answer,
                              int first, struct tool_result *out)
{
    struct booking_slot slot;
    struct strbuf text;
    struct json_writer w;
    strbuf_init(&text, RESULT_MAX);
    json_writer_init(&w, &text);
    json_open_object(&w, NULL);
    json_open_array(&w, "free");
    for (int row = 0; booking_look_read_slot(answer, first, row, &slot); row++) {
        json_open_object(&w, NULL);
        add_moment(&w, "start", &slot.start);
        json_close_object(&w);
    }
    json_close_array(&w);
    json_close_object(&w);
    out->outcome = "ok";
    out->text = take(call, &text);
}

#define DAY(about)                                                                                 \
    "{\"type\":\"string\",\"minLength\":10,\"maxLength\":10,\"description\":\"" about              \
    ", like 2026-12-01\"}"
#define SERVICE "{\"type\":\"string\",\"maxLength\":60,\"description\":\"its name as listed\"}"
#define START                                                                                      \
    "{\"type\":\"string\",\"minLength\":16,\"maxLength\":30,\"description\":\"local time, like "   \
    "2026-12-01T09:00\"}"
#define APPOINTMENT                                                                                \
    "{\"type\":\"string\",\"minLength\":36,\"maxLength\":36,\"description\":\"the id of the "      \
    "customer's appointment\"}"

const struct tool tool_check_availability = {
    .name = "check_availability",
    .description = "Finds free times of a service between two days. Offer only times that it "
                   "returned.",
    .parameters =
        "{\"type\":\"object\",\"properties\":{\"service\":" SERVICE
        ",\"from_day\":" DAY("first day") ",\"to_day\":" DAY(
            "last day") "},"
                        "\"required\":[\"service\",\"from_day\"],\"additionalProperties\":false}",
    .add = add_availability,
    .check = booking_check_answer,
    .read = read_availability};

/* ---- book ---- */

static bool misses_fields(const struct workflow_service *service, const struct json *details)
{
    for (size_t i = 0; i < service->field_count; i++)
        if (details_miss(details, service->fields[i]))
            return true;
    return false;
}

/* -1 where a stranger's answers miss something: what is held is the contact's, who has one hold on
 * a service, so a stranger's would be in the way of his. */
static int check_stranger(const struct tool_call *call, const struct workflow_service *service,
                          const struct json *details, struct err *err)
{
    struct strbuf names;
    if (!call->is_stranger || !misses_fields(service, details))
        return 0;
    strbuf_init(&names, 300);
    for (size_t i = 0; i < service->field_count; i++)
        if (details_miss(details, service->fields[i]))
            strbuf_printf(&names, "%s%s", names.length > 0 ? ", " : "", service->fields[i]->name);
    err_set(err, ERR_PERMANENT, "tool.details",
            "nothing is booked or held yet: ask for what is missing, then call book again with all "
            "answers; missing: %.*s",
            (int)text_utf8_prefix(names.data, NAMES_SHOWN), names.data);
    strbuf_fini(&names);
    return -1;
}

/* What is asked for has to be known before anything is booked: until then the time is held. A wrong
 * answer holds nothing: the model is told of it and calls again. */
static int add_book(const struct tool_call *call, struct pg_unit *unit, struct err *err)
{
    const struct workflow_service *service;
    const struct json *details = json_member(call->arguments, "details");
    if (find_service(call, &service, err) != 0 || details_check(service, details, err) != 0 ||
        check_stranger(call, service, details, err) != 0)
        return -1;
    bool misses = misses_fields(service, details);
    return booking_add_book(
        unit, call->arena, &service->rules,
        &(struct booking_request){.tenant = call->tenant,
                                  .call = call->id,
                                  .contact = call->contact,
                                  .conversation = call->conversation,
                                  .start = json_member_text(call->arguments, "start"),
                                  .confirm = !misses,
                                  .is_stranger = call->is_stranger,
                                  .details = details_keep(call->arena, service, details)},
        err);
}

static const char *limit_text(enum booking_limit limit)
{
    static const char *const texts[] = {
        [BOOKING_LIMIT_NONE] = "",
        [BOOKING_LIMIT_LEAD] = "too soon",
        [BOOKING_LIMIT_HORIZON] = "too far ahead",
        [BOOKING_LIMIT_HOLIDAY] = "a holiday",
        [BOOKING_LIMIT_HOURS] = "outside the opening hours",
        [BOOKING_LIMIT_GRID] = "no beginning is possible at that minute",
    };
    return texts[limit];
}

static const struct {
    bool done;
    const char *said;
} kinds[] = {
    [BOOKING_BOOKED] = {true, "booked"},
    [BOOKING_HELD] =
        {true,
         "held, not booked yet: ask for what is missing, then call book again with all answers"},
    [BOOKING_MOVED] = {true, "moved"},
    [BOOKING_CANCELLED] = {true, "cancelled"},
    [BOOKING_ALREADY] = {true, "done already"},
    [BOOKING_TAKEN] = {false, "that time is taken: offer another one"},
    [BOOKING_ENOUGH] = {false,
                        "not booked: the customer has as many coming appointments as one may "
                        "have here; offer to move or cancel one of them, or take a message"},
    [BOOKING_OUTSIDE] = {false, "that time cannot be had"},
    [BOOKING_TOO_LATE] = {false, "it is too late to change it: take a message instead"},
    [BOOKING_NOT_FOUND] = {false, "the customer has no such appointment of that service"},
    [BOOKING_NOT_STARTED] = {false, "nothing was done"},
};

/* How many appointments the contact has is told to nobody else. */
static const char *said_of(const struct tool_call *call, enum booking_kind kind)
{
    return kind == BOOKING_ENOUGH && call->is_stranger ? "not booked: take a message instead"
                                                       : kinds[kind].said;
}

static void add_missing(const struct tool_call *call, struct json_writer *w)
{
    const char *name = json_member_text(call->arguments, "service");
    const struct workflow_service *service =
        name != NULL ? workflow_find(&call->assistant->workflow, name) : NULL;
    const struct json *details = json_member(call->arguments, "details");
    json_open_array(w, "missing");
    for (size_t i = 0; service != NULL && i < service->field_count; i++)
        if (details_miss(details, service->fields[i]))
            json_add_text(w, NULL, service->fields[i]->name);
    json_close_array(w);
}

static void read_booking(const struct tool_call *call, const struct pg_answer *answer, int first,
                         struct tool_result *out)
{
    struct booking_result result;
    struct strbuf text;
    struct json_writer w;
    (void)first;
    booking_read_result(answer, answer->count - 1, &result);
    strbuf_init(&text, RESULT_MAX);
    json_writer_init(&w, &text);
    json_open_object(&w, NULL);
    json_add_text(&w, "result", said_of(call, result.kind));
    if (result.kind == BOOKING_OUTSIDE)
        json_add_text(&w, "why", limit_text(result.limit));
    if (result.limit == BOOKING_LIMIT_HOLIDAY)
        json_add_text(&w, "holiday", result.holiday);
    add_appointment(&w, &result.appointment);
    if (result.kind == BOOKING_HELD)
        add_missing(call, &w);
    json_close_object(&w);
    out->outcome = kinds[result.kind].done ? "ok" : "refused";
    out->text = take(call, &text);
}

/* ---- the same call once more ---- */

/* What a call answered of its appointment; the texts are the document's. */
struct said {
    struct json *document;
    const char *id, *state, *start;
};

/* False: it changed none. `out` is to be freed in any case. */
static bool read_said(const struct rounds_call *call, struct said *out)
{
    *out = (struct said){.document = NULL};
    if (!tools_changed_appointment(call) ||
        json_parse(call->result, strlen(call->result), &out->document, NULL) != 0)
        return false;
    const struct json *appointment = json_member(out->document, "appointment");
    out->id = json_member_text(appointment, "id");
    out->state = json_member_text(appointment, "state");
    out->start = json_member_text(appointment, "start");
    return out->id != NULL && out->state != NULL && out->start != NULL;
}

/* By the last of the later calls that changed the same appointment: whether it is cancelled, or at
 * another time. */
static bool is_undone(const struct rounds *rounds, const struct rounds_call *call)
{
    struct said then, now;
    bool known = read_said(call, &then), behind = false, undone = false;
    for (size_t i = 0; known && i < rounds->count; i++)
        for (size_t k = 0; k < rounds->items[i]->call_count; k++) {
            const struct rounds_call *later = &rounds->items[i]->calls[k];
            if (behind && read_said(later, &now) && strcmp(now.id, then.id) == 0)
                undone = strcmp(now.state, "cancelled") == 0 || strcmp(now.start, then.start) != 0;
            if (behind)
                json_free(&now.document);
            behind = behind || later == call;
        }
    json_free(&then.document);
    return undone;
}

#define BOOK(details)                                                                              \
    "{\"type\":\"object\",\"properties\":{\"service\":" SERVICE ",\"start\":" START details        \
    "},\"required\":[\"service\",\"start\"],\"additionalProperties\":false}"

/* Whoever asks nothing is given no details. */
static const char *fit_book(struct arena *arena, const struct workflow *workflow)
{
    const char *details = details_schema(arena, workflow);
    return details == NULL ? BOOK("") : arena_printf(arena, BOOK(",\"details\":%s"), details);
}

const struct tool tool_book = {
    .name = "book",
    .description = "Books a free time of a service for this customer. Call it once the customer "
                   "has chosen a time, with all answers that you have; while one is missing the "
                   "time is only held.",
    .parameters = BOOK(",\"details\":{\"type\":\"object\"}"),
    .fit = fit_book,
    .changes = true,
    .add = add_book,
    .check = booking_check_answer,
    .read = read_booking,
    .undone = is_undone};

/* ---- reschedule and cancel ---- */

static int read_appointment_id(const struct tool_call *call, struct uuid *id, struct err *err)
{
    if (uuid_parse(json_member_text(call->arguments, "appointment"), id))
        return 0;
    return err_set(err, ERR_PERMANENT, "tool.appointment",
                   "arguments.appointment: not the id of an appointment");
}

static int add_reschedule(const struct tool_call *call, struct pg_unit *unit, struct err *err)
{
    const struct workflow_service *service;
    struct booking_request request = {.tenant = call->tenant,
                                      .call = call->id,
                                      .contact = call->contact,
                                      .conversation = call->conversation,
                                      .start = json_member_text(call->arguments, "start")};
    if (find_service(call, &service, err) != 0 ||
        read_appointment_id(call, &request.appointment, err) != 0)
        return -1;
    return booking_add_move(unit, call->arena, &service->rules, &request, err);
}

const struct tool tool_reschedule = {
    .name = "reschedule",
    .description = "Moves an appointment of this customer to another free time.",
    .parameters = "{\"type\":\"object\",\"properties\":{\"appointment\":" APPOINTMENT
                  ",\"service\":" SERVICE ",\"start\":" START "},\"required\":[\"appointment\","
                  "\"service\",\"start\"],\"additionalProperties\":false}",
    .changes = true,
    .of_account = true,
    .add = add_reschedule,
    .check = booking_check_answer,
    .read = read_booking,
    .undone = is_undone};

static int add_cancel(const struct tool_call *call, struct pg_unit *unit, struct err *err)
{
    const struct workflow_service *service;
    struct booking_request request = {.tenant = call->tenant,
                                      .call = call->id,
                                      .contact = call->contact,
                                      .conversation = call->conversation};
    if (find_service(call, &service, err) != 0 ||
        read_appointment_id(call, &request.appointment, err) != 0)
        return -1;
    booking_add_cancel(unit, call->arena, &service->rules, &request);
    return 0;
}

const struct tool tool_cancel = {
    .name = "cancel",
    .description = "Cancels an appointment of this customer. Call it only after the customer has "
                   "confirmed that it shall be cancelled.",
    .parameters = "{\"type\":\"object\",\"properties\":{\"appointment\":" APPOINTMENT
                  ",\"service\":" SERVICE "},\"required\":[\"appointment\",\"service\"],"
                  "\"additionalProperties\":false}",
    .changes = true,
    .of_account = true,
    .add = add_cancel,
    .check = booking_check_answer,
    .read = read_booking};
