/* What the engine says into a call besides replies, by language: data. Short, and true whenever it
 * is said. Static. */
#ifndef DESK_ENGINE_VOICE_WORDS_H
#define DESK_ENGINE_VOICE_WORDS_H

struct voice_words {
    const char *language; /* two letters */
    const char *filler;   /* while a tool works */
    const char *bridge;   /* before what was cut off goes on */
    const char *reaching; /* before a person is rung up: nobody has answered yet */
    const char *nobody;   /* nobody took the call, */
    const char *noted;    /* and it stands on a list; where the tenant has no words for that */
    const char *more;     /* what else? */
    const char *call_for; /* to the person who is rung up: a call for %s */
    const char *press;    /* and how it is taken */
};

/* The words of a tag like "de" or "de-CH"; English for a language that there are none of. */
const struct voice_words *voice_words_of(const char *language);

#endif
