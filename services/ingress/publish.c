/* Ingress's producer. While Kafka is known to be away a webhook is refused at once instead of
 * holding its thread for the whole deadline: the producer itself notices when the broker is back.
 * Called by webhook.c. */
#include "publish.h"

#include "base/arena.h"
#include "base/clock.h"
#include "base/mem.h"
#include "contract/topics.h"
#include "counters.h"
#include "service/service.h"

#include <stdatomic.h>
#include <stdlib.h>

struct publisher {
    struct bus_producer *producer;
    int64_t deadline_ms;
};

int publisher_open(const struct ingress_settings *settings, struct publisher **publisher,
                   struct err *err)
{
    struct arena *arena = arena_new();
    const char *prefix = settings->kafka.topic_prefix;
    const char *topics[] = {topic_name(arena, prefix, TOPIC_INBOUND_SMS),
                            topic_name(arena, prefix, TOPIC_RECEIPTS),
                            topic_name(arena, prefix, TOPIC_QUARANTINE), NULL};
    /* A record outlives its webhook by far: see delivery_timeout_ms. The webhook is told 503 by
     * then; Twilio sends it again under the same id. */
    struct bus_producer_options options = {.topics = topics};
    service_bus_options(&settings->kafka, &settings->common, "ingress", &options.client);
    struct publisher *made = xcalloc(1, sizeof *made);
    made->deadline_ms = settings->produce_deadline_ms;
    int rc = bus_producer_open(&options, &made->producer, err);
    arena_free(&arena);
    if (rc != 0) {
        free(made);
        return -1;
    }
    *publisher = made;
    return 0;
}

void publisher_close(struct publisher **publisher, int64_t flush_ms)
{
    struct publisher *closed = *publisher;
    if (closed == NULL)
        return;
    *publisher = NULL;
    bus_producer_close(&closed->producer, flush_ms);
    free(closed);
}

int publisher_send(struct publisher *publisher, const struct bus_record *record, struct err *err)
{
    int64_t begin_us = clock_mono_us();
    if (!bus_producer_ready(publisher->producer)) {
        metric_add(counters.produce_failed, 1);
        return err_set(err, ERR_RETRY_LATER, "bus.away", "Kafka does not answer at present");
    }
    if (bus_produce_wait(publisher->producer, record, publisher->deadline_ms, err) != 0) {
        metric_add(counters.produce_failed, 1);
        return -1;
    }
    metric_observe_us(counters.produce, clock_mono_us() - begin_us);
    return 0;
}

bool publisher_is_ready(const struct publisher *publisher)
{
    return bus_producer_ready(publisher->producer);
}
