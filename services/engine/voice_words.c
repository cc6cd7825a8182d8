/* The words that cover a wait in a call. voice.c says them. */
#include "voice_words.h"

#include <stddef.h>
#include <strings.h>

static const struct voice_words all[] = {
    {"en", "One moment, I am looking that up.", "Sorry, let me go on."},
    {"es", "Un momento, lo estoy mirando.", "Perdón, continúo."},
    {"de", "Einen Moment, ich sehe nach.", "Entschuldigung, ich mache weiter."},
    {"fr", "Un instant, je regarde.", "Pardon, je continue."},
};

const struct voice_words *voice_words_of(const char *language)
{
    for (size_t i = 0; i < sizeof all / sizeof all[0]; i++)
        if (strncasecmp(language, all[i].language, 2) == 0)
            return &all[i];
    return &all[0];
}
