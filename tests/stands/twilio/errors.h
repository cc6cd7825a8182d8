/* Twilio's error bodies. */
#ifndef STANDS_TWILIO_ERRORS_H
#define STANDS_TWILIO_ERRORS_H

#include "stands/lib/buf.h"

/* The usual message of an error code; a general one for codes not in the table. */
const char *errors_message(int code);

/* The code that goes with an HTTP status when nothing else is known. */
int errors_code_of_status(int status);

/* Appends {"code","message","more_info","status"}; `message` NULL: the usual one. */
void errors_body(int status, int code, const char *message, struct stand_buf *out);

#endif
