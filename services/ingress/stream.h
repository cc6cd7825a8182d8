/* Reads the partition of desk.voice.stream that this process has chosen: the frames of all calls
 * that it holds, and of others that share it. Loop thread. */
#ifndef DESK_INGRESS_STREAM_H
#define DESK_INGRESS_STREAM_H

#include "calls.h"

struct stream;

/* Opens the consumer. When the offset where it begins is fixed, the partition becomes
 * ingress->stream_partition. BUG "bus.config". Returns owned. */
int stream_open(struct ingress *ingress, struct calls *calls, struct loop *loop,
                struct stream **stream, struct err *err);

/* Sets to NULL; accepts NULL. */
void stream_close(struct stream **stream);

#endif
