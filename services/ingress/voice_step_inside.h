/* Private to the files that handle a call's further webhooks (voice_step.c, step_turn.c). */
#ifndef DESK_INGRESS_VOICE_STEP_INSIDE_H
#define DESK_INGRESS_VOICE_STEP_INSIDE_H

#include "answer.h"
#include "contract/call_token.h"
#include "voice.h"

/* One request. */
struct step {
    struct webhook *webhook;
    struct call_step path;
    char tenant[UUID_TEXT_SIZE];
    struct form query;
    struct twilio_call call; /* only where a kind reads it */
    struct channel *channel; /* of our number, held; NULL if it is none any more */
    struct answer answer;
};

/* The call of a verb that is over. False when the request is answered: it cannot be read, the call
 * is over, or the number is not the tenant's any more. */
bool voice_step_open(struct step *step);

/* Nobody can answer: the fallback, and a message. */
void voice_step_give_up(const struct step *step);

/* Until when the request may wait for an engine, in which the caller hears nothing, on
 * clock_mono_ms: counted from when the proxy got it. To be asked first of all. */
int64_t voice_step_until_ms(const struct step *step);

#endif
