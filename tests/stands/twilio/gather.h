/* Gather: keys and speech of the person on a leg, after Twilio's page on the verb. */
#ifndef STANDS_TWILIO_GATHER_H
#define STANDS_TWILIO_GATHER_H

#include "stands/twilio/verbs.h"

/* The row of the verb. */
extern const struct verb gather_verb;

/* Whether its prompts are over and nothing was said or pressed yet. */
bool gather_waits(const struct call *call);

#endif
