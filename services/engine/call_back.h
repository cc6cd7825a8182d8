/* Calls customers back about tasks: a poll for due jobs makes each a delivery, which a responder
 * places within the calling hours, and decides what comes of one that nobody took
 * (docs/CALLING.md). Loop thread. */
#ifndef DESK_ENGINE_CALL_BACK_H
#define DESK_ENGINE_CALL_BACK_H

#include "engine.h"

struct call_backs;

/* Begins to look. Returns owned. */
struct call_backs *call_backs_new(struct engine *engine);

/* Sets to NULL; accepts NULL. The pool is gone, or none of its units is in flight. */
void call_backs_free(struct call_backs **call_backs);

/* Nothing is in hand. */
bool call_backs_idle(const struct call_backs *call_backs);

#endif
