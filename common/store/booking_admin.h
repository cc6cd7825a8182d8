/* What deskctl does with bookings: a tenant's resources from its file, and its book of
 * appointments. Blocking, inside a transaction that schema_begin_as_ops opened. Texts are in the
 * arena. One thread. */
#ifndef DESK_STORE_BOOKING_ADMIN_H
#define DESK_STORE_BOOKING_ADMIN_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "base/arena.h"
#include "base/err.h"
#include "base/uuid.h"
#include "pg/pg.h"

#define BOOKING_ADMIN_ROWS_MAX 1000
#define BOOKING_ADMIN_DAYS_MAX 366

/* What setting the resources did. */
struct booking_resource_changes {
    int64_t made, revived, removed;
};

/* Makes the tenant's resources these (1-200 characters each; a name twice counts once): missing
 * ones are marked removed, names that return are alive again. Appointments stay as they are, also
 * those of a removed resource: a person must move them. RETRY_NOW when a booking is in the way for
 * longer than the lock timeout. */
int booking_admin_set_resources(struct pg_session *session, const struct uuid *tenant,
                                const char *const *names, size_t count,
                                struct booking_resource_changes *changes, struct err *err);

struct booking_admin_row {
    const char *id, *state, *service, *resource;
    const char *starts_at, *ends_at; /* "Tuesday 2026-12-01T09:00:00+01:00", the tenant's zone */
    const char *hold_until;          /* likewise, NULL unless held */
    const char *address;             /* one of the contact's, NULL: none */
    const char *conversation;        /* its id, NULL: none */
    const char *details;             /* JSON object */
};

struct booking_admin_query {
    struct uuid tenant;
    const char *from_day; /* "2026-12-01" by the tenant's clock; NULL: today */
    int days;             /* 1-BOOKING_ADMIN_DAYS_MAX, the first one included */
    bool all;             /* also cancelled ones, and holds whose time is over */
};

/* The appointments that start on one of these days, by start; at most BOOKING_ADMIN_ROWS_MAX.
 * PERMANENT "booking.day". */
int booking_admin_list(struct pg_session *session, struct arena *arena,
                       const struct booking_admin_query *query, struct booking_admin_row **rows,
                       size_t *count, struct err *err);

#endif
