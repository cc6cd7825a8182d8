/* What a tenant calls its people for: the section `escalation` of an assistant's version
 * (docs/TENANT_FILE.md). Read once; never changes. Pure. */
#ifndef DESK_ENGINE_TRIGGERS_H
#define DESK_ENGINE_TRIGGERS_H

#include <stdbool.h>
#include <stddef.h>

#include "base/arena.h"
#include "json/json.h"

#define TRIGGERS_WORDS_MAX 50
#define TRIGGERS_MAX       6

struct triggers {
    const char *on[TRIGGERS_MAX]; /* reasons */
    size_t on_count;
    const char *words[TRIGGERS_WORDS_MAX];
    size_t word_count;
    bool has_rota;
};

/* Reads the section (NULL: there is none) into the arena. */
void triggers_read(struct arena *arena, const struct json *section, struct triggers *out);

/* Whether the tenant wants an escalation for that reason; a wish of the assistant's own, which no
 * tenant lists, counts as wanted: it may use the tool. */
bool triggers_want(const struct triggers *triggers, const char *reason);

/* Whether the rota is told of an escalation for that reason. */
bool triggers_call(const struct triggers *triggers, const char *reason);

/* The first of the tenant's words that stands in the text; NULL if none does. */
const char *triggers_word_in(const struct triggers *triggers, const char *text);

#endif
