/* POST /2010-04-01/Accounts/{AC}/Messages.json */
#ifndef STANDS_TWILIO_CREATE_H
#define STANDS_TWILIO_CREATE_H

#include "stands/twilio/twilio.h"

/* Checks the form as Twilio does and answers 201 with the new message, or 400 with the code. */
void create_message(struct twilio *twilio, struct stand_call *call, struct account *account);

/* Whether a text is a number in E.164 form: '+', then 7 to 15 digits, no leading zero. */
bool create_number_valid(const char *text);

#endif
