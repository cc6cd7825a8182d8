/* What bookings are made from: free starts of a service, and the appointments that a contact has
 * (docs/PROTOCOL.md, bookings). Each adds one statement to a unit. A failure adds nothing. Texts
 * live until the unit is done. Loop thread. */
#ifndef DESK_STORE_BOOKING_LOOK_H
#define DESK_STORE_BOOKING_LOOK_H

#include <stdbool.h>

#include "base/arena.h"
#include "base/err.h"
#include "base/uuid.h"
#include "pg/pg.h"
#include "store/booking.h"

#define BOOKING_SLOTS_MAX  50
#define BOOKING_DAYS_MAX   62 /* of one search; later days are not looked at */
#define BOOKING_COMING_MAX 50

/* ---- free starts ---- */

struct booking_search {
    const char *tenant;
    struct uuid contact;           /* whose own live hold on the service does not count; or nil */
    const char *from_day, *to_day; /* "2026-12-01" by the tenant's clock, both included */
    int limit;                     /* 1-BOOKING_SLOTS_MAX starts */
};

/* Adds the search. The starts come in order of time; when there are more than `limit`, each morning
 * (before 12), afternoon and evening (from 17 on) gives its first one before any gives a second,
 * full hours' first ones before others. BUG "booking.rules", PERMANENT "booking.day". */
int booking_look_add_slots(struct pg_unit *unit, struct arena *arena,
                           const struct booking_rules *rules, const struct booking_search *search,
                           struct err *err);

struct booking_slot {
    struct booking_moment start;
    int free; /* resources */
};

/* Reads row `row` of the statement, texts borrowed from the answer; false when there is none. */
bool booking_look_read_slot(const struct pg_answer *answer, int statement, int row,
                            struct booking_slot *out);

/* ---- a contact's appointments ---- */

/* Adds reading the contact's booked and live held appointments that are not over, by start, at most
 * BOOKING_COMING_MAX. `timezone` is the tenant's. */
void booking_look_add_coming(struct pg_unit *unit, struct arena *arena, const char *tenant,
                             const struct uuid *contact, const char *timezone);

/* Reads row `row`, texts borrowed from the answer; false when there is none. */
bool booking_look_read_coming(const struct pg_answer *answer, int statement, int row,
                              struct booking_appointment *out);

/* Its frequent statements, NULL-terminated, for store/statements.h. */
extern const char *const booking_look_statements[];

#endif
