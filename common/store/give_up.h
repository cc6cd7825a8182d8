/* What becomes of a session whose start the database will never take (docs/PROTOCOL.md, turn): its
 * open texts are given to people. Loop thread. */
#ifndef DESK_STORE_GIVE_UP_H
#define DESK_STORE_GIVE_UP_H

#include <stdbool.h>

#include "base/arena.h"
#include "pg/pg.h"
#include "store/turn.h"

/* Fills an empty unit for the start of a session of the worker (tenant, session, conversation): its
 * open events are `failed` with the reason start.unfit, its running turn, if any, likewise, its
 * conversation is flagged turn_failed, and it is not due any more. While a person has the
 * conversation only the last. Texts live until the unit is done. */
void give_up_add(struct pg_unit *unit, struct arena *arena, const char *worker,
                 const struct turn_start *start);

/* False: the session is not the worker's any more, or in another conversation; nothing was written.
 */
bool give_up_read(const struct pg_answer *answer);

#endif
