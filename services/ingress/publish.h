/* Producing with the answer awaited: a webhook is answered 2xx only after Kafka's acknowledgement
 * (docs/PROMISES.md P1). Any thread. */
#ifndef DESK_INGRESS_PUBLISH_H
#define DESK_INGRESS_PUBLISH_H

#include "base/err.h"
#include "bus/bus.h"
#include "settings.h"

struct publisher;

/* Opens the producer (with a thread of its own) for the topics that ingress writes. Returns owned.
 * BUG "bus.config". */
int publisher_open(const struct ingress_settings *settings, struct publisher **publisher,
                   struct err *err);

/* Flushes for at most flush_ms and closes; sets *publisher to NULL; accepts NULL. */
void publisher_close(struct publisher **publisher, int64_t flush_ms);

/* Produces and waits for all in-sync replicas. RETRY_LATER when Kafka does not confirm within
 * produce_deadline_ms, or at once while it is known to be away; PERMANENT for a record that it will
 * never take. */
int publisher_send(struct publisher *publisher, const struct bus_record *record, struct err *err);

/* True once the producer knows the leaders of all its topics. */
bool publisher_is_ready(const struct publisher *publisher);

#endif
