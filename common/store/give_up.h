/* What becomes of a session whose start the database will never take (docs/PROTOCOL.md, turn): its
 * open texts are given to people. Loop thread. */
#ifndef DESK_STORE_GIVE_UP_H
#define DESK_STORE_GIVE_UP_H

#include <stdbool.h>

#include "base/arena.h"
#include "pg/pg.h"
#include "store/turn.h"

/* Fills an empty unit for the start of a session of the worker (tenant, session, conversation) that
 * failed when the newest claim was `claimed`: the session's open events are `failed` with the
 * reason start.unfit, its running turn, if any, likewise, its conversation is flagged turn_failed,
 * and it is not due any more. While a person has the conversation only the last. Texts live until
 * the unit is done. */
void give_up_add(struct pg_unit *unit, struct arena *arena, const char *worker,
                 const struct turn_start *start, int64_t claimed);

enum give_up_kind {
    GIVE_UP_DONE,
    GIVE_UP_NEWER, /* a text was claimed since: a start has to try it first, nothing was written */
    GIVE_UP_LOST,  /* the session is not the worker's any more, or in another conversation: nothing
                      was written */
};

/* What became of it. *claimed: the newest claim, unless lost. */
enum give_up_kind give_up_read(const struct pg_answer *answer, int64_t *claimed);

#endif
