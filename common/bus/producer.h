/* Private to common/bus: the parts of a producer. producer.c holds the public calls and the records
 * in flight, link.c the librdkafka handle and its replacement, prime.c the readiness thread. */
#ifndef DESK_BUS_PRODUCER_H
#define DESK_BUS_PRODUCER_H

#include <pthread.h>

#include "bus/client.h"

#define BUS_PRIME_TOPICS_MAX 64

/* One librdkafka handle. The producer replaces it after a fatal error; whoever drops the last
 * reference destroys it. */
struct bus_link {
    struct bus_client client; /* first: it is the handle's opaque */
    struct bus_producer *producer;
    rd_kafka_t *rk;
    rd_kafka_queue_t *main_queue;
    rd_kafka_topic_t *topics[BUS_PRIME_TOPICS_MAX]; /* keeps the primed topics alive */
    size_t topic_count;
    atomic_int refs;
};

/* A record in flight: in the producer's list until its report. */
struct bus_flight {
    struct bus_flight *previous, *next;
    struct bus_link *link;
    int64_t since_ms; /* clock_mono_ms */
    bus_report_fn *report;
    void *arg;
};

struct bus_producer {
    struct bus_client client;
    rd_kafka_conf_t *conf; /* copied for each link */
    char *topics[BUS_PRIME_TOPICS_MAX];
    size_t topic_count;

    pthread_mutex_t mutex; /* guards link, flights, probe_wanted */
    struct bus_link *link;
    struct bus_flight flights; /* head of a ring */
    bool probe_wanted;
    pthread_cond_t probe;
    struct thread *probe_thread;
    rd_kafka_resp_err_t told; /* the trouble of a topic that was logged last; the probe's */
    atomic_bool stop, primed, healthy;
    _Atomic int64_t confirmed_ms; /* clock_mono_ms of the last good report */

    struct loop *loop; /* NULL: poll_thread instead */
    struct bus_wake wake;
    struct timer *tick;
    struct thread *poll_thread;
};

/* Makes a handle with one reference. */
int bus_link_open(struct bus_producer *producer, struct bus_link **link, struct err *err);

/* The present link with a reference more; and giving it back. Any thread. */
struct bus_link *bus_link_get(struct bus_producer *producer);
void bus_link_put(struct bus_link *link);

/* Serves the reports that are there; after a fatal error replaces the link. Owner's thread. */
void bus_link_serve(struct bus_producer *producer, int timeout_ms);

/* Calls the report of every record still in flight on the link. Owner's thread. */
void bus_flights_fail(struct bus_producer *producer, const struct bus_link *link);

/* Purges what is queued on the link and serves the reports for at most timeout_ms. */
void bus_link_purge(struct bus_producer *producer, struct bus_link *link, int64_t timeout_ms);

/* The delivery report, for the configuration. */
void bus_flight_landed(rd_kafka_t *rk, const rd_kafka_message_t *message, void *opaque);

/* Start and end the readiness thread; ask it to look again. */
void bus_prime_start(struct bus_producer *producer);
void bus_prime_stop(struct bus_producer *producer);
void bus_prime_request(struct bus_producer *producer);

#endif
