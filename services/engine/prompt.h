/* The prompt: platform rules, business profile, channel rules, then the recent conversation. Texts
 * of customers are user messages and nothing else: never part of the rules. */
#ifndef DESK_ENGINE_PROMPT_H
#define DESK_ENGINE_PROMPT_H

#include <stddef.h>

#include "assistants.h"
#include "base/arena.h"
#include "base/err.h"
#include "llm/llm.h"

#define PROMPT_MESSAGES_MAX 128
/* Older messages beyond this are left out; 50 open texts of the greatest length always fit, because
 * all that the start lists is answered. */
#define PROMPT_HISTORY_BYTES (512 * 1024)

struct prompt {
    struct llm_message messages[PROMPT_MESSAGES_MAX];
    size_t count;
};

/* Builds the prompt from the start's context JSON into the arena. BUG "prompt.context" if it is not
 * what turn_add_start makes. */
int prompt_build(struct arena *arena, const struct assistant *assistant, const char *context,
                 struct prompt *prompt, struct err *err);

#endif
