/* Calls that the desk places: what goes on when one is over, and which to ask the provider about
 * (docs/CALLING.md). Loop thread. */
#ifndef DESK_STORE_DELIVERY_CALL_H
#define DESK_STORE_DELIVERY_CALL_H

#include "store/delivery.h"

/* Adds, behind the change of deliveries (tenants and ids, two uuid[] literals), what the end of a
 * call among them sets off: a rota whose person did not take it asks the next one at once, and a
 * task is looked at again by who had it called about. Nothing for any other. 1 statement, no rows.
 */
void delivery_call_add_over(struct pg_unit *unit, const char *const keys[2]);

/* The statement itself, for who does not write units: call_reconcile.c. */
extern const char delivery_call_over_sql[];

/* A call that was placed and of whose end no word has come for long; texts are borrowed from the
 * answer. */
struct delivery_call_open {
    struct delivery_ref ref;
    int attempt;
    const char *sid;
    int64_t age_ms; /* since its first attempt */
    bool moved;     /* the account that placed it is not the route's any more */
    struct delivery_route route;
};

/* Adds the statement that takes at most `limit` of those which are due, so that each is due again
 * `after_ms` later: whoever dies over one has not kept it. */
void delivery_call_add_open(struct pg_unit *unit, struct arena *arena, int64_t after_ms, int limit);

/* Reads row `row` of it, statement `statement`; false: no more. */
bool delivery_call_read_open(const struct pg_answer *answer, int statement, int row,
                             struct delivery_call_open *out);

/* Its frequent statements, NULL-terminated, for store/statements.h. */
extern const char *const delivery_call_statements[];

#endif
