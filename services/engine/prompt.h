/* The prompt: platform rules, business profile, channel rules, then the recent conversation. Texts
 * of customers are user messages and nothing else: never part of the rules. */
#ifndef DESK_ENGINE_PROMPT_H
#define DESK_ENGINE_PROMPT_H

#include <stddef.h>

#include "assistants.h"
#include "base/arena.h"
#include "base/err.h"
#include "base/strbuf.h"
#include "llm/llm.h"
#include "rounds.h"

#define PROMPT_MESSAGES_MAX 128 /* the rules and what was said; rounds come on top */
/* Older messages beyond this are left out; 50 open texts of the greatest length always fit, because
 * all that the start lists is answered. */
#define PROMPT_HISTORY_BYTES (512 * 1024)

/* Our own instructions in every prompt: no reply may quote them (reply_quotes). */
#define PROMPT_RULES 2
extern const char *const prompt_rules[PROMPT_RULES];

struct prompt {
    struct llm_message *messages; /* in the arena */
    size_t count;
    int64_t position; /* of the newest message in it */
};

struct prompt_parts {
    const struct assistant *assistant;
    const char *context;         /* the start's JSON */
    const struct rounds *rounds; /* all calls done, or passed over */
    const char *briefing;        /* or NULL */
};

/* Builds the prompt into the arena; texts of rounds are borrowed. What changes from turn to turn
 * stands behind what does not. BUG "prompt.context" if the context is not what turn_add_start
 * makes.
 */
int prompt_build(struct arena *arena, const struct prompt_parts *parts, struct prompt *prompt,
                 struct err *err);

/* Adds a passage of the business's papers to a briefing, between marks that nothing in it can end:
 * a mark that stands in the text, whoever wrote it, loses its bracket. */
void prompt_add_passage(struct strbuf *out, const char *document, const char *heading,
                        const char *text);

#endif
