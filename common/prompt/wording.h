/* The sentences that the desk says to customers by itself: in the reception without a model, of
 * escalations, and of appointments that no model tells of. In four languages, each to be replaced
 * by a tenant's own words (docs/TENANT_FILE.md, reception). Plain UTF-8, short, and nothing that is
 * not true at the moment it is sent (docs/RECEPTION.md). Pure. */
#ifndef DESK_PROMPT_WORDING_H
#define DESK_PROMPT_WORDING_H

#include <stdbool.h>
#include <stddef.h>

#include "base/arena.h"
#include "json/json.h"

struct wording {
    const char *language; /* two letters, of what no tenant has replaced */
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
    const char *passed_on;                 /* a wish for a person, where there is no rota to ask, */
    const char *taken;                     /* where somebody has accepted it already, */
    const char *nobody;                    /* and when nobody whom the rota asked has */
};

/* A member of struct wording, or of another struct of words, by the name that a tenant file gives
 * it. */
struct wording_key {
    const char *name;
    size_t offset;
    int max;             /* characters of a tenant's own */
    bool names_business; /* "{business}" may stand in it */
};

#define WORDING_KEYS 19
extern const struct wording_key wording_keys[];

/* Whether there are words of a tag like "de" or "de-CH". */
bool wording_is_known(const char *language);

/* The words of that tag; English for a language that there are none of. Static. */
const struct wording *wording_of(const char *language);

/* The first brace in a tenant's text that does not belong to a {business} that the key takes; NULL:
 * none. */
const char *wording_wrong_mark(const struct wording_key *key, const char *text);

/* Of a table of words by language, rows of `size` bytes that begin with it (two letters): the row
 * of a tag like "de" or "de-CH"; NULL: there is none. */
const void *wording_row(const void *rows, size_t count, size_t size, const char *language);

/* The text with that name for each {business}, in the arena. */
const char *wording_fill(struct arena *arena, const char *text, const char *business);

/* The words of the language with the tenant's own (an object of texts by key; NULL: none) in their
 * place, and the business's name in these. Texts are in the arena, or static. */
void wording_read(struct arena *arena, const struct json *words, const char *language,
                  const char *business, struct wording *out);

#endif
