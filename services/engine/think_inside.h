/* What race.c needs of think.c: one call of a model, the session's own. Nobody else includes it. */
#ifndef DESK_ENGINE_THINK_INSIDE_H
#define DESK_ENGINE_THINK_INSIDE_H

#include "session.h"

/* Whether that model of the chain becomes the session's: it is not left alone, and within `most_ms`
 * it has a place, which is taken. *wait_ms: until the place, or for how long it cannot be asked. */
bool think_take_model(struct session *session, const struct assistant *assistant, int index,
                      int64_t most_ms, int64_t *wait_ms);

/* Sends the prompt to the session's model. -1: none can be built, which is logged; the probe is let
 * go, the place is not given back. */
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
