/* What the desk says into a call by itself besides replies, by language: while a caller waits,
 * before what was cut off goes on, when somebody is rung up. In four languages, each to be replaced
 * by a tenant's own words (docs/TENANT_FILE.md, phone). Short, and true whenever it is said. Pure.
 */
#ifndef DESK_PROMPT_PHONE_WORDS_H
#define DESK_PROMPT_PHONE_WORDS_H

#include <stdbool.h>

#include "base/arena.h"
#include "prompt/wording.h"
#include "json/json.h"

struct phone_words {
    const char *language; /* two letters, of what no tenant has replaced */
    const char *filler;   /* while a tool works */
    const char *bridge;   /* before what was cut off goes on */
    const char *reaching; /* before a person is rung up: nobody has answered yet */
    const char *nobody;   /* nobody took the call, */
    const char *noted;    /* and it stands on a list; where the tenant has no words for that */
    const char *more;     /* what else? */
    const char *call_for; /* to the person who is rung up: a call for {business} */
    const char *press;    /* and how it is taken */
};

#define PHONE_WORDS_KEYS 8
extern const struct wording_key phone_words_keys[];

/* Whether there are words of a tag like "de" or "de-CH". */
bool phone_words_is_known(const char *language);

/* The words of that tag; English for a language that there are none of. Static. */
const struct phone_words *phone_words_of(const char *language);

/* The same with the tenant's own (an object of texts by key; NULL: none) in their place. Texts are
 * in the arena, or static. */
void phone_words_read(struct arena *arena, const struct json *words, const char *language,
                      struct phone_words *out);

#endif
