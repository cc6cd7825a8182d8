/* Adoption: what is due without a live owner, or in our name but not in our memory. Loop thread. */
#ifndef DESK_RESPONDER_POLL_H
#define DESK_RESPONDER_POLL_H

#include "responder.h"

/* Starts the polls, each adopt_every_ms apart. Returns owned; borrows the responder. */
struct poll *poll_new(struct responder *responder);

/* Stops and frees; sets to NULL; accepts NULL. */
void poll_free(struct poll **poll);

#endif
