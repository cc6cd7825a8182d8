/* Whole words in texts that people write. Pure. */
#ifndef DESK_ENGINE_WORDS_H
#define DESK_ENGINE_WORDS_H

#include <stdbool.h>

/* True if `word` (one word or several, UTF-8) stands in the text as whole words, whatever the case
 * of Latin, Greek and Cyrillic letters and however wide the spaces. Letters, digits and marks make
 * words; writing without spaces (Chinese, Japanese, Thai) has a word's edge at every character.
 * Accents count: "café" is not "cafe". */
bool words_have(const char *text, const char *word);

#endif
