/* From what a model writes, token by token, to what a voice can say, piece by piece; and back from
 * what a caller heard to the place in the text. Pure; a speak belongs to one thread at a time.
 *
 * The pieces of a text, one behind the other, are the whole text cleaned, however its tokens were
 * cut. Cleaned: mark-up is taken out (emphasis, code, headings, bullets, tables, tags; of a link
 * its text stays), emoji and control characters are dropped, white space is one space, lines that
 * end without punctuation end in a full stop or, within a list, a comma. What is no UTF-8 is left
 * out. */
#ifndef DESK_ENGINE_SPEAK_H
#define DESK_ENGINE_SPEAK_H

#include <stdbool.h>
#include <stddef.h>

#include "base/arena.h"

#define SPEAK_FIRST_CHARS 40    /* the first piece is not longer, where words allow */
#define SPEAK_CHARS       200   /* nor is a later one */
#define SPEAK_TEXT_MAX    16384 /* bytes of a turn; what is beyond is dropped */

struct speak;

/* Returns an owned speak for one turn. `language` is a tag such as "de-DE": its abbreviations end
 * no sentence (English, German, Spanish, French; English for others). */
struct speak *speak_new(const char *language);

/* Sets *speak to NULL; accepts NULL. */
void speak_free(struct speak **speak);

/* Takes the next bytes of the text; a character may be cut anywhere. */
void speak_add(struct speak *speak, const char *bytes, size_t length);

/* The text is at its end: what was held back comes out. */
void speak_finish(struct speak *speak);

/* The next piece that is ready, in the arena, never ""; NULL: none at the moment. The first one
 * ends at a clause, or a sentence, or is about SPEAK_FIRST_CHARS long; later ones end at sentences,
 * or are about SPEAK_CHARS long. No piece ends within a word, a number, an address or behind an
 * abbreviation, unless one alone is longer than a frame. A space between two pieces begins the
 * second. */
const char *speak_next(struct speak *speak, struct arena *arena);

/* How many bytes of `text` (UTF-8, at most SPEAK_TEXT_MAX) a caller has heard who heard `heard`:
 * the same words, but spaces, case and punctuation may differ, single words may be written
 * otherwise, words that are no part of the text may stand between. Nothing in common: 0. The last
 * word may be half heard. */
size_t speak_cut_heard(const char *text, const char *heard);

/* Where to go on when the first `at` bytes of `text` were heard: the beginning of the sentence that
 * was cut, or of the next one if none was; the text's length if all was heard. */
size_t speak_resume(const char *text, size_t at, const char *language);

/* The same of words of which all was heard and more was to come: where their last sentence begins
 * that has not ended; their length if it has. */
size_t speak_resume_end(const char *heard, const char *language);

/* Of an answer that may begin by saying again what was `said`: true while `text`, its beginning, is
 * no more than that, and nothing of it is to be spoken yet. Else *from is where what is new begins:
 * behind what was said if it is all there, else 0, for it is another answer. */
bool speak_repeats(const char *said, const char *text, size_t *from);

/* A whole text as its pieces are spoken, in the arena. */
const char *speak_clean(struct arena *arena, const char *language, const char *text);

#endif
