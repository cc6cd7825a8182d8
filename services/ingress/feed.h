/* Feeds the directory from its topic, on a loop. */
#ifndef DESK_INGRESS_FEED_H
#define DESK_INGRESS_FEED_H

#include "ingress.h"

struct feed;

/* Starts reading the whole topic. Returns owned. BUG "bus.config". Loop thread, like all here. */
int feed_start(struct ingress *ingress, struct service_loop *loop, struct feed **feed,
               struct err *err);

/* Sets *feed to NULL; accepts NULL. */
void feed_stop(struct feed **feed);

#endif
