/* Ingress's metrics. Registered once at start. */
#ifndef DESK_INGRESS_COUNTERS_H
#define DESK_INGRESS_COUNTERS_H

#include <stdbool.h>
#include <stdint.h>

#include "call.h"
#include "service/metrics.h"

enum route {
    ROUTE_SMS,
    ROUTE_STATUS,
    ROUTE_VOICE,
    ROUTE_VOICE_STATUS,
    ROUTE_VOICE_STEP,
    ROUTE_OTHER,
    ROUTE_COUNT
};

/* Frames of voice.stream that no call judges (enum call_verdict has the others). */
enum { COUNTERS_FRAME_NOT_HELD = VERDICTS, COUNTERS_FRAME_BAD, COUNTERS_FRAMES };

struct counters {
    struct metric *in_flight, *produce, *produce_failed;
    struct metric *parked, *park_refused;
    struct metric *calls, *sockets, *fallbacks, *messages_asked, *steps_crowded;
    struct metric *relay_taken, *relay_ignored, *relay_bad, *relay_sent, *relay_dropped;
    struct metric *voice_produce, *voice_late, *voice_failed;
    struct metric *directory_channels, *directory_version, *directory_bad, *directory_unopened;
};
extern struct counters counters;

/* Registers all; main thread, once. */
void counters_init(void);

/* Counts an answer. Any thread. */
void counters_answered(enum route route, int status);

/* Counts a frame of voice.stream by its verdict, or as one of COUNTERS_FRAME_*. */
void counters_frame(int verdict);

/* Counts relay sockets that ended (enum socket_cause), and connections that became none (enum
 * socket_refusal). */
void counters_closed(int cause, int64_t count);
void counters_refused(int refusal, int64_t count);

#endif
