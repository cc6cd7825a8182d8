/* What the tools of a turn have done, told to the customer without a model. Pure. */
#ifndef DESK_ENGINE_RECEPTION_FACTS_H
#define DESK_ENGINE_RECEPTION_FACTS_H

#include "base/arena.h"
#include "prompt/rounds.h"
#include "prompt/wording.h"

/* Lines about appointments that the rounds' calls booked, moved or cancelled, each as the last call
 * left it, at most REPLY_UNITS_MAX / 2 units; NULL: there are none. A held time is none. In the
 * arena. */
const char *reception_facts(struct arena *arena, const struct rounds *rounds,
                            const struct wording *words);

#endif
