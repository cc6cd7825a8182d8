/* What think.c, choose.c and race.c share: one call of a model, the session's own. Nobody else
 * includes it. */
#ifndef DESK_ENGINE_THINK_INSIDE_H
#define DESK_ENGINE_THINK_INSIDE_H

#include "prompt/prompt.h"
#include "session.h"

#define THINK_ANSWER_TOKENS 1024 /* of a model whose answers have no limit here */

/* ---- choose.c ---- */

/* That entry of the chain; `assistant` may be unknown (NULL) once its call is at work. */
struct asking_model choose_entry(struct session *session, const struct assistant *assistant,
                                 int index);

/* Whether that model of the chain becomes the session's: it is not left alone, has room for a call,
 * and within `most_ms` a place within its limits; these are taken. *wait_ms: until the place, or
 * for how long it cannot be asked. */
bool choose_take(struct session *session, const struct assistant *assistant, int index,
                 int64_t most_ms, int64_t *wait_ms);

enum choice {
    CHOICE_NOW,
    CHOICE_LATER,   /* in *wait_ms: its place within the minute */
    CHOICE_IN_LINE, /* behind the calls at once, for *wait_ms at most: the timer rings before that
                       when the place is there */
    CHOICE_NONE     /* none can be asked for *wait_ms */
};

/* Makes one of the chain the session's, from its present one on. After a wait it is called again,
 * and takes up what was waited for. */
enum choice choose_model(struct session *session, const struct assistant *assistant,
                         int64_t *wait_ms);

/* What the session has taken for a call that is not made is free again. */
void choose_give_back(struct session *session, const struct assistant *assistant);

/* The same, and it waits in no line any more; may have nothing. */
void choose_stop(struct session *session);

/* ---- think.c ---- */

/* The setting, or what that model can take beside its answer. */
struct assistant_model;
int64_t think_prompt_budget(const struct session *session, const struct assistant_model *model);

/* What a prompt of at most so many tokens is made of now. */
struct prompt_parts think_parts(struct session *session, const struct assistant *assistant,
                                int64_t tokens_max);

/* Sends the prompt to the session's model. -1: none can be built, which is logged; nothing is given
 * back. */
int think_send(struct session *session, const struct assistant *assistant,
               const struct llm_callbacks *callbacks);

/* Takes the outcome of the session's call to the turn; notes it. An on_done. */
void think_done(void *arg, const struct llm_result *result);

/* The session's call has ended: its row, and what it says to the breaker and the limits. */
void think_note(struct session *session, const struct llm_result *result);

/* Cancels the session's call, whose row gets that outcome: it says neither good nor bad of the
 * model, and what was taken of its limits stays taken. */
void think_cancel(struct session *session, const char *outcome);

#endif
