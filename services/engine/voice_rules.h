/* What the model is told because it is on the phone. Pure. */
#ifndef DESK_ENGINE_VOICE_RULES_H
#define DESK_ENGINE_VOICE_RULES_H

#include "base/arena.h"

/* Our own instructions in prompts of calls: no reply may quote them. */
#define VOICE_RULES 2
extern const char *const voice_rules[VOICE_RULES];

/* Those that hold now, in the arena: `lang` is what the call has switched to ("": nothing),
 * `heard` what the caller has heard of an answer that goes on (NULL: none does). */
const char *voice_rules_told(struct arena *arena, const char *lang, const char *heard);

#endif
