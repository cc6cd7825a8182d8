/* A unit that was cut off: whether an outage did it, or what the unit itself holds takes too long.
 */
#ifndef DESK_ENGINE_SLOW_H
#define DESK_ENGINE_SLOW_H

#include <stdbool.h>
#include <stdint.h>

#include "base/err.h"
#include "engine.h"

/* Whether a unit sent at that moment (monotonic, microseconds), with that deadline, failed because
 * it took too long, while the database answered others: the renewal of our lease is one. Then it
 * will fail again, and what it holds must not be in others' way. Loop thread. */
bool slow_is_own(const struct engine *engine, const struct err *err, int64_t sent_us,
                 int64_t deadline_ms);

#endif
