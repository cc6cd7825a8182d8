/* What the files of bookings share: columns, parameters and reading them. Included by booking.c and
 * booking_look.c only. Loop thread. */
#ifndef DESK_STORE_BOOKING_INSIDE_H
#define DESK_STORE_BOOKING_INSIDE_H

#include "store/booking.h"

/* Columns of a struct booking_appointment, of an appointment `s` and its resource `r`; the tenant's
 * zone is $2. */
#define BOOKING_APPOINTMENT_SQL                                                                    \
    "s.id, s.state, s.service, r.name, local_moment(s.starts_at, $2::text),"                       \
    " local_moment(s.ends_at, $2::text),"                                                          \
    " CASE WHEN s.state = 'held' THEN local_moment(s.hold_until, $2::text) END, s.details::text"

/* Adds a statement with these parameters. */
void booking_add(struct pg_unit *unit, const char *sql, const char *const *params, int count);

/* Parameters as text, in the arena; NULL for the nil id. */
const char *booking_number(struct arena *arena, int value);
const char *booking_uuid(struct arena *arena, const struct uuid *id);
const char *booking_resources(struct arena *arena, const struct booking_rules *rules);

/* A column that local_moment made; empty texts for NULL. */
struct booking_moment booking_read_moment(const struct pg_answer *answer, int statement, int row,
                                          int column);

/* BOOKING_APPOINTMENT_SQL's columns, from `first` on; texts are borrowed from the answer. */
struct booking_appointment booking_read_appointment(const struct pg_answer *answer, int statement,
                                                    int row, int first);

#endif
