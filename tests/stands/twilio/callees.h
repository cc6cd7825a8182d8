/*
 * How the numbers that are dialled behave, by POST /_callees: one object or a list of
 *   {"number": "+1555…" or "*", "answer": "human" | "machine" | "busy" | "no-answer" | "failed",
 *    "ring_ms": 500, "greeting_ms": of a machine (3000), "speech_ms": so long whoever takes it
 * speaks at once (0: not at all), by which the detection goes then; "amd": AnsweredBy, "amd_ms": 0,
 *    "refused_status": DialCallStatus after a whisper that refused (completed),
 *    "count": so many calls, then the entry is gone, "script": what the person does (script.h),
 *    and the settings of call_settings.h}
 * Newer entries go before older ones, a number before "*". Who is not named is a human who answers
 * after 500 ms and says nothing.
 */
#ifndef STANDS_TWILIO_CALLEES_H
#define STANDS_TWILIO_CALLEES_H

#include "stands/twilio/call.h"

enum { CALLEES_MAX = 10000 };

struct callees;

/* An empty list. Owned. */
struct callees *callees_new(void);

/* Forgets all. */
void callees_reset(struct callees *callees);

/* Handles the control request. */
void callees_post(struct twilio *twilio, struct stand_exchange *x);

/* What the next call to a number meets: a copy of its entry, owned, never NULL. */
cJSON *callees_take(struct callees *callees, const char *number);

#endif
