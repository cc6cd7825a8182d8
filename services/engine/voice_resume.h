/* A word into a call that goes on over another socket (docs/VOICE.md): the caller has waited, and
 * nobody has a turn of his in hand. Loop thread only. */
#ifndef DESK_ENGINE_VOICE_RESUME_H
#define DESK_ENGINE_VOICE_RESUME_H

#include "engine.h"
#include "store/voice.h"

/* Says the bridge line, and what is left of the reply that was cut off. */
void voice_resume(struct engine *engine, const char *tenant, const struct voice_resumed *resumed);

#endif
