/* Bookings: book or hold, move, cancel (docs/PROTOCOL.md, bookings).
 *
 * Each function adds its statements to a unit; the last one that it adds is the one to read: its
 * place is the unit's count - 1 afterwards. What writes does so for a tool call whose row in
 * tool_calls is `started`: the caller marks it in an earlier statement of the same unit, under
 * fence and epoch, after it has locked the conversation. The same call again finds what it did.
 *
 * A failure adds nothing. Arrays are made in the arena; texts live until the unit is done. Loop
 * thread. */
#ifndef DESK_STORE_BOOKING_H
#define DESK_STORE_BOOKING_H

#include <stdbool.h>

#include "base/arena.h"
#include "base/err.h"
#include "base/uuid.h"
#include "pg/pg.h"
#include "store/booking_rules.h"

/* 0 when the unit was answered. Otherwise *err gets the answer's error; but a data error is a BUG
 * (all input was checked: it was the rules, mostly an unknown time zone), and a hit on the
 * exclusion constraint is RETRY_NOW: somebody who takes no locks (ops by hand) was faster. */
int booking_check_answer(const struct pg_answer *answer, struct err *err);

/* A moment by the tenant's clock; texts are "" when there is none. */
struct booking_moment {
    char weekday[12]; /* "Tuesday" */
    char date[12];    /* "2026-12-01" */
    char time[8];     /* "09:00" */
    char rfc3339[32]; /* with the offset of that moment */
};

/* ---- what writes ---- */

struct booking_request {
    const char *tenant;
    struct uuid call; /* the tool call */
    struct uuid contact, conversation;
    const char *start;       /* book, move: see booking_parse_start */
    bool confirm;            /* book: booked at once; otherwise held */
    const char *details;     /* book: a JSON object, the intake's answers; NULL: none, or as held */
    bool is_stranger;        /* book: nobody has shown that it is the contact; only with confirm */
    struct uuid appointment; /* move, cancel */
};

/* Adds booking the service. A live hold of this contact and service becomes the booking (or the
 * hold at the new start), but a stranger leaves it as it is. What is booked or held of the contact
 * and still to come counts against rules->most_per_customer. BUG "booking.rules", PERMANENT
 * "booking.start", "booking.details". */
int booking_add_book(struct pg_unit *unit, struct arena *arena, const struct booking_rules *rules,
                     const struct booking_request *request, struct err *err);

/* Adds moving an appointment of this contact and service to another start; its resource stays if
 * that one is free. A live hold of the contact on the service that is in the way is given up for
 * it. Errors as booking_add_book. */
int booking_add_move(struct pg_unit *unit, struct arena *arena, const struct booking_rules *rules,
                     const struct booking_request *request, struct err *err);

/* Adds cancelling an appointment of this contact and service. Of the rules only service, change_min
 * (0 and up) and timezone count. */
void booking_add_cancel(struct pg_unit *unit, struct arena *arena,
                        const struct booking_rules *rules, const struct booking_request *request);

enum booking_kind {
    BOOKING_BOOKED,
    BOOKING_HELD,
    BOOKING_MOVED,
    BOOKING_CANCELLED,
    BOOKING_ALREADY,     /* this call did it before: the appointment as it is now */
    BOOKING_TAKEN,       /* no resource is free then; nothing was written */
    BOOKING_ENOUGH,      /* book: the contact has as many as one may have; nothing was written */
    BOOKING_OUTSIDE,     /* see `limit` */
    BOOKING_TOO_LATE,    /* change_min */
    BOOKING_NOT_FOUND,   /* the contact has no such coming appointment (of that service) */
    BOOKING_NOT_STARTED, /* the call is not marked started; nothing was written */
};

/* Why a start cannot be had at all. */
enum booking_limit {
    BOOKING_LIMIT_NONE,
    BOOKING_LIMIT_LEAD,    /* too soon, or past */
    BOOKING_LIMIT_HORIZON, /* too far ahead */
    BOOKING_LIMIT_HOLIDAY, /* that day's holiday does not leave it */
    BOOKING_LIMIT_HOURS,   /* not within an opening, or the clock never shows it that day */
    BOOKING_LIMIT_GRID,    /* not a multiple of step_min after the opening */
};

struct booking_appointment {
    struct uuid id; /* nil: none */
    const char *state, *service, *resource;
    struct booking_moment start, end;
    struct booking_moment hold_until; /* of a held one */
    const char *details;              /* JSON object */
};

struct booking_result {
    enum booking_kind kind;
    enum booking_limit limit;
    const char *holiday; /* its name, with BOOKING_LIMIT_HOLIDAY; or "" */
    /* What was made or changed; when a move or a cancellation was refused, the one that stays. */
    struct booking_appointment appointment;
};

/* Reads the answer to one of the three, texts borrowed from the answer. */
void booking_read_result(const struct pg_answer *answer, int statement, struct booking_result *out);

/* Its frequent statements, NULL-terminated, for store/statements.h. */
extern const char *const booking_statements[];

#endif
