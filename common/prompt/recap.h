/* The prompt of a summary: what a model is asked to make of the part of a conversation that later
 * prompts will not hold. Pure, any thread. */
#ifndef DESK_PROMPT_RECAP_H
#define DESK_PROMPT_RECAP_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "base/arena.h"
#include "llm/llm.h"

#define RECAP_MESSAGES 2

struct recap_line {
    int64_t position;
    const char *author, *text; /* as in messages: "contact", "ai", "operator" */
};

struct recap_parts {
    const char *language; /* of the house */
    const char *known;    /* the summary so far, "" if none */
    const struct recap_line *lines;
    size_t count;
    int64_t tokens_max; /* estimated, of the lines; the first one is always in */
};

struct recap {
    struct llm_message messages[RECAP_MESSAGES];
    int64_t up_to; /* the position of the last line in it */
};

/* Builds it into the arena; false: there is nothing new to summarise. */
bool recap_build(struct arena *arena, const struct recap_parts *parts, struct recap *recap);

#endif
