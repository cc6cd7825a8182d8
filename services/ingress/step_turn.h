/* Calls in webhook mode (docs/VOICE.md): the call's first request, a Gather's result, and the
 * request that waits on for an answer. The process keeps nothing of a call between two of them.
 * Server threads. */
#ifndef DESK_INGRESS_STEP_TURN_H
#define DESK_INGRESS_STEP_TURN_H

#include <stdbool.h>

#include "answer.h"
#include "contract/twilio_call.h"

struct step;

/* True if an engine could be asked now. */
bool step_turn_is_open(const struct ingress *ingress);

/* Answers the first request of a call, and what Twilio asks as its fallback: greets, or goes on
 * with the step that it could not get. `outbound`: we placed the call, and greet nobody. */
void step_turn_begin(const struct answer *answer, const struct twilio_call *call, bool outbound);

/* A transfer is over, and nobody has taken the call: the engine has a word for the caller. */
void step_turn_back(struct step *step);

/* A Gather is over; a filler is over, and the answer is waited for. The step is verified. */
void step_turn_said(struct step *step);
void step_turn_wait(struct step *step);

#endif
