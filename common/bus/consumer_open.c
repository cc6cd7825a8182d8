/* A consumer's beginning and end: settings, subscription (or the handles of a whole topic), and a
 * close that is bounded in time. Called by whoever owns a consumer; consumer.c is what runs
 * between. */
#include <stdlib.h>
#include <syslog.h>

#include "base/clock.h"
#include "base/mem.h"
#include "bus/consumer.h"

#define TICK_MS            1000
#define SESSION_TIMEOUT_MS 30000
#define HEARTBEAT_MS       3000
#define CLOSE_MS           6000
#define REJOIN_MS          1000

/* ---- opening ---- */

static int make_conf(const struct bus_consumer_options *options, struct bus_consumer *consumer,
                     struct err *err)
{
    char session[BUS_NUMBER_SIZE], heartbeat[BUS_NUMBER_SIZE];
    bool named = options->instance_id != NULL && options->instance_id[0] != '\0';
    bool whole = consumer->whole;
    const struct bus_setting settings[] = {
        {"group.id", whole ? NULL : options->group},
        {"group.instance.id", !whole && named ? options->instance_id : NULL},
        {"session.timeout.ms",
         bus_client_number(options->session_timeout_ms > 0 ? options->session_timeout_ms
                                                           : SESSION_TIMEOUT_MS,
                           session)},
        {"heartbeat.interval.ms",
         bus_client_number(options->heartbeat_ms > 0 ? options->heartbeat_ms : HEARTBEAT_MS,
                           heartbeat)},
        {"max.poll.interval.ms", "300000"},
        {"partition.assignment.strategy", "range"},
        {"enable.auto.offset.store", "false"},
        {"enable.auto.commit", whole ? "false" : "true"},
        {"auto.commit.interval.ms", "1000"},
        {"auto.offset.reset", options->tail ? "latest" : "earliest"},
        {"enable.partition.eof", whole ? "true" : "false"},
        {"allow.auto.create.topics", "false"},
        /* A queue at its mark makes librdkafka 2.0.2 wait a whole second. */
        {"queued.min.messages", whole ? "100000" : "1000"},
        {"queued.max.messages.kbytes", "16384"},
        {NULL, NULL},
    };
    if (bus_client_conf(&options->client, &consumer->client, settings, &consumer->conf, err) != 0)
        return -1;
    if (!whole)
        rd_kafka_conf_set_rebalance_cb(consumer->conf, bus_rebalance);
    return 0;
}

static int copy_topics(const struct bus_consumer_options *options, struct bus_consumer *consumer,
                       struct err *err)
{
    if (!consumer->whole && (options->group == NULL || options->group[0] == '\0'))
        return err_set(err, ERR_BUG, "bus.config", "a consumer needs a group");
    for (const char *const *topic = options->topics; topic != NULL && *topic != NULL; topic++) {
        if (consumer->topic_count == BUS_TOPICS_MAX)
            return err_set(err, ERR_BUG, "bus.config", "more than %d topics", BUS_TOPICS_MAX);
        consumer->topics[consumer->topic_count++] = xstrdup(*topic);
    }
    if (consumer->topic_count == 0 || (consumer->tail && consumer->topic_count > 1))
        return err_set(err, ERR_BUG, "bus.config", "a consumer needs a topic, a tail just one");
    return 0;
}

static int subscribe(struct bus_consumer *consumer, struct err *err)
{
    rd_kafka_poll_set_consumer(consumer->rk);
    consumer->queue = rd_kafka_queue_get_consumer(consumer->rk);
    rd_kafka_topic_partition_list_t *list =
        rd_kafka_topic_partition_list_new((int)consumer->topic_count);
    for (size_t i = 0; i < consumer->topic_count; i++)
        rd_kafka_topic_partition_list_add(list, consumer->topics[i], RD_KAFKA_PARTITION_UA);
    rd_kafka_resp_err_t code = rd_kafka_subscribe(consumer->rk, list);
    rd_kafka_topic_partition_list_destroy(list);
    if (code != RD_KAFKA_RESP_ERR_NO_ERROR)
        return err_set(err, ERR_BUG, "bus.config", "the subscription is refused: %s",
                       rd_kafka_err2str(code));
    return 0;
}

static int make_handles(struct bus_consumer *consumer, struct err *err)
{
    consumer->queue = rd_kafka_queue_new(consumer->rk);
    for (size_t i = 0; i < consumer->topic_count; i++) {
        consumer->handles[i] = rd_kafka_topic_new(consumer->rk, consumer->topics[i], NULL);
        if (consumer->handles[i] == NULL)
            return err_set(err, ERR_BUG, "bus.config", "topic \"%s\" is refused: %s",
                           consumer->topics[i], rd_kafka_err2str(rd_kafka_last_error()));
    }
    return 0;
}

static void close_handle(struct bus_consumer *consumer)
{
    bus_held_drop(consumer);
    for (size_t i = 0; i < consumer->topic_count; i++)
        if (consumer->handles[i] != NULL)
            rd_kafka_topic_destroy(consumer->handles[i]);
    if (consumer->queue != NULL)
        rd_kafka_queue_destroy(consumer->queue);
    if (consumer->rk != NULL)
        rd_kafka_destroy_flags(consumer->rk, RD_KAFKA_DESTROY_F_NO_CONSUMER_CLOSE);
    consumer->queue = NULL;
    consumer->rk = NULL;
}

