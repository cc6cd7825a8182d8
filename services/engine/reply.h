/* From what a model wrote to what may leave as one text message. */
#ifndef DESK_ENGINE_REPLY_H
#define DESK_ENGINE_REPLY_H

#include "base/arena.h"

#define REPLY_UNITS_MAX 1600 /* Twilio refuses more (21617) */

/* Returns the text cleaned of control characters (line feeds stay) and outer white space, cut at
 * the end of a sentence, else of a word, so that it has at most REPLY_UNITS_MAX UTF-16 units; "" if
 * nothing is left. `text` is UTF-8. In the arena. */
const char *reply_clean(struct arena *arena, const char *text);

#endif
