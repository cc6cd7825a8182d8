/*
 * POST /_inbound: somebody texts one of our numbers.
 *
 * JSON: account_sid, from, to, body; optional: url (the webhook is sent there), sign_url (signed
 * instead of url), sid (given twice: the same message again), date_sent (epoch ms), service,
 * media (list of at most 10 types, like "image/jpeg": an MMS; its sids are made up),
 * params (object of texts, added to the webhook's). Answers {"sid","http_status","error","answer"}
 * when the webhook has been answered; without url at once, http_status null.
 */
#ifndef STANDS_TWILIO_INBOUND_H
#define STANDS_TWILIO_INBOUND_H

#include "stands/twilio/twilio.h"

/* Handles the control request. */
void inbound_post(struct twilio *twilio, struct stand_exchange *x);

#endif
