/* Who the business is, as its prompts say it. Texts are of an assistant's version. */
#ifndef DESK_PROMPT_PROFILE_H
#define DESK_PROMPT_PROFILE_H

#include "base/arena.h"
#include "json/json.h"

struct profile {
    const char *business; /* display name */
    const char *timezone, *language;
    const char *persona, *facts, *tone; /* "" if not set */
};

/* Fills persona, facts and tone from a version's config, copied into the arena; the rest is the
 * caller's. */
void profile_read(struct arena *arena, const struct json *config, struct profile *out);

#endif
