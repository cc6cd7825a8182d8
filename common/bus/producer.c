/* The idempotent producer: records in, one report each out. On a loop the reports come through an
 * eventfd; without one a thread serves them and callers wait for theirs. Every record in flight is
 * in a list of ours as well, so that its report is called exactly once even when librdkafka's
 * handle has to be replaced or closed. Used by ingress, engine and responder. */
#include "bus/producer.h"

#include <errno.h>
#include <stdlib.h>
#include <syslog.h>
#include <time.h>

#include "base/clock.h"
#include "base/mem.h"

#define TICK_MS                1000
#define DELIVERY_TIMEOUT_MS    30000
#define QUEUE_MAX_BYTES        (64 * 1024 * 1024)
#define CLOSE_PURGE_MS         500
#define QUEUE_MAX_RECORDS_TEXT "100000"

/* The mutex is held. */
static void flight_link(struct bus_producer *producer, struct bus_flight *flight)
{
    flight->previous = producer->flights.previous;
    flight->next = &producer->flights;
    flight->previous->next = flight;
    flight->next->previous = flight;
}

static void flight_unlink(struct bus_flight *flight)
{
    flight->previous->next = flight->next;
    flight->next->previous = flight->previous;
}

static void flight_finish(struct bus_producer *producer, struct bus_flight *flight,
                          const struct err *err)
{
    pthread_mutex_lock(&producer->mutex);
    flight_unlink(flight);
    pthread_mutex_unlock(&producer->mutex);
    if (flight->report != NULL)
        flight->report(flight->arg, err);
    free(flight);
}

void bus_flights_fail(struct bus_producer *producer, const struct bus_link *link)
{
    struct err err;
    err_set(&err, ERR_RETRY_LATER, "bus.closed",
            "the producer ended before the broker confirmed the record");
    for (;;) {
        pthread_mutex_lock(&producer->mutex);
        struct bus_flight *flight = producer->flights.next;
        while (flight != &producer->flights && flight->link != link)
            flight = flight->next;
        pthread_mutex_unlock(&producer->mutex);
        if (flight == &producer->flights)
            return;
        flight_finish(producer, flight, &err);
    }
}

/* A record that is not confirmed while later ones are is the trouble of its partition; otherwise
 * the brokers are away, or so slow that nobody should wait for them. */
void bus_producer_doubt(struct bus_producer *producer, int64_t since_ms)
{
    if (atomic_load(&producer->stop) || atomic_load(&producer->confirmed_ms) > since_ms)
        return;
    atomic_store(&producer->healthy, false);
    bus_prime_request(producer);
}

/* Once a later record of its partition is confirmed, librdkafka takes a record for written whose
 * own answer was lost: the broker would have refused the later one for its sequence. But a broker
 * that does not know the producer in that partition, as after a restart without a record of it
 * there, takes whatever sequence comes first, and the earlier record exists nowhere. Only the
 * broker's own answer has an offset. */
static bool is_confirmed(const rd_kafka_message_t *message)
{
    return message->err == RD_KAFKA_RESP_ERR_NO_ERROR && message->offset >= 0;
}

/* What a fatal error took is reported by bus_link_purge, once there is another handle: who produces
 * it again at once would be refused by this one, and give it up. */
static bool is_fatal(rd_kafka_t *rk, struct bus_producer *producer, struct bus_link *link)
{
    if (atomic_load(&producer->stop) ||
        rd_kafka_fatal_error(rk, NULL, 0) == RD_KAFKA_RESP_ERR_NO_ERROR)
        return false;
    atomic_store(&link->client.fatal, true); /* who serves the link replaces it */
    return true;
}

void bus_flight_landed(rd_kafka_t *rk, const rd_kafka_message_t *message, void *opaque)
{
    struct bus_link *link = opaque;
    struct bus_producer *producer = link->producer;
    struct bus_flight *flight = message->_private;
    if (is_confirmed(message)) {
        atomic_store(&producer->confirmed_ms, clock_mono_ms());
        atomic_store(&producer->healthy, true);
        flight_finish(producer, flight, NULL);
        return;
    }
    if (is_fatal(rk, producer, link))
        return;
    struct err err;
    if (message->err == RD_KAFKA_RESP_ERR_NO_ERROR)
        err_set(&err, ERR_RETRY_LATER, "bus.unconfirmed",
                "a later record was confirmed, this one was not; it may be missing");
    else
        bus_client_fail(&err, message->err, "the record was not confirmed");
    if (message->err != RD_KAFKA_RESP_ERR_NO_ERROR && err_is_retryable(&err))
        bus_producer_doubt(producer, flight->since_ms);
    flight_finish(producer, flight, &err);
}

