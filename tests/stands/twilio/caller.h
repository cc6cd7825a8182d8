/* The person on a leg: plays a script (script.h) against whatever the leg is connected to. */
#ifndef STANDS_TWILIO_CALLER_H
#define STANDS_TWILIO_CALLER_H

#include "stands/twilio/call.h"

/* Starts a checked script, which is copied; NULL or an empty one: nobody moves. A script that runs
 * already gets the steps behind its own. */
void caller_start(struct call *call, const cJSON *script);

/* Something has changed that a step may wait for. */
void caller_poke(struct call *call);

/* Ends the script; nothing when there is none. */
void caller_end(struct call *call);

/* Where the script is: "none", "running", "done" or "timed out". */
const char *caller_state(const struct call *call);

#endif
