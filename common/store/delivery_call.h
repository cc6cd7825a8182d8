/* Calls that the desk places: what goes on when one is over (docs/CALLING.md). Loop
 * thread. */
#ifndef DESK_STORE_DELIVERY_CALL_H
#define DESK_STORE_DELIVERY_CALL_H

#include "pg/pg.h"

/* Adds, behind the change of deliveries (tenants and ids, two uuid[] literals), what the end of a
 * call among them sets off: a rota whose person did not take it asks the next one at once, and a
 * task is looked at again by who had it called about. Nothing for any other. 1 statement, no rows.
 */
void delivery_call_add_over(struct pg_unit *unit, const char *const keys[2]);

/* Its frequent statements, NULL-terminated, for store/statements.h. */
extern const char *const delivery_call_statements[];

#endif
