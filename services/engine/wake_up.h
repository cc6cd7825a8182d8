/* The record that wakes a responder for a delivery that was committed. */
#ifndef DESK_ENGINE_WAKE_UP_H
#define DESK_ENGINE_WAKE_UP_H

#include "base/uuid.h"
#include "engine.h"

/* Publishes it; one that is lost is found by its row. `traceparent` NULL: none. Loop thread.
 */
void wake_up_send(struct engine *engine, const char *tenant, const struct uuid *session,
                  const struct uuid *delivery, const char *traceparent);

#endif
