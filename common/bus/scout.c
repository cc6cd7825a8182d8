/* The second thread of a consumer without a group, for questions that block: how many partitions
 * whole topics have, asked until it is known, then every 30 s; where a tail begins, asked until it
 * is known. consumer_open.c calls it. */
#include <time.h>

#include "base/clock.h"
#include "bus/consumer.h"

#define METADATA_TIMEOUT_MS 500
#define LOOK_AGAIN_MS       200
#define REFRESH_MS          30000

/* ---- partitions of whole topics ---- */

static int count_partitions(rd_kafka_t *rk, rd_kafka_topic_t *topic)
{
    const struct rd_kafka_metadata *metadata;
    if (rd_kafka_metadata(rk, 0, topic, &metadata, METADATA_TIMEOUT_MS) !=
        RD_KAFKA_RESP_ERR_NO_ERROR)
        return 0;
    int count = 0;
    if (metadata->topic_cnt == 1 && metadata->topics[0].err == RD_KAFKA_RESP_ERR_NO_ERROR)
        count = metadata->topics[0].partition_cnt;
    rd_kafka_metadata_destroy(metadata);
    return count;
}

/* False while a topic is not known. The mutex is held at entry and exit only. */
static bool look_for_partitions(struct bus_consumer *consumer)
{
    bool all = true, news = false;
    for (size_t i = 0; i < consumer->topic_count && !consumer->scout_stop; i++) {
        pthread_mutex_unlock(&consumer->mutex);
        int count = count_partitions(consumer->rk, consumer->handles[i]);
        pthread_mutex_lock(&consumer->mutex);
        if (count > consumer->seen_partitions[i]) {
            consumer->seen_partitions[i] = count;
            news = true;
        }
        all = all && consumer->seen_partitions[i] > 0;
    }
    if (news)
        bus_wake_up(&consumer->wake);
    return all;
}

/* ---- the end of a tail ---- */

/* Fixes the offset where it begins: what librdkafka would look up by itself, it looks up when it
 * first fetches, and what was produced before that would be missed. False while the broker has not
 * told. The mutex is held at entry and exit only. */
static bool look_for_end(struct bus_consumer *consumer)
{
    int64_t first = 0, end = -1;
    if (consumer->tail_partition >= 0)
        return true;
    pthread_mutex_unlock(&consumer->mutex);
    int count = count_partitions(consumer->rk, consumer->handles[0]);
    int32_t partition = count > 0 ? (int32_t)(consumer->tail_number % (uint32_t)count) : -1;
    bool found = count > 0 && rd_kafka_query_watermark_offsets(
                                  consumer->rk, consumer->topics[0], partition, &first, &end,
                                  METADATA_TIMEOUT_MS) == RD_KAFKA_RESP_ERR_NO_ERROR;
    pthread_mutex_lock(&consumer->mutex);
    if (!found)
        return false;
    consumer->tail_partition = partition;
    consumer->tail_offset = end;
    bus_wake_up(&consumer->wake);
    return true;
}

/* ---- the thread ---- */

static void wait_until(struct bus_consumer *consumer, int64_t mono_ms)
{
    struct timespec until = {.tv_sec = mono_ms / 1000, .tv_nsec = mono_ms % 1000 * 1000000};
    pthread_cond_timedwait(&consumer->scout_cond, &consumer->mutex, &until);
}

static void run(void *arg)
{
    struct bus_consumer *consumer = arg;
    pthread_mutex_lock(&consumer->mutex);
    while (!consumer->scout_stop) {
        bool known = consumer->tail ? look_for_end(consumer) : look_for_partitions(consumer);
        if (!consumer->scout_stop)
            wait_until(consumer, clock_mono_ms() + (known ? REFRESH_MS : LOOK_AGAIN_MS));
    }
    pthread_mutex_unlock(&consumer->mutex);
}

void bus_scout_start(struct bus_consumer *consumer)
{
    pthread_condattr_t attributes;
    if (!consumer->whole)
        return;
    pthread_condattr_init(&attributes);
    pthread_condattr_setclock(&attributes, CLOCK_MONOTONIC);
    pthread_cond_init(&consumer->scout_cond, &attributes);
    pthread_condattr_destroy(&attributes);
    consumer->scout_stop = false;
    consumer->scout = thread_start(run, consumer);
}

void bus_scout_stop(struct bus_consumer *consumer)
{
    if (consumer->scout == NULL)
        return;
    pthread_mutex_lock(&consumer->mutex);
    consumer->scout_stop = true;
    pthread_cond_signal(&consumer->scout_cond);
    pthread_mutex_unlock(&consumer->mutex);
    thread_join(&consumer->scout);
    pthread_cond_destroy(&consumer->scout_cond);
}
