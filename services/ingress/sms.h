/* POST /twilio/sms: a customer's text. */
#ifndef DESK_INGRESS_SMS_H
#define DESK_INGRESS_SMS_H

#include "webhook.h"

/* Answers 200 with an empty <Response/> once the text is in desk.inbound.sms; see DESIGN.md for all
 * other answers. On a server thread. */
void sms_handle(struct webhook *webhook);

#endif
