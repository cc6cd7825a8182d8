/* What a version says of the phone beyond its wording: whom a caller can be put through to, the
 * languages of its voices, and how fast they speak (docs/TENANT_FILE.md). Read once; never changes.
 * Pure. */
#ifndef DESK_ENGINE_PHONE_PLAN_H
#define DESK_ENGINE_PHONE_PLAN_H

#include <stdbool.h>
#include <stddef.h>

#include "base/arena.h"
#include "prompt/phone_words.h"
#include "json/json.h"

#define PHONE_PEOPLE_MAX    10
#define PHONE_LANGUAGES_MAX 11
#define PHONE_RATE          150 /* tenths of a character a second, where nobody measured it */

struct phone_plan {
    struct phone_person {
        const char *name, *phone; /* E.164 */
        const char *hours;        /* JSON; NULL: always on duty */
    } people[PHONE_PEOPLE_MAX];   /* of the rota, in its order: those who have a phone */
    size_t person_count;
    bool attested_only; /* account facts are for callers whose number a carrier vouches for */
    bool cold;          /* they are put through at once, without a briefing */
    int ring_s;
    const char *languages[PHONE_LANGUAGES_MAX]; /* that calls can be held in; the first is usual */
    struct phone_words words[PHONE_LANGUAGES_MAX]; /* of each of them */
    size_t language_count;
    int speaking_rate; /* tenths of a character a second, 10-1,000 */
};

/* Reads it from a version's config into the arena. */
void phone_plan_read(struct arena *arena, const struct json *config, struct phone_plan *out);

/* The person of that name, without regard to ASCII case; NULL if there is none. */
const struct phone_person *phone_plan_find(const struct phone_plan *plan, const char *name);

/* The language of a call that is meant by a tag: the same one, or the first whose first letters
 * are; NULL if there is none. */
const char *phone_plan_language(const struct phone_plan *plan, const char *tag);

/* What the desk says by itself in the language that is meant by a tag, also one that no call is
 * held in. */
const struct phone_words *phone_plan_words(const struct phone_plan *plan, const char *tag);

#endif
