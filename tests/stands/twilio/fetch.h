/* Asking for TwiML: signed, with the standard parameters, with Twilio's retries and fallback. */
#ifndef STANDS_TWILIO_FETCH_H
#define STANDS_TWILIO_FETCH_H

#include "stands/twilio/call.h"

struct fetch {
    const char *url;               /* absolute, or relative to the document in hand */
    const char *method;            /* NULL: POST */
    const char *why;               /* static: what is asked, for the record */
    const struct stand_form *form; /* further parameters, or NULL */
};

/* Asks, and runs the document that comes. An answer to what is no longer wanted (a newer document,
 * an ended leg) is recorded and dropped. */
void fetch_document(struct call *call, const struct fetch *fetch);

/* Makes an absolute URL of `url` beside `base` (NULL: none). Returns it owned, or NULL. */
char *fetch_resolve(const char *base, const char *url);

#endif
