/* /2010-04-01/Accounts/{AC}/Calls and Recordings */
#ifndef STANDS_TWILIO_CALLS_REST_H
#define STANDS_TWILIO_CALLS_REST_H

#include "stands/twilio/twilio.h"

/* Answers a request below the account's path (`rest` begins with "/Calls" or "/Recordings"). False
 * when it is none of these. */
bool calls_rest_route(struct twilio *twilio, struct stand_call *request, struct account *account,
                      const char *rest);

#endif
