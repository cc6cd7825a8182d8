/* A consumer's second thread, for questions that block: how many partitions a whole topic has
 * (asked until it is known, then every 30 s) and, when somebody wants to know the lag, the
 * committed and the last offsets (two requests for all partitions: 2 to 45 ms). Called by
 * consumer.c. */
#include <time.h>

#include "base/clock.h"
#include "bus/consumer.h"

#define METADATA_TIMEOUT_MS 500
#define OFFSETS_TIMEOUT_MS  1000
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

/* ---- lag ---- */

/* The next offset to read of each partition: stored here, else committed, else unknown (< 0). */
static rd_kafka_topic_partition_list_t *positions(const struct bus_consumer *consumer)
{
    rd_kafka_topic_partition_list_t *list =
        rd_kafka_topic_partition_list_new((int)consumer->part_count);
    for (size_t i = 0; i < consumer->part_count; i++) {
        const struct bus_part *part = &consumer->parts[i];
        int64_t next = part->stored;
        if (consumer->whole)
            next = part->last < 0 ? -1 : part->last + 1;
        rd_kafka_topic_partition_list_add(list, part->topic, part->partition)->offset = next;
    }
    return list;
}

/* Fills in from the group's committed offsets what is unknown. */
static bool add_committed(rd_kafka_t *rk, rd_kafka_topic_partition_list_t *list)
{
    rd_kafka_topic_partition_list_t *asked = rd_kafka_topic_partition_list_copy(list);
    bool known = rd_kafka_committed(rk, asked, OFFSETS_TIMEOUT_MS) == RD_KAFKA_RESP_ERR_NO_ERROR;
    for (int i = 0; known && i < asked->cnt; i++)
        if (list->elems[i].offset < 0 && asked->elems[i].offset >= 0)
            list->elems[i].offset = asked->elems[i].offset;
    rd_kafka_topic_partition_list_destroy(asked);
    return known;
}

/* The first or last offsets of all partitions; NULL if the broker did not answer for all. */
static rd_kafka_topic_partition_list_t *
bounds(rd_kafka_t *rk, const rd_kafka_topic_partition_list_t *of, int64_t which)
{
    rd_kafka_topic_partition_list_t *list = rd_kafka_topic_partition_list_copy(of);
    for (int i = 0; i < list->cnt; i++)
        list->elems[i].offset = which;
    bool good =
        rd_kafka_offsets_for_times(rk, list, OFFSETS_TIMEOUT_MS) == RD_KAFKA_RESP_ERR_NO_ERROR;
    for (int i = 0; good && i < list->cnt; i++)
        good = list->elems[i].err == RD_KAFKA_RESP_ERR_NO_ERROR && list->elems[i].offset >= 0;
    if (good)
        return list;
    rd_kafka_topic_partition_list_destroy(list);
    return NULL;
}

static int64_t measure_lag(rd_kafka_t *rk, rd_kafka_topic_partition_list_t *next, bool whole)
{
    if (next->cnt == 0)
        return 0;
    if (!whole && !add_committed(rk, next))
        return -1;
    rd_kafka_topic_partition_list_t *first = bounds(rk, next, RD_KAFKA_OFFSET_BEGINNING);
    rd_kafka_topic_partition_list_t *end = bounds(rk, next, RD_KAFKA_OFFSET_END);
    int64_t lag = -1;
    if (first != NULL && end != NULL) {
        lag = 0;
        for (int i = 0; i < next->cnt; i++) {
            int64_t from = next->elems[i].offset;
            if (from < first->elems[i].offset)
                from = first->elems[i].offset;
            if (end->elems[i].offset > from)
                lag += end->elems[i].offset - from;
        }
    }
    if (first != NULL)
        rd_kafka_topic_partition_list_destroy(first);
    if (end != NULL)
        rd_kafka_topic_partition_list_destroy(end);
    return lag;
}

/* The mutex is held at entry and exit only. */
static void refresh_lag(struct bus_consumer *consumer)
{
    consumer->lag_wanted = false;
    rd_kafka_topic_partition_list_t *next = positions(consumer);
    bool whole = consumer->whole;
    pthread_mutex_unlock(&consumer->mutex);
    int64_t lag = measure_lag(consumer->rk, next, whole);
    rd_kafka_topic_partition_list_destroy(next);
    pthread_mutex_lock(&consumer->mutex);
    consumer->lag = lag;
    consumer->lag_at_ms = clock_mono_ms();
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
    int64_t look_at_ms = 0;
    pthread_mutex_lock(&consumer->mutex);
    while (!consumer->scout_stop) {
        if (consumer->whole && clock_mono_ms() >= look_at_ms) {
            bool known = look_for_partitions(consumer);
            look_at_ms = clock_mono_ms() + (known ? REFRESH_MS : LOOK_AGAIN_MS);
        } else if (consumer->lag_wanted) {
            refresh_lag(consumer);
        } else if (consumer->whole) {
            wait_until(consumer, look_at_ms);
        } else {
            pthread_cond_wait(&consumer->scout_cond, &consumer->mutex);
        }
    }
    pthread_mutex_unlock(&consumer->mutex);
}

void bus_scout_start(struct bus_consumer *consumer)
{
    pthread_condattr_t attributes;
    pthread_condattr_init(&attributes);
    pthread_condattr_setclock(&attributes, CLOCK_MONOTONIC);
    pthread_cond_init(&consumer->scout_cond, &attributes);
    pthread_condattr_destroy(&attributes);
    consumer->scout = thread_start(run, consumer);
}

void bus_scout_stop(struct bus_consumer *consumer)
{
    pthread_mutex_lock(&consumer->mutex);
    consumer->scout_stop = true;
    pthread_cond_signal(&consumer->scout_cond);
    pthread_mutex_unlock(&consumer->mutex);
    thread_join(&consumer->scout);
    pthread_cond_destroy(&consumer->scout_cond);
}
