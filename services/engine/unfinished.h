/* The look for messages that customers began to leave while no model answered, and that nobody goes
 * on with: they become tasks for people (store/reception_record.h); and for calls whose end nobody
 * told (store/voice.h). Any loop may look at any time.
 * Loop thread. */
#ifndef DESK_ENGINE_UNFINISHED_H
#define DESK_ENGINE_UNFINISHED_H

#include "engine.h"

struct unfinished;

/* Starts looking. Returns owned; frees and sets to NULL, accepts NULL (after pg_free, which ends a
 * look on its way). */
struct unfinished *unfinished_new(struct engine *engine);
void unfinished_free(struct unfinished **unfinished);

#endif
