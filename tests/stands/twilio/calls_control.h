/*
 * The control paths of calls:
 *
 *   POST /_calls        somebody calls one of our numbers. JSON: account_sid, from, to, url (of the
 *                       number's voice webhook); optional: method, fallback_url, status_callback,
 *                       status_callback_events (list), forwarded_from, caller_name, script
 *                       (script.h) and the settings of call_settings.h. Answers {"sid"} at once.
 *   GET  /_calls        a summary of every leg, as a list
 *   GET  /_calls/{CA}   one summary, with `events`
 *   POST /_calls/{CA}   {"script": [...]} behind what runs, or {"hangup": true} by the person
 *   GET  /_events?since=SEQ&limit=N   what happened, in the order of happening
 *   POST /_callees      callees.h
 */
#ifndef STANDS_TWILIO_CALLS_CONTROL_H
#define STANDS_TWILIO_CALLS_CONTROL_H

#include "stands/twilio/twilio.h"

/* Answers a control request. False when it is none of these. */
bool calls_control(struct twilio *twilio, struct stand_exchange *x);

/* Appends members to /_stats, each preceded by a comma. */
void calls_control_stats(const struct twilio *twilio, struct stand_buf *out);

#endif
