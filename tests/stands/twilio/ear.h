/* What the person on a leg hears: the speaking clock, the silences, and their records. */
#ifndef STANDS_TWILIO_EAR_H
#define STANDS_TWILIO_EAR_H

#include "stands/twilio/call.h"

/* Lets the leg hear a text, or a sound of `ms`, after what it hears already. */
void ear_say(struct call *call, const char *text, size_t len);
void ear_sound(struct call *call, double ms);

/* Closes the talk cycle. With `reply` this ends our turn, unless the text is one of the call's
 * fillers: then the caller still waits for the answer. */
void ear_close(struct call *call, bool reply);

/* Drops what was not heard yet. */
void ear_drop(struct call *call);

/* The turn becomes ours, or is no longer ours. */
void ear_turn(struct call *call);
void ear_turn_over(struct call *call);

/* Whether anything that was given is still to be heard. */
bool ear_busy(const struct call *call);

/* Whether our turn is done and heard to its end. */
bool ear_done(const struct call *call);

#endif
