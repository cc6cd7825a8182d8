/* How many unverifiable webhooks are parked: bounded each minute per sender and per number, so that
 * nobody fills the topic from outside. Any thread. */
#ifndef DESK_INGRESS_QUARANTINE_H
#define DESK_INGRESS_QUARANTINE_H

#include <stdbool.h>
#include <stdint.h>

#define QUARANTINE_WINDOW_MS 60000
#define QUARANTINE_NAMES_MAX                                                                       \
    4096 /* senders and numbers remembered; past it nothing new is parked */

struct quarantine;

/* Returns owned. Limits are per window; 0: nothing is parked. */
struct quarantine *quarantine_new(int64_t per_source, int64_t per_number);

/* Sets *quarantine to NULL; accepts NULL. */
void quarantine_free(struct quarantine **quarantine);

/* Counts one webhook of `source` for `number` at the monotonic time; true if it is to be parked.
 * What is refused for one of the two does not count for the other. */
bool quarantine_allow(struct quarantine *quarantine, const char *source, const char *number,
                      int64_t now_ms);

#endif
