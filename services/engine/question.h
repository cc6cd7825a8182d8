/* What the tenant's knowledge is asked for in a turn: words of the conversation as the turn's start
 * has them. Pure. Any thread. */
#ifndef DESK_ENGINE_QUESTION_H
#define DESK_ENGINE_QUESTION_H

#include "base/arena.h"

/* What the customer wrote last, in a row, with the subjects of mails. `context`: the JSON array of
 * a start, borrowed. At most a few thousand bytes, in the arena; "" if there is nothing. */
const char *question_of(struct arena *arena, const char *context);

/* Of that the sentences that end with a question mark: a letter greets, thanks and takes leave
 * around them, with words that no passage has. "" if it asks nothing. */
const char *question_asked(struct arena *arena, const char *context);

#endif