static void release(struct bus_consumer *consumer)
{
    close_handle(consumer);
    if (consumer->conf != NULL)
        rd_kafka_conf_destroy(consumer->conf);
    for (size_t i = 0; i < consumer->topic_count; i++)
        free(consumer->topics[i]);
    pthread_mutex_destroy(&consumer->mutex);
    free(consumer->parts);
    free(consumer->held);
    free(consumer);
}

static int open_handle(struct bus_consumer *consumer, struct err *err)
{
    if (bus_client_new(RD_KAFKA_CONSUMER, rd_kafka_conf_dup(consumer->conf), consumer,
                       &consumer->rk, err) != 0)
        return -1;
    return consumer->whole ? make_handles(consumer, err) : subscribe(consumer, err);
}

static void listen_to_queue(struct bus_consumer *consumer)
{
    bus_wake_enable(&consumer->wake, consumer->queue);
    bus_wake_up(&consumer->wake); /* what came before the queue was enabled */
    bus_scout_start(consumer);
}

static void stop_listening(struct bus_consumer *consumer)
{
    rd_kafka_queue_io_event_enable(consumer->queue, -1, NULL, 0);
    bus_scout_stop(consumer);
}

static void on_rejoin(void *arg)
{
    struct bus_consumer *consumer = arg;
    struct err err;
    atomic_store(&consumer->client.fatal, false);
    if (open_handle(consumer, &err) != 0) {
        bus_client_log(&consumer->client, LOG_ERR, "REJOIN", "%s", err.message);
        close_handle(consumer);
        timer_start(consumer->rejoin, REJOIN_MS, 0);
        return;
    }
    listen_to_queue(consumer);
}

void bus_consumer_rejoin(struct bus_consumer *consumer)
{
    bus_client_log(&consumer->client, LOG_WARNING, "REJOIN",
                   "fenced by our own new membership after an outage: the group is joined anew");
    stop_listening(consumer);
    close_handle(consumer);
    bus_parts_forget(consumer);
    consumer->pause_stall = false;
    timer_start(consumer->rejoin, REJOIN_MS, 0);
}

static void start_serving(struct bus_consumer *consumer, const struct bus_consumer_options *options)
{
    consumer->on_ready = options->on_ready;
    consumer->on_assign = options->on_assign;
    consumer->on_fatal = options->on_fatal;
    consumer->arg = options->arg;
    bus_wake_init(&consumer->wake, options->loop, bus_consumer_on_wake, consumer);
    consumer->kick = timer_new(options->loop, bus_consumer_on_kick, consumer);
    consumer->tick = timer_new(options->loop, bus_consumer_on_tick, consumer);
    consumer->rejoin = timer_new(options->loop, on_rejoin, consumer);
    timer_start(consumer->tick, TICK_MS, TICK_MS);
    listen_to_queue(consumer);
}

int bus_consumer_open(const struct bus_consumer_options *options, struct bus_consumer **consumer,
                      struct err *err)
{
    struct bus_consumer *made = xcalloc(1, sizeof *made);
    pthread_mutex_init(&made->mutex, NULL);
    made->whole = options->whole_topic || options->tail;
    made->tail = options->tail;
    made->tail_number = options->tail_number;
    made->tail_partition = -1;
    if (copy_topics(options, made, err) != 0 || make_conf(options, made, err) != 0 ||
        open_handle(made, err) != 0) {
        release(made);
        return -1;
    }
    start_serving(made, options);
    *consumer = made;
    return 0;
}

/* ---- closing ---- */

/* As rd_kafka_consumer_close, but it gives up: with a broker that hangs that one has no bound. */
static void leave_group(struct bus_consumer *consumer)
{
    rd_kafka_queue_t *queue = rd_kafka_queue_new(consumer->rk);
    rd_kafka_error_t *error = rd_kafka_consumer_close_queue(consumer->rk, queue);
    int64_t end_ms = clock_mono_ms() + CLOSE_MS;
    while (error == NULL && !rd_kafka_consumer_closed(consumer->rk) && clock_mono_ms() < end_ms) {
        rd_kafka_event_t *event = rd_kafka_queue_poll(queue, 20);
        if (rd_kafka_event_type(event) == RD_KAFKA_EVENT_REBALANCE)
            bus_rebalance(consumer->rk, rd_kafka_event_error(event),
                          rd_kafka_event_topic_partition_list(event), consumer);
        rd_kafka_event_destroy(event);
    }
    if (error != NULL || !rd_kafka_consumer_closed(consumer->rk))
        bus_client_log(&consumer->client, LOG_WARNING, "CLOSE", "the group was not left: %s",
                       error != NULL ? rd_kafka_error_string(error) : "no answer in time");
    if (error != NULL)
        rd_kafka_error_destroy(error);
    rd_kafka_queue_destroy(queue);
}

static void stop_reading(struct bus_consumer *consumer)
{
    for (size_t i = 0; i < consumer->topic_count; i++)
        for (size_t j = 0; j < consumer->part_count; j++)
            if (consumer->parts[j].topic == consumer->topics[i])
                rd_kafka_consume_stop(consumer->handles[i], consumer->parts[j].partition);
}

void bus_consumer_close(struct bus_consumer **consumer)
{
    struct bus_consumer *closing = *consumer;
    if (closing == NULL)
        return;
    *consumer = NULL;
    closing->closing = true;
    timer_free(&closing->tick);
    timer_free(&closing->kick);
    timer_free(&closing->rejoin);
    if (closing->rk != NULL)
        stop_listening(closing);
    bus_wake_fini(&closing->wake);
    if (closing->rk != NULL && closing->whole)
        stop_reading(closing);
    else if (closing->rk != NULL)
        leave_group(closing);
    release(closing);
}
