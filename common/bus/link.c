/* A producer's librdkafka handle: made, served, and replaced after a fatal error (an idempotent
 * producer can lose its sequence; librdkafka 2.0.2 then refuses all further work). The records that
 * were in flight are reported as RETRY_LATER: their owner has them in a row and produces them
 * again. Called by producer.c. */
#include <syslog.h>

#include "base/clock.h"
#include "base/mem.h"
#include "bus/producer.h"

#include <stdlib.h>

#define PURGE_MS 200

int bus_link_open(struct bus_producer *producer, struct bus_link **link, struct err *err)
{
    struct bus_link *made = xcalloc(1, sizeof *made);
    made->producer = producer;
    made->client.log = producer->client.log;
    made->client.log_arg = producer->client.log_arg;
    atomic_init(&made->client.fatal, false);
    atomic_init(&made->refs, 1);
    if (bus_client_new(RD_KAFKA_PRODUCER, rd_kafka_conf_dup(producer->conf), made, &made->rk,
                       err) != 0) {
        free(made);
        return -1;
    }
    for (size_t i = 0; i < producer->topic_count; i++)
        made->topics[i] = rd_kafka_topic_new(made->rk, producer->topics[i], NULL);
    made->topic_count = producer->topic_count;
    made->main_queue = rd_kafka_queue_get_main(made->rk);
    if (producer->loop != NULL)
        bus_wake_enable(&producer->wake, made->main_queue);
    *link = made;
    return 0;
}

struct bus_link *bus_link_get(struct bus_producer *producer)
{
    pthread_mutex_lock(&producer->mutex);
    struct bus_link *link = producer->link;
    atomic_fetch_add(&link->refs, 1);
    pthread_mutex_unlock(&producer->mutex);
    return link;
}

void bus_link_put(struct bus_link *link)
{
    if (atomic_fetch_sub(&link->refs, 1) != 1)
        return;
    for (size_t i = 0; i < link->topic_count; i++)
        if (link->topics[i] != NULL)
            rd_kafka_topic_destroy(link->topics[i]);
    rd_kafka_queue_destroy(link->main_queue);
    rd_kafka_destroy(link->rk);
    free(link);
}

void bus_link_purge(struct bus_producer *producer, struct bus_link *link, int64_t timeout_ms)
{
    rd_kafka_purge(link->rk, RD_KAFKA_PURGE_F_QUEUE | RD_KAFKA_PURGE_F_INFLIGHT);
    int64_t end_ms = clock_mono_ms() + timeout_ms;
    while (rd_kafka_outq_len(link->rk) > 0 && clock_mono_ms() < end_ms)
        rd_kafka_poll(link->rk, 10);
    bus_flights_fail(producer, link);
}

static void replace(struct bus_producer *producer, struct bus_link *old)
{
    struct err err;
    struct bus_link *fresh;
    if (bus_link_open(producer, &fresh, &err) != 0) {
        bus_client_log(&producer->client, LOG_ERR, "RENEW", "%s", err.message);
        return; /* the next serve tries again */
    }
    pthread_mutex_lock(&producer->mutex);
    producer->link = fresh;
    pthread_mutex_unlock(&producer->mutex);
    bus_client_log(&producer->client, LOG_WARNING, "RENEW",
                   "the producer was made anew after a fatal error; what was in flight is "
                   "reported as not delivered");
    if (producer->loop != NULL)
        rd_kafka_queue_io_event_enable(old->main_queue, -1, NULL, 0);
    bus_link_purge(producer, old, PURGE_MS);
    atomic_fetch_sub(&old->refs, 1); /* the producer's own; the caller still has one */
    bus_prime_request(producer);
}

void bus_link_serve(struct bus_producer *producer, int timeout_ms)
{
    struct bus_link *link = bus_link_get(producer);
    /* The wake-up comes only with the first entry of an empty queue: serve until it is empty. */
    while (rd_kafka_poll(link->rk, timeout_ms) > 0)
        timeout_ms = 0;
    if (atomic_load(&link->client.fatal))
        replace(producer, link);
    bus_link_put(link);
}
