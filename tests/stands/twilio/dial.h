/* Dial: a second leg to a number, with a whisper before the two are joined. */
#ifndef STANDS_TWILIO_DIAL_H
#define STANDS_TWILIO_DIAL_H

#include "stands/twilio/verbs.h"

/* The row of the verb. */
extern const struct verb dial_verb;

/* A callee's leg is over. */
void dial_child_over(struct call *child);

#endif
