/* Reads the directory topic, from its beginning and for ever, and says when ingress is ready: when
 * the end was reached once and a marker of a full publication was among what was read. The only
 * work of ingress's loop. Called by ingress.c. */
#include "feed.h"

#include "base/arena.h"
#include "base/mem.h"
#include "contract/topics.h"
#include "counters.h"
#include "service/log.h"

#include <stdlib.h>

#define BATCH    256
#define CHECK_MS 1000

struct feed {
    struct ingress *ingress;
    struct service *service;
    struct bus_consumer *consumer;
    struct arena *arena;
    struct timer *more, *check;
    struct bus_record records[BATCH];
};

static void take_record(struct feed *feed, const struct bus_record *record)
{
    struct err err;
    int unopened = 0;
    if (directory_apply(feed->ingress->directory, record, &unopened, &err) != 0) {
        metric_add(counters.directory_bad, 1);
        log_warn("directory.bad_record", LOG_INT("offset", record->offset), LOG_ERR(&err));
    }
    if (unopened > 0) {
        metric_add(counters.directory_unopened, unopened);
        log_warn("directory.unopened_keys", LOG_INT("offset", record->offset),
                 LOG_INT("keys", unopened));
    }
}

static void check(void *arg)
{
    struct feed *feed = arg;
    struct ingress *ingress = feed->ingress;
    metric_set(counters.directory_channels, (int64_t)directory_channels(ingress->directory));
    metric_set(counters.directory_version, directory_version(ingress->directory));
    if (!atomic_load(&ingress->directory_read) && directory_has_marker(ingress->directory) &&
        bus_consumer_at_end(feed->consumer)) {
        atomic_store(&ingress->directory_read, true);
        service_set(feed->service, ingress->ready_directory, true);
    }
    /* Stays met when Kafka goes away later: an honest 503 from here is better for the sender than a
     * refused connection, and nothing but Kafka's return mends it. */
    if (publisher_is_ready(ingress->publisher))
        service_set(feed->service, ingress->ready_bus, true);
}

static void take(void *arg)
{
    struct feed *feed = arg;
    size_t count = bus_consumer_take(feed->consumer, feed->arena, feed->records, BATCH);
    for (size_t i = 0; i < count; i++)
        take_record(feed, &feed->records[i]);
    arena_reset(feed->arena);
    if (count == BATCH)
        timer_start(feed->more, 0, 0);
    check(feed);
}

int feed_start(struct ingress *ingress, struct service_loop *loop, struct feed **feed,
               struct err *err)
{
    struct feed *made = xcalloc(1, sizeof *made);
    made->ingress = ingress;
    made->service = service_of(loop);
    made->arena = arena_new();
    made->more = timer_new(service_loop_of(loop), take, made);
    made->check = timer_new(service_loop_of(loop), check, made);
    const char *topics[] = {
        topic_name(made->arena, ingress->settings.kafka.topic_prefix, TOPIC_DIRECTORY), NULL};
    struct bus_consumer_options options = {.loop = service_loop_of(loop),
                                           .topics = topics,
                                           .whole_topic = true,
                                           .on_ready = take,
                                           .arg = made};
    service_bus_options(&ingress->settings.kafka, &ingress->settings.common, "ingress",
                        &options.client);
    if (bus_consumer_open(&options, &made->consumer, err) != 0) {
        feed_stop(&made);
        return -1;
    }
    timer_start(made->check, 0, CHECK_MS);
    *feed = made;
    return 0;
}

void feed_stop(struct feed **feed)
{
    struct feed *stopped = *feed;
    if (stopped == NULL)
        return;
    *feed = NULL;
    bus_consumer_close(&stopped->consumer);
    timer_free(&stopped->more);
    timer_free(&stopped->check);
    arena_free(&stopped->arena);
    free(stopped);
}
