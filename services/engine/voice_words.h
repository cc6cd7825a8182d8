/* What the engine says into a call besides replies, by language: data. Short, and true whenever it
 * is said. Static. */
#ifndef DESK_ENGINE_VOICE_WORDS_H
#define DESK_ENGINE_VOICE_WORDS_H

struct voice_words {
    const char *language; /* two letters */
    const char *filler;   /* while a tool works */
    const char *bridge;   /* before what was cut off goes on */
};

/* The words of a tag like "de" or "de-CH"; English for a language that there are none of. */
const struct voice_words *voice_words_of(const char *language);

#endif
