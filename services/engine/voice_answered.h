/* A call that the desk placed was taken, or a key was pressed in it: what the row makes of it, and
 * the word that the person on the line waits for (docs/CALLING.md). voice_intake.c calls it. Loop
 * thread. */
#ifndef DESK_ENGINE_VOICE_ANSWERED_H
#define DESK_ENGINE_VOICE_ANSWERED_H

#include "engine.h"
#include "store/call_answer.h"

/* Says what came of the answer to the ingress of that request, if somebody waits for it: after the
 * key that accepts. */
void voice_answered_tell(struct engine *engine, const struct call_answer *told,
                         const char *call_sid, int partition, const struct pg_answer *answer);

#endif
