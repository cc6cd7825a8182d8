/* Deliveries that nobody works on: finding what is due, giving up what died with its worker, and
 * look-ups of unknown ones (docs/PROTOCOL.md, delivery). Each adds its statements to an empty unit.
 * Arrays are made in the arena; texts live until the unit is done. Loop thread. */
#ifndef DESK_STORE_DELIVERY_DUE_H
#define DESK_STORE_DELIVERY_DUE_H

#include <stdbool.h>
#include <stdint.h>

#include "store/delivery.h"

/* ---- adoption ---- */

struct delivery_poll {
    const char *worker;
    const char *held; /* uuid[] literal: what this worker has in memory */
    int64_t lease_ms, park_after_ms, mail_park_after_ms;
    int64_t grace_ms; /* pending ones younger than this have a wake-up on its way */
    int limit, mail_limit, look_up_limit;
};

/* Marks lapsed responders dead and what they were sending unknown, parks what waited too long
 * (unknown ones only delivery_add_look_up_again does: after an outage they are asked about first),
 * lists what is due, at most `limit` texts and `mail_limit` mails, and takes unknown ones that are
 * due for a look-up. */
void delivery_add_poll(struct pg_unit *unit, struct arena *arena, const struct delivery_poll *poll);

/* Counts of the poll: made unknown, parked. */
int64_t delivery_poll_expired(const struct pg_answer *answer);
int64_t delivery_poll_parked(const struct pg_answer *answer);

/* A delivery that is due, mails behind texts; false when there is no such row. */
bool delivery_read_due(const struct pg_answer *answer, int row, struct delivery_ref *out,
                       bool *is_mail);

/* ---- look-ups ---- */

struct delivery_look_up {
    struct delivery_ref ref;
    int attempt;
    int64_t attempt_ms; /* wall clock of the database when the attempt was recorded */
    int64_t unknowns;   /* attempts whose outcome nobody learnt */
    int64_t since_ms;   /* when the first of those was recorded */
    const char *worker; /* that took it: the poll's */
    const char *body;
    bool moved; /* one of those asked another account than the route's */
    struct delivery_route route;
};
/* Reads an unknown delivery that is due for a look-up; false when there is no such row. */
bool delivery_read_look_up(const struct pg_answer *answer, int row, struct delivery_look_up *out);

/* Which of the sids (text[] literal) belong to other deliveries of the tenant: one row each. */
void delivery_add_used_sids(struct pg_unit *unit, struct arena *arena,
                            const struct delivery_ref *ref, const char *sids);

/* A look-up that could not tell; texts are borrowed until the unit is done. */
struct delivery_again {
    struct delivery_ref ref;
    int attempt;        /* that it asked about */
    const char *worker; /* that took it */
    int64_t after_ms, park_after_ms;
};
/* Puts the unknown one back for another look-up in `after_ms`, or parks it when its first attempt
 * is older than park_after_ms and look-ups have been failing for minutes; true then. Nothing
 * happens when it is at another attempt by now, or another worker looks it up. */
void delivery_add_look_up_again(struct pg_unit *unit, struct arena *arena,
                                const struct delivery_again *again);
bool delivery_read_look_up_over(const struct pg_answer *answer);

/* Drain: look-ups in hand become anybody's. */
void delivery_add_release(struct pg_unit *unit, const char *worker);

/* Its frequent statements, NULL-terminated, for store/statements.h. */
extern const char *const delivery_due_statements[];

#endif
