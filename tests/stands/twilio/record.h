/* Record: the person on a leg leaves a message. */
#ifndef STANDS_TWILIO_RECORD_H
#define STANDS_TWILIO_RECORD_H

#include "stands/twilio/verbs.h"

/* The row of the verb. */
extern const struct verb record_verb;

/* Whether it records now, after its beep. */
bool record_runs(const struct call *call);

#endif
