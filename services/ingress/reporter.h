/* What calls tell the engines: a producer of their own on the loop, in order per call. Nobody waits
 * for it; who must know hears of a record that Kafka does not take, or does not take in time. While
 * Kafka is away records wait in its bounded queue. Loop thread. */
#ifndef DESK_INGRESS_REPORTER_H
#define DESK_INGRESS_REPORTER_H

#include <stdbool.h>
#include <stdint.h>

#include "base/err.h"
#include "bus/bus.h"
#include "loop/loop.h"
#include "news.h"
#include "settings.h"

#define REPORTER_LATE_MS    3000 /* an urgent record that is not confirmed by then has failed */
#define REPORTER_MEMORY_MAX (32 * 1024 * 1024) /* bytes that what waits for Kafka really takes */

struct reporter;

struct reporter_options {
    const struct ingress_settings *settings; /* borrowed */
    struct loop *loop;
    /* A record of the call is late (once for each urgent one) or will never be written; from the
     * loop, never from inside reporter_send. */
    void (*failed)(void *arg, const char *call_sid);
    void *arg;
};

/* Opens the producer. BUG "bus.config". Returns owned. */
int reporter_open(const struct reporter_options *options, struct reporter **reporter,
                  struct err *err);

/* Flushes for at most flush_ms and closes; what is left is lost. Sets to NULL; accepts NULL. */
void reporter_close(struct reporter **reporter, int64_t flush_ms);

/* What comes with a record. */
struct reporter_note {
    const char *call_sid;
    bool urgent;
    /* Who waits for its fate, told with news_settle (news.h); NULL: nobody. Taken. */
    struct news_wait *wait;
};

/* Queues a copy of the record. False when it could not even be queued, or, of an urgent one, when
 * Kafka is known to be away: it is queued all the same. */
bool reporter_send(struct reporter *reporter, const struct bus_record *record,
                   const struct reporter_note *note);

/* True while Kafka is known not to take records, whatever their partition. */
bool reporter_is_away(const struct reporter *reporter);

#endif
