/* POST /twilio/status: Twilio's word on a delivery, at the StatusCallback URL that the responder
 * made. */
#ifndef DESK_INGRESS_STATUS_H
#define DESK_INGRESS_STATUS_H

#include "webhook.h"

/* Answers 204 once the receipt is in desk.receipts; see DESIGN.md for all other answers. On a
 * server thread. */
void status_handle(struct webhook *webhook);

#endif
