/* The look for what must not leave: whether replies tell texts of ours word by word, whatever their
 * case, whatever stands between the letters, in one piece or in many, backwards, in rot13, base64
 * or hexadecimal. A translation, a retelling or another cipher is not seen (docs/adr/0009). think.c
 * asks. */
#ifndef DESK_ENGINE_QUOTES_H
#define DESK_ENGINE_QUOTES_H

#include <stdbool.h>
#include <stddef.h>

#include "base/arena.h"

/* Letters and digits. So many in a row are no coincidence, about 60 characters of a text; nor are
 * so many of several pieces together, each of which is at least a phrase. */
#define QUOTES_RUN   50
#define QUOTES_SUM   150
#define QUOTES_PIECE 20

/* The texts, prepared once: some 5 bytes a letter. Not changed afterwards, so any thread may use
 * it. */
struct quotes_texts;

/* Of `count` UTF-8 texts. In the arena. */
struct quotes_texts *quotes_texts_new(struct arena *arena, const char *const *texts, size_t count);

/* What was heard of them so far. In the arena, as is all that hearing takes: a byte a letter. */
struct quotes;
struct quotes *quotes_new(struct arena *arena, const struct quotes_texts *texts);

/* Hears one reply more; returns whether any of the texts is told by now. */
bool quotes_hear(struct quotes *quotes, const char *reply);

/* How many letters of the texts were heard in pieces so far. */
size_t quotes_heard(const struct quotes *quotes);

#endif
