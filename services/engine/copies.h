/* What a unit about a session's turn borrows, copied into the unit's arena, since the session may
 * be dropped while the unit is on its way. */
#ifndef DESK_ENGINE_COPIES_H
#define DESK_ENGINE_COPIES_H

#include "base/arena.h"
#include "session.h"
#include "store/round.h"

/* The turn's newest round, with the calls of models that are noted by now; they are marked as sent
 * (calls_stored). */
struct round copies_round(struct arena *arena, struct session *session);

/* Replaces all texts of the commit by copies. */
void copies_commit(struct arena *arena, struct turn_commit *commit);

#endif
