/* The directory relay: channels whose version is newer than what was published go to the compacted
 * topic; ingress learns from it alone. Full publications are deskctl's. Loop thread only. */
#ifndef DESK_ENGINE_RELAY_H
#define DESK_ENGINE_RELAY_H

#include "engine.h"

struct relay;

/* Returns owned, looking every second; frees (units in flight must be over). */
struct relay *relay_new(struct engine *engine);
void relay_free(struct relay **relay);

/* True when nothing that was published waits to be marked. */
bool relay_idle(const struct relay *relay);

#endif
