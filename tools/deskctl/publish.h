/* Producing single records and waiting for each: directory, quarantine release, reconcile,
 * takeover, reply. One thread. */
#ifndef DESKCTL_PUBLISH_H
#define DESKCTL_PUBLISH_H

#include "desk.h"

#define PUBLISH_WAIT_MS 30000

/* Opens a producer with a thread of its own, primed for one topic. Returns owned. */
int publish_open(struct desk *desk, enum topic topic, struct bus_producer **producer,
                 struct err *err);

#endif
