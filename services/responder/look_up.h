/* Asking the provider about a send whose outcome nobody learnt. Loop thread. */
#ifndef DESK_RESPONDER_LOOK_UP_H
#define DESK_RESPONDER_LOOK_UP_H

#include "flight.h"
#include "store/delivery_due.h"

/* Looks the delivery up, which the poll has just put in our name, and settles it: found, not found
 * (sent again), or given up. When the provider does not answer it is due for another look-up. */
void look_up_start(struct responder *responder, const struct delivery_look_up *look_up);

#endif
