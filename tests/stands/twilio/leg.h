/* Dialling a number: what the callee does with the ringing telephone, for Dial and REST alike. */
#ifndef STANDS_TWILIO_LEG_H
#define STANDS_TWILIO_LEG_H

#include "stands/twilio/call.h"

/* Lets a queued leg ring at its number and takes the number's behaviour (callees.h) as its options.
 * `answered(call)` runs when somebody takes it; a leg that nobody takes ends by itself, after
 * `timeout_ms` at the latest. */
void leg_dial(struct call *call, double timeout_ms, void (*answered)(struct call *call));

/* The detection listens as it does when nobody says otherwise (MachineDetection… of the Calls
 * resource): who makes no sound for so long, or is not known by the timeout, is `unknown`; who
 * speaks for so long is a machine; who is silent for so long behind less is a person. */
void leg_listen_as_usual(struct call *call);

/* Who took it, as AnsweredBy says it; a machine may be waited for until its beep. */
const char *leg_answered_by(const struct call *call);

/* A number of the callee's entry, or `fallback`; a text of it, or NULL. */
double leg_number(const struct call *call, const char *name, double fallback);
const char *leg_text(const struct call *call, const char *name);

/* How long it takes until that is known. */
double leg_detection_ms(const struct call *call);

/* Tells the leg's amd_callback of it by then, if it has one, while the call goes on. */
void leg_detect_aside(struct call *call);

#endif
