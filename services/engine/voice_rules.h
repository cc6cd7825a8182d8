/* What the model is told of the moment because it is on the phone; the rules of calls are
 * prompt/channel.h's. Pure. */
#ifndef DESK_ENGINE_VOICE_RULES_H
#define DESK_ENGINE_VOICE_RULES_H

#include "base/arena.h"

/* Our own instruction of an answer that goes on: no reply may quote it. */
extern const char voice_cut_off_rules[];

/* What holds now, in the arena: `lang` is what the call has switched to ("": nothing), `heard` what
 * the caller has heard of an answer that goes on (NULL: none does). NULL: nothing. */
const char *voice_rules_told(struct arena *arena, const char *lang, const char *heard);

#endif