/* ---- opening and closing ---- */

static int make_conf(const struct bus_producer_options *options, struct bus_producer *producer,
                     struct err *err)
{
    char timeout[BUS_NUMBER_SIZE], kbytes[BUS_NUMBER_SIZE];
    int64_t timeout_ms =
        options->delivery_timeout_ms > 0 ? options->delivery_timeout_ms : DELIVERY_TIMEOUT_MS;
    int64_t max_bytes = options->queue_max_bytes > 0 ? options->queue_max_bytes : QUEUE_MAX_BYTES;
    const struct bus_setting settings[] = {
        {"enable.idempotence", options->is_stream ? "false" : "true"},
        {"acks", options->is_stream ? "1" : "all"},
        {"linger.ms", "0"},
        /* A broker that does not answer must not be the one that is asked for a minute. */
        {"socket.timeout.ms", "6000"},
        {"partitioner", "murmur2_random"},
        {"delivery.timeout.ms", bus_client_number(timeout_ms, timeout)},
        {"queue.buffering.max.messages", QUEUE_MAX_RECORDS_TEXT},
        {"queue.buffering.max.kbytes", bus_client_number((max_bytes + 1023) / 1024, kbytes)},
        {NULL, NULL},
    };
    if (bus_client_conf(&options->client, &producer->client, settings, &producer->conf, err) != 0)
        return -1;
    rd_kafka_conf_set_dr_msg_cb(producer->conf, bus_flight_landed);
    return 0;
}

static int copy_topics(const struct bus_producer_options *options, struct bus_producer *producer,
                       struct err *err)
{
    for (const char *const *topic = options->topics; topic != NULL && *topic != NULL; topic++) {
        if (producer->topic_count == BUS_PRIME_TOPICS_MAX)
            return err_set(err, ERR_BUG, "bus.config", "more than %d topics to prime",
                           BUS_PRIME_TOPICS_MAX);
        producer->topics[producer->topic_count++] = xstrdup(*topic);
    }
    return 0;
}

static void init_sync(struct bus_producer *producer)
{
    pthread_condattr_t attributes;
    pthread_condattr_init(&attributes);
    pthread_condattr_setclock(&attributes, CLOCK_MONOTONIC);
    pthread_cond_init(&producer->probe, &attributes);
    pthread_condattr_destroy(&attributes);
    pthread_mutex_init(&producer->mutex, NULL);
    producer->flights.next = producer->flights.previous = &producer->flights;
    atomic_init(&producer->stop, false);
    atomic_init(&producer->primed, false);
    atomic_init(&producer->healthy, true);
    atomic_init(&producer->confirmed_ms, INT64_MIN);
}

static void on_wake(void *arg)
{
    bus_link_serve(arg, 0);
}

static void poll_run(void *arg)
{
    struct bus_producer *producer = arg;
    while (!atomic_load(&producer->stop))
        bus_link_serve(producer, TICK_MS);
}

static void start_serving(struct bus_producer *producer)
{
    bus_prime_start(producer);
    if (producer->loop == NULL) {
        producer->poll_thread = thread_start(poll_run, producer);
        return;
    }
    producer->tick = timer_new(producer->loop, on_wake, producer);
    timer_start(producer->tick, TICK_MS, TICK_MS);
}

static void release(struct bus_producer *producer)
{
    if (producer->loop != NULL)
        bus_wake_fini(&producer->wake);
    if (producer->conf != NULL)
        rd_kafka_conf_destroy(producer->conf);
    for (size_t i = 0; i < producer->topic_count; i++)
        free(producer->topics[i]);
    pthread_cond_destroy(&producer->probe);
    pthread_mutex_destroy(&producer->mutex);
    free(producer);
}

