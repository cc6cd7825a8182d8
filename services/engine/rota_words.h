/* What somebody of the rota hears when the desk calls them, in the tenant's language
 * (docs/CALLING.md). Pure. */
#ifndef DESK_ENGINE_ROTA_WORDS_H
#define DESK_ENGINE_ROTA_WORDS_H

#include "base/arena.h"

#define ROTA_REASONS 7

struct rota_words {
    const char *language;
    const char *reasons[ROTA_REASONS]; /* in the order of rota_words_reason's names */
    const char *press;                 /* which key does what */
    const char *yours;                 /* it is theirs, */
    const char *taken;                 /* or that of %s, */
    const char *closed, *late;         /* or nobody's any more */
    const char *hello;                 /* to a customer who is called back: %s is the business */
    const char *leave;                 /* to their answering machine */
};

/* The words of a tag like "de-CH"; English for a language that there are none of. Static. */
const struct rota_words *rota_words_of(const char *language);

/* Why somebody is needed: the escalation's reason in these words. Static. */
const char *rota_words_reason(const struct rota_words *words, const char *reason);

/* The text with `value` in its one place, in the arena. */
const char *rota_words_fill(struct arena *arena, const char *text, const char *value);

#endif
