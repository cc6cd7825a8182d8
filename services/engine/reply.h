/* From what a model wrote to what may leave as one text message, or as a mail. */
#ifndef DESK_ENGINE_REPLY_H
#define DESK_ENGINE_REPLY_H

#include <stdbool.h>
#include <stddef.h>

#include "base/arena.h"
#include "contract/segments.h"

#define REPLY_UNITS_MAX      SEGMENTS_CHARACTERS_MAX /* a unit is a code point, or half of one */
#define REPLY_MAIL_UNITS_MAX 16000

/* Returns the text cleaned of control characters (line feeds stay) and outer white space, cut at
 * the end of a sentence, else of a word, so that it has at most REPLY_UNITS_MAX UTF-16 units; "" if
 * nothing is left. `text` is UTF-8. In the arena. */
const char *reply_clean(struct arena *arena, const char *text);

/* The same with at most `units`, which are at most REPLY_MAIL_UNITS_MAX. */
const char *reply_clean_to(struct arena *arena, const char *text, size_t units);

/* UTF-16 units of a text, which is UTF-8. */
size_t reply_units(const char *text);

/* The text cut in the same way so that it has at most `units`, without white space at its end. In
 * the arena. */
const char *reply_cut(struct arena *arena, const char *text, size_t units);

/* Returns the clean reply and `more` below it; what is too long is cut from the reply. In the
 * arena. */
const char *reply_append(struct arena *arena, const char *reply, const char *more);

/* The same with at most `units`. */
const char *reply_append_to(struct arena *arena, const char *reply, const char *more, size_t units);

#endif