int bus_producer_open(const struct bus_producer_options *options, struct bus_producer **producer,
                      struct err *err)
{
    struct bus_producer *made = xcalloc(1, sizeof *made);
    init_sync(made);
    made->loop = options->loop;
    if (made->loop != NULL)
        bus_wake_init(&made->wake, made->loop, on_wake, made);
    if (make_conf(options, made, err) != 0 || copy_topics(options, made, err) != 0 ||
        bus_link_open(made, &made->link, err) != 0) {
        release(made);
        return -1;
    }
    start_serving(made);
    *producer = made;
    return 0;
}

void bus_producer_close(struct bus_producer **producer, int64_t flush_ms)
{
    struct bus_producer *closing = *producer;
    if (closing == NULL)
        return;
    *producer = NULL;
    bus_prime_stop(closing);
    struct bus_link *link = closing->link;
    if (closing->loop == NULL) {
        struct bus_link *served = bus_link_get(closing); /* the thread may replace it meanwhile */
        rd_kafka_queue_yield(served->main_queue);
        bus_link_put(served);
        thread_join(&closing->poll_thread);
        link = closing->link;
    } else {
        timer_free(&closing->tick);
        rd_kafka_queue_io_event_enable(link->main_queue, -1, NULL, 0);
    }
    if (flush_ms > 0)
        rd_kafka_flush(link->rk, (int)(flush_ms > 60000 ? 60000 : flush_ms));
    bus_link_purge(closing, link, CLOSE_PURGE_MS);
    bus_link_put(link);
    release(closing);
}

bool bus_producer_ready(const struct bus_producer *producer)
{
    return atomic_load(&producer->primed) && atomic_load(&producer->healthy);
}

/* ---- producing ---- */

static rd_kafka_headers_t *make_headers(const struct bus_record *record)
{
    rd_kafka_headers_t *headers = rd_kafka_headers_new(record->header_count);
    for (size_t i = 0; i < record->header_count; i++) {
        const struct bus_header *header = &record->headers[i];
        rd_kafka_header_add(headers, header->name, -1, header->value,
                            (ssize_t)header->value_length);
    }
    return headers;
}

static rd_kafka_resp_err_t hand_over(struct bus_flight *flight, const struct bus_record *record)
{
    rd_kafka_headers_t *headers = make_headers(record);
    int32_t partition = record->partition < 0 ? RD_KAFKA_PARTITION_UA : record->partition;
    /* With MSG_F_COPY librdkafka only reads the value; its type is not const all the same. */
    const union {
        const void *in;
        void *out;
    } value = {.in = record->value};
    rd_kafka_resp_err_t code = rd_kafka_producev(
        flight->link->rk, RD_KAFKA_V_TOPIC(record->topic), RD_KAFKA_V_PARTITION(partition),
        RD_KAFKA_V_MSGFLAGS(RD_KAFKA_MSG_F_COPY), RD_KAFKA_V_KEY(record->key, record->key_length),
        RD_KAFKA_V_VALUE(value.out, record->value_length), RD_KAFKA_V_HEADERS(headers),
        RD_KAFKA_V_OPAQUE(flight), RD_KAFKA_V_END);
    if (code != RD_KAFKA_RESP_ERR_NO_ERROR)
        rd_kafka_headers_destroy(headers);
    return code;
}

/* Wakes the owner so that it replaces the link soon. The mutex is held. */
static void tell_fatal(struct bus_producer *producer)
{
    atomic_store(&producer->link->client.fatal, true);
    if (producer->loop != NULL)
        bus_wake_up(&producer->wake);
    else
        rd_kafka_queue_yield(producer->link->main_queue);
}

