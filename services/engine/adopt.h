/* Adoption: due sessions that nobody alive owns, and our own that are not in memory
 * (docs/PROTOCOL.md, workers). Also tells the renewal what is in hand. Loop thread only. */
#ifndef DESK_ENGINE_ADOPT_H
#define DESK_ENGINE_ADOPT_H

#include "engine.h"

struct adopt;

/* Returns owned, looking every adopt_every_ms; frees (a unit in flight must be over). */
struct adopt *adopt_new(struct engine *engine);
void adopt_free(struct adopt **adopt);

/* True while a poll is on its way: the drain waits, or what it adopts would be nobody's. */
bool adopt_in_flight(const struct adopt *adopt);

/* For worker_options.extend and .extended: which sessions in hand moved? `arg` is the engine. */
void adopt_extend(void *arg, struct arena *arena, struct pg_unit *unit);
void adopt_extended(void *arg, const struct pg_answer *answer, int first);

#endif
