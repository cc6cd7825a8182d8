/* Ingress's metrics. Registered once at start. */
#ifndef DESK_INGRESS_COUNTERS_H
#define DESK_INGRESS_COUNTERS_H

#include <stdbool.h>

#include "service/metrics.h"

enum route { ROUTE_SMS, ROUTE_STATUS, ROUTE_OTHER, ROUTE_COUNT };

struct counters {
    struct metric *in_flight, *produce, *produce_failed;
    struct metric *parked, *park_refused;
    struct metric *directory_channels, *directory_version, *directory_bad, *directory_unopened;
};
extern struct counters counters;

/* Registers all; main thread, once. */
void counters_init(void);

/* Counts an answer. Any thread. */
void counters_answered(enum route route, int status);

#endif