static int submit(struct bus_producer *producer, const struct bus_record *record,
                  bus_report_fn *report, void *arg, struct err *err)
{
    if (record->value_length > BUS_VALUE_MAX)
        return err_set(err, ERR_PERMANENT, "bus.too_large", "a value of %zu bytes; at most %d",
                       record->value_length, BUS_VALUE_MAX);
    if (record->header_count > BUS_HEADERS_MAX)
        return err_set(err, ERR_PERMANENT, "bus.too_large", "more than %d headers",
                       BUS_HEADERS_MAX);
    if (atomic_load(&producer->stop))
        return err_set(err, ERR_RETRY_LATER, "bus.closed", "the producer is closing");
    struct bus_flight *flight = xcalloc(1, sizeof *flight);
    /* Under the mutex, so that the link is not replaced, and its flights not failed, before this
     * one is either handed over or taken out again. */
    pthread_mutex_lock(&producer->mutex);
    *flight = (struct bus_flight){
        .link = producer->link, .since_ms = clock_mono_ms(), .report = report, .arg = arg};
    flight_link(producer, flight);
    rd_kafka_resp_err_t code = hand_over(flight, record);
    if (code != RD_KAFKA_RESP_ERR_NO_ERROR) {
        if (code == RD_KAFKA_RESP_ERR__FATAL)
            tell_fatal(producer);
        flight_unlink(flight);
        free(flight);
    }
    pthread_mutex_unlock(&producer->mutex);
    if (code == RD_KAFKA_RESP_ERR_NO_ERROR)
        return 0;
    return bus_client_fail(err, code, "the record was not queued");
}

int bus_produce(struct bus_producer *producer, const struct bus_record *record,
                bus_report_fn *report, void *arg, struct err *err)
{
    if (producer->loop == NULL)
        return err_set(err, ERR_BUG, "bus.config", "this producer has no loop: bus_produce_wait");
    return submit(producer, record, report, arg, err);
}

/* ---- producing and waiting ---- */

/* Shared by the waiting thread and the report; the later of the two frees it. */
struct wait {
    pthread_mutex_t mutex;
    pthread_cond_t cond;
    bool reported, abandoned, failed;
    struct err err;
};

static struct wait *wait_new(void)
{
    struct wait *wait = xcalloc(1, sizeof *wait);
    pthread_condattr_t attributes;
    pthread_condattr_init(&attributes);
    pthread_condattr_setclock(&attributes, CLOCK_MONOTONIC);
    pthread_cond_init(&wait->cond, &attributes);
    pthread_condattr_destroy(&attributes);
    pthread_mutex_init(&wait->mutex, NULL);
    return wait;
}

static void wait_free(struct wait *wait)
{
    pthread_cond_destroy(&wait->cond);
    pthread_mutex_destroy(&wait->mutex);
    free(wait);
}

static void on_report(void *arg, const struct err *err)
{
    struct wait *wait = arg;
    pthread_mutex_lock(&wait->mutex);
    wait->reported = true;
    wait->failed = err != NULL;
    if (err != NULL)
        wait->err = *err;
    bool last = wait->abandoned;
    pthread_cond_signal(&wait->cond);
    pthread_mutex_unlock(&wait->mutex);
    if (last)
        wait_free(wait);
}

/* True if the report came in time; the wait then is the caller's to free. */
static bool wait_for(struct wait *wait, int64_t deadline_ms)
{
    int64_t end_us = clock_mono_us() + deadline_ms * 1000;
    struct timespec until = {.tv_sec = end_us / 1000000, .tv_nsec = end_us % 1000000 * 1000};
    pthread_mutex_lock(&wait->mutex);
    int late = 0;
    while (!wait->reported && late != ETIMEDOUT)
        late = pthread_cond_timedwait(&wait->cond, &wait->mutex, &until);
    bool reported = wait->reported;
    wait->abandoned = !reported;
    pthread_mutex_unlock(&wait->mutex);
    return reported;
}

int bus_produce_wait(struct bus_producer *producer, const struct bus_record *record,
                     int64_t deadline_ms, struct err *err)
{
    if (producer->loop != NULL)
        return err_set(err, ERR_BUG, "bus.config", "this producer is a loop's: bus_produce");
    struct wait *wait = wait_new();
    int64_t since_ms = clock_mono_ms();
    if (submit(producer, record, on_report, wait, err) != 0) {
        wait_free(wait);
        return -1;
    }
    if (!wait_for(wait, deadline_ms > 0 ? deadline_ms : 0)) {
        bus_producer_doubt(producer, since_ms);
        return err_set(err, ERR_RETRY_LATER, "bus.timeout",
                       "Kafka did not confirm the record within %lld ms; it may still arrive",
                       (long long)deadline_ms);
    }
    int result = wait->failed ? -1 : 0;
    if (wait->failed && err != NULL)
        *err = wait->err;
    wait_free(wait);
    return result;
}
