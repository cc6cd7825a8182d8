/*
 * Status callbacks of calls. Each is sent when its progress happens, by the call's mode:
 *   normal (NULL)  at once
 *   late           after `callbacks_ms` (5000)
 *   doubled        twice, the same
 *   out_of_order   held back until the call is over, then the last one first
 *   none           never
 */
#ifndef STANDS_TWILIO_PROGRESS_H
#define STANDS_TWILIO_PROGRESS_H

#include "stands/twilio/call.h"

/* Tells of one progress (a bit of PROGRESS_...), if the call's callback wants it. */
void progress_note(struct call *call, unsigned progress);

/* The bit of a word of StatusCallbackEvent, or 0. */
unsigned progress_of(const char *word, size_t len);

/* The mode of this name as a static text, or NULL when it is not known. */
const char *progress_mode(const char *mode);

/* Sends one form to `url` about a call, aside of the call's own course: the answer is recorded
 * among what was sent and does nothing. Repeated as the URL's overrides say. */
void progress_send(struct call *call, const char *url, const struct stand_form *form,
                   double wait_ms);

#endif
