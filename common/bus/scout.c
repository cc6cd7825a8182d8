/* A consumer's second thread, for questions that block: how many partitions a whole topic has
 * (asked until it is known, then every 30 s) and, when somebody wants to know the lag, the
 * committed and the last offsets (one request each for all partitions). Called by
 * consumer.c. */
#include <time.h>

#include "base/clock.h"
#include "bus/consumer.h"

#define METADATA_TIMEOUT_MS 500
#define OFFSETS_TIMEOUT_MS  3000
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

static bool all_known(const rd_kafka_topic_partition_list_t *list)
{
    for (int i = 0; i < list->cnt; i++)
        if (list->elems[i].offset < 0)
            return false;
    return true;
}

/* Fills in what is unknown from the answer to the same list. */
static bool fill_in(rd_kafka_topic_partition_list_t *list,
                    const rd_kafka_topic_partition_list_t *answer)
{
    for (int i = 0; i < list->cnt; i++) {
        if (answer->elems[i].err != RD_KAFKA_RESP_ERR_NO_ERROR)
            return false;
        if (list->elems[i].offset < 0)
            list->elems[i].offset = answer->elems[i].offset;
    }
    return true;
}

static bool ask_committed(rd_kafka_t *rk, rd_kafka_topic_partition_list_t *list)
{
    return rd_kafka_committed(rk, list, OFFSETS_TIMEOUT_MS) == RD_KAFKA_RESP_ERR_NO_ERROR;
}

/* The first or last offsets: the list's offsets say which. */
static bool ask_bounds(rd_kafka_t *rk, rd_kafka_topic_partition_list_t *list, int64_t which)
{
    for (int i = 0; i < list->cnt; i++)
        list->elems[i].offset = which;
    return rd_kafka_offsets_for_times(rk, list, OFFSETS_TIMEOUT_MS) == RD_KAFKA_RESP_ERR_NO_ERROR;
}

static bool stopping(struct bus_consumer *consumer)
{
    pthread_mutex_lock(&consumer->mutex);
    bool stop = consumer->scout_stop;
    pthread_mutex_unlock(&consumer->mutex);
    return stop;
}

/* Asks as little as it can: the answer waits behind a fetch on the same connection, which takes
 * fetch.wait.max.ms (0.5 s) while nothing arrives. -1 if the broker did not answer for all. */
static int64_t measure_lag(struct bus_consumer *consumer, rd_kafka_topic_partition_list_t *next)
{
    rd_kafka_topic_partition_list_t *asked = rd_kafka_topic_partition_list_copy(next);
    bool good = true;
    if (!consumer->whole && !all_known(next))
        good = ask_committed(consumer->rk, asked) && fill_in(next, asked);
    if (good && !all_known(next) && !stopping(consumer))
        good = ask_bounds(consumer->rk, asked, RD_KAFKA_OFFSET_BEGINNING) && fill_in(next, asked);
    good = good && !stopping(consumer) && ask_bounds(consumer->rk, asked, RD_KAFKA_OFFSET_END);
    int64_t lag = 0;
    for (int i = 0; good && i < next->cnt; i++) {
        good = asked->elems[i].err == RD_KAFKA_RESP_ERR_NO_ERROR && asked->elems[i].offset >= 0 &&
               next->elems[i].offset >= 0;
        if (asked->elems[i].offset > next->elems[i].offset)
            lag += asked->elems[i].offset - next->elems[i].offset;
    }
    rd_kafka_topic_partition_list_destroy(asked);
    return good ? lag : -1;
}

/* The mutex is held at entry and exit only. */
static void refresh_lag(struct bus_consumer *consumer)
{
    consumer->lag_wanted = false;
    rd_kafka_topic_partition_list_t *next = positions(consumer);
    pthread_mutex_unlock(&consumer->mutex);
    int64_t lag = next->cnt == 0 ? -1 : measure_lag(consumer, next);
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
    consumer->scout_stop = false;
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
