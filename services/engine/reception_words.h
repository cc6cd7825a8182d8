/* What the reception without a model says, by language: data. Plain UTF-8, short, and nothing that
 * is not true at the moment it is sent (docs/RECEPTION.md). Static. */
#ifndef DESK_ENGINE_RECEPTION_WORDS_H
#define DESK_ENGINE_RECEPTION_WORDS_H

#include <stddef.h>

struct reception_words {
    const char *language; /* two letters */
    const char *offer;    /* behind the tenant's wording */
    const char *ask_name, *ask_reason, *ask_call_back;
    const char *thanks;                    /* before the next question */
    const char *automatic;                 /* before what is quoted from the knowledge */
    const char *noted;                     /* before the list of what was recorded: */
    const char *name, *reason, *call_back; /* names in that list */
    const char *added;                     /* before what was added to a finished message */
    const char *stands;                    /* nothing was added to it */
    const char *full;                      /* nothing can be added to it */
    const char *nothing;                   /* nothing usable came */
    const char *booked, *cancelled;        /* before an appointment that a tool has changed */
};

/* The words of a tag like "de" or "de-CH"; English for a language that there are none of. */
const struct reception_words *reception_words_of(const char *language);

/* All that there are, by index from 0; NULL at the end. */
const struct reception_words *reception_words_at(size_t index);

/* Words of greeting and thanks in all languages, each between spaces, in small letters. */
extern const char reception_greetings[];

/* What stands before a name ("my name is "), in small letters, NULL-terminated: anywhere in a text,
 * and at its beginning only. */
extern const char *const reception_name_anywhere[];
extern const char *const reception_name_first[];

#endif
