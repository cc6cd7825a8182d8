/* Wake-ups: a consumer of desk.outbound.sms, .email or .voice. A record names a delivery, the row
 * decides. Loop thread. */
#ifndef DESK_RESPONDER_WAKE_H
#define DESK_RESPONDER_WAKE_H

#include "contract/topics.h"
#include "responder.h"

/* Opens the consumer of the topic in the group (without its prefix). Returns owned. */
int wake_open(struct responder *responder, enum topic topic, const char *group, struct wake **wake,
              struct err *err);

/* Closes; sets to NULL; accepts NULL. */
void wake_close(struct wake **wake);

/* A claim of `count` deliveries that came by wake-ups has committed. */
void wake_claimed(struct wake *wake, size_t count);

/* Drain: so many of them are not claimed any more. Their batch ends; its offsets are not stored. */
void wake_dropped(struct wake *wake, size_t count);

/* Looks for records; and: no batch is in hand. */
void wake_look(struct wake *wake);
bool wake_idle(const struct wake *wake);

#endif
