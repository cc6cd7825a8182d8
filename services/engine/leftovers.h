/* Model calls whose turn will not commit them (a person or another worker has the session, or the
 * turn was failed without them) are stored and counted by the loop that made them. Loop thread. */
#ifndef DESK_ENGINE_LEFTOVERS_H
#define DESK_ENGINE_LEFTOVERS_H

#include <stdbool.h>

struct engine;
struct leftovers;
struct session;

/* Returns owned, empty. */
struct leftovers *leftovers_new(struct engine *engine);

/* Logs what is left, frees, sets to NULL; accepts NULL. After pg_free. */
void leftovers_free(struct leftovers **leftovers);

/* Takes the session's calls, if there are any, and sends them. */
void leftovers_take(struct leftovers *leftovers, struct session *session);

/* Once a second: what the database did not answer is sent again. */
void leftovers_tick(struct leftovers *leftovers);

/* Whether no unit of theirs is on its way; what could not be sent then waits for a tick. */
bool leftovers_idle(const struct leftovers *leftovers);

#endif
