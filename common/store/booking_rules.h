/* What a booking is judged by: a service and the opening hours of its tenant, as the assistant's
 * version holds them, and the checks before any of it reaches the database. Pure; any thread. */
#ifndef DESK_STORE_BOOKING_RULES_H
#define DESK_STORE_BOOKING_RULES_H

#include <stddef.h>

#include "base/arena.h"
#include "base/err.h"

#define BOOKING_RESOURCES_MAX 100
#define BOOKING_OPENINGS_MAX  12 /* of a day */
#define BOOKING_HOLIDAYS_MAX  1000
#define BOOKING_DETAILS_MAX   ((size_t)16 * 1024)

struct booking_rules {
    const char *timezone; /* IANA name */
    /* JSON: {"mon":[["08:00","17:00"]],...}; "24:00" may end a day, a missing day is closed. */
    const char *hours;
    /* JSON: [{"day":"2026-12-25","name":"Christmas"},...]; with "hours" that replace the day's. */
    const char *holidays;
    const char *service;          /* its name */
    const char *const *resources; /* names of those that can do it, the preferred first */
    size_t resource_count;        /* 1-BOOKING_RESOURCES_MAX */
    int duration_min;             /* 5-1440 */
    int buffer_before_min,
        buffer_after_min;  /* 0-240: kept free around it, also outside the hours */
    int step_min;          /* 5-240: starts lie on this grid, from the opening on */
    int lead_min;          /* 0-527040: earliest start from now */
    int horizon_days;      /* 1-366: latest, in local days from today */
    int hold_min;          /* 1-10080: how long a hold lasts */
    int change_min;        /* 0-527040: until this long before the start it may be changed */
    int most_per_customer; /* 0-100: coming appointments of one contact, of all services; 0: any */
};

/* Checks the bounds above and the JSON; BUG "booking.rules" with what is wrong: our own parser of
 * tenant files makes them. Whether the zone exists only the database knows. */
int booking_check_rules(const struct booking_rules *rules, struct err *err);

/* A wanted start as a model writes it, ready for the database; one of the two is NULL. */
struct booking_start {
    const char *instant; /* it came with an offset */
    const char *local;   /* by the tenant's clock */
};

/* Parses "2026-12-01T09:00" (seconds allowed), with or without "Z" or "+01:00", into the arena.
 * PERMANENT "booking.start". */
int booking_parse_start(struct arena *arena, const char *text, struct booking_start *start,
                        struct err *err);

/* Checks "2026-12-01". PERMANENT "booking.day". */
int booking_check_day(const char *text, struct err *err);

/* Checks that the text is a JSON object of at most BOOKING_DETAILS_MAX bytes and copies it, in a
 * form that every jsonb takes, into the arena; NULL stays NULL. PERMANENT "booking.details". */
int booking_copy_details(struct arena *arena, const char *text, const char **copy, struct err *err);

#endif
