/* The prompt: what a model sees of a turn, in the order that lets providers' prompt caches hit.
 *
 * First what is the same for all turns of an assistant's version (rules, business, workflow), then
 * the rules of the channel that the turn answers, then summaries of what is not told any more, then
 * the conversation up to what is to be answered, then what is true at this moment, then the texts
 * to be answered, and last the rounds of tools. So two turns in a row begin with the same bytes up
 * to the newest text of the first. What others wrote is data: customers' texts are messages of
 * theirs, papers stand in marks, and nothing of it can imitate a mark (prompt/mark.h). Pure: the
 * same parts give the same bytes. Any thread. */
#ifndef DESK_PROMPT_PROMPT_H
#define DESK_PROMPT_PROMPT_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "base/arena.h"
#include "base/err.h"
#include "llm/llm.h"
#include "prompt/channel.h"
#include "prompt/profile.h"
#include "prompt/rounds.h"
#include "prompt/workflow.h"

#define PROMPT_MESSAGES_MAX 128 /* of the conversation; rounds come on top */

/* Our own instructions in prompts, whatever the channel: no reply may quote them, nor those of
 * channels (prompt/channel.h). */
#define PROMPT_RULES 2
extern const char *const prompt_rules[PROMPT_RULES];

struct prompt {
    struct llm_message *messages; /* in the arena */
    size_t count;
    int64_t position;    /* of the newest message of the conversation in it */
    int64_t tokens;      /* estimated, tools included */
    const int64_t *past; /* positions of what it holds from before, in order */
    const int64_t *open; /* and of the texts to be answered */
    size_t past_count, open_count;
    int64_t left_out; /* messages below this position are not in it; 0: all are, or nobody knows */
    const char *passages; /* JSON: those of the parts' that it holds; NULL: none */
    bool is_first;        /* nobody has said anything to the customer in this conversation */
};

/* What is the same for all turns of an assistant's version: made once for it, since it is most of a
 * prompt. */
struct prompt_fixed {
    const char *text; /* rules, business, workflow */
    int64_t tokens;   /* of the message that it is */
};

/* Makes it, in the arena. */
void prompt_fix(struct arena *arena, const struct profile *profile, const struct workflow *workflow,
                struct prompt_fixed *fixed);

struct prompt_parts {
    const struct prompt_fixed *fixed;
    enum prompt_channel channel;  /* that the reply leaves by */
    const char *context;          /* JSON, docs/PROTOCOL.md (context) */
    bool only_here;               /* of it what was said on the turn's own channel session alone */
    const struct rounds *rounds;  /* all calls done, or passed over */
    const char *summary;          /* of older messages; NULL or "": none */
    const char *earlier;          /* of the contact's last conversation; likewise */
    const char *told;             /* lines about this moment; NULL: none */
    const char *passages;         /* JSON array of {document, heading, text}, best first; or NULL */
    const struct llm_tool *tools; /* as they are offered */
    size_t tool_count;
    int64_t tool_tokens; /* tokens_of_tools of them: made once, too */
    int64_t tokens_max;  /* the budget; 0: none */
};

/* Builds the prompt into the arena; texts of rounds and the fixed one are borrowed. To keep the
 * budget, passages get at most a quarter of it, and of the conversation the oldest messages are
 * left out whole; an eighth of it is always the conversation's, and what is to be answered is
 * always there. BUG "prompt.context" if the context is not what turn_add_start makes. */
int prompt_build(struct arena *arena, const struct prompt_parts *parts, struct prompt *prompt,
                 struct err *err);

#endif
