/* Whether the engines have claimed what the inbound topic holds: until then a text may still become
 * an open event, and be answered. One thread. */
#ifndef DESKCTL_CATCH_UP_H
#define DESKCTL_CATCH_UP_H

#include "desk.h"

/* Blocks until the engines' group has committed every record that inbound.sms holds at the call.
 * RETRY_LATER "engines.behind" when it has not come nearer for patience_ms; else bus's errors. */
int catch_up_wait(struct desk *desk, int64_t patience_ms, struct err *err);

#endif
