/* The partitions that a consumer has now. Eager rebalance: a revocation takes all, an assignment
 * gives all. What is stored by then is committed before the next owner starts, unless the
 * partitions are already lost; what was received but not taken is dropped, the next owner reads it
 * again. Called by librdkafka on the loop's thread (inside consumer_poll) and by consumer.c. */
#include <string.h>
#include <syslog.h>

#include "base/mem.h"
#include "bus/consumer.h"

#include <stdlib.h>

#define REVOKE_COMMIT_MS 3000

struct bus_part *bus_part_find(struct bus_consumer *consumer, const char *topic, int32_t partition)
{
    for (size_t i = 0; i < consumer->part_count; i++)
        if (consumer->parts[i].partition == partition &&
            strcmp(consumer->parts[i].topic, topic) == 0)
            return &consumer->parts[i];
    return NULL;
}

static const char *own_name(const struct bus_consumer *consumer, const char *topic)
{
    for (size_t i = 0; i < consumer->topic_count; i++)
        if (strcmp(consumer->topics[i], topic) == 0)
            return consumer->topics[i];
    return NULL;
}

void bus_part_add(struct bus_consumer *consumer, const char *topic, int32_t partition)
{
    const char *name = own_name(consumer, topic);
    if (name == NULL)
        return; /* librdkafka assigns only what was subscribed */
    consumer->parts =
        xreallocarray(consumer->parts, consumer->part_count + 1, sizeof *consumer->parts);
    consumer->parts[consumer->part_count++] = (struct bus_part){
        .topic = name, .partition = partition, .first = -1, .last = -1, .stored = -1};
}

void bus_parts_forget(struct bus_consumer *consumer)
{
    consumer->part_count = 0;
}

/* ---- pausing ---- */

/* Only what we paused is resumed: librdkafka 2.0.2 may re-read when a partition that is not paused
 * is resumed. */
static void set_paused(struct bus_consumer *consumer, bool paused)
{
    rd_kafka_topic_partition_list_t *list =
        rd_kafka_topic_partition_list_new((int)consumer->part_count);
    for (size_t i = 0; i < consumer->part_count; i++) {
        struct bus_part *part = &consumer->parts[i];
        if (part->paused == paused)
            continue;
        rd_kafka_topic_partition_list_add(list, part->topic, part->partition);
        part->paused = paused;
    }
    if (list->cnt > 0) {
        rd_kafka_resp_err_t code = paused ? rd_kafka_pause_partitions(consumer->rk, list)
                                          : rd_kafka_resume_partitions(consumer->rk, list);
        if (code != RD_KAFKA_RESP_ERR_NO_ERROR)
            bus_client_log(&consumer->client, LOG_ERR, "PAUSE", "%s of %d partitions: %s",
                           paused ? "pause" : "resume", list->cnt, rd_kafka_err2str(code));
    }
    rd_kafka_topic_partition_list_destroy(list);
}

void bus_parts_apply_pause(struct bus_consumer *consumer)
{
    set_paused(consumer, consumer->pause_asked || consumer->pause_stall);
}

/* ---- rebalance ---- */

/* Waits for the commit, but not longer than REVOKE_COMMIT_MS: a broker that hangs must not hold the
 * loop. The records then come again, and are found to be claimed. */
static void commit_stored(struct bus_consumer *consumer)
{
    rd_kafka_queue_t *queue = rd_kafka_queue_new(consumer->rk);
    rd_kafka_resp_err_t code = rd_kafka_commit_queue(consumer->rk, NULL, queue, NULL, NULL);
    if (code == RD_KAFKA_RESP_ERR_NO_ERROR) {
        rd_kafka_event_t *event = rd_kafka_queue_poll(queue, REVOKE_COMMIT_MS);
        code = event == NULL ? RD_KAFKA_RESP_ERR__TIMED_OUT : rd_kafka_event_error(event);
        rd_kafka_event_destroy(event);
    }
    rd_kafka_queue_destroy(queue);
    if (code != RD_KAFKA_RESP_ERR_NO_ERROR && code != RD_KAFKA_RESP_ERR__NO_OFFSET)
        bus_client_log(&consumer->client, LOG_WARNING, "COMMIT",
                       "offsets were not committed at revocation (%s): records since the last "
                       "commit come again",
                       rd_kafka_err2str(code));
}

static void revoke(struct bus_consumer *consumer)
{
    if (consumer->part_count > 0 && !rd_kafka_assignment_lost(consumer->rk))
        commit_stored(consumer);
    set_paused(consumer, false); /* else a partition that comes back delivers nothing */
    bus_held_drop(consumer);
    consumer->pause_stall = false;
    rd_kafka_assign(consumer->rk, NULL);
    bus_parts_forget(consumer);
    consumer->joined = false;
}

static void assign(struct bus_consumer *consumer, const rd_kafka_topic_partition_list_t *partitions)
{
    bus_parts_forget(consumer);
    for (int i = 0; i < partitions->cnt; i++)
        bus_part_add(consumer, partitions->elems[i].topic, partitions->elems[i].partition);
    rd_kafka_resp_err_t code = rd_kafka_assign(consumer->rk, partitions);
    if (code != RD_KAFKA_RESP_ERR_NO_ERROR)
        bus_client_log(&consumer->client, LOG_ERR, "ASSIGN", "%s", rd_kafka_err2str(code));
    bus_parts_apply_pause(consumer);
    consumer->joined = true;
}

void bus_rebalance(rd_kafka_t *rk, rd_kafka_resp_err_t code,
                   rd_kafka_topic_partition_list_t *partitions, void *opaque)
{
    (void)rk;
    struct bus_consumer *consumer = opaque;
    if (code == RD_KAFKA_RESP_ERR__ASSIGN_PARTITIONS) {
        assign(consumer, partitions);
    } else {
        if (code != RD_KAFKA_RESP_ERR__REVOKE_PARTITIONS)
            bus_client_log(&consumer->client, LOG_ERR, "REBALANCE", "%s", rd_kafka_err2str(code));
        revoke(consumer);
    }
    consumer->assign_changed = true;
    if (!consumer->closing)
        timer_start(consumer->kick, 0, 0);
}

/* ---- without a group ---- */

/* False when it is read already, or cannot be. */
static bool start_part(struct bus_consumer *consumer, size_t topic, int32_t partition,
                       int64_t offset)
{
    if (bus_part_find(consumer, consumer->topics[topic], partition) != NULL)
        return false;
    if (rd_kafka_consume_start_queue(consumer->handles[topic], partition, offset,
                                     consumer->queue) != 0) {
        bus_client_log(&consumer->client, LOG_ERR, "START", "partition %d of %s: %s",
                       (int)partition, consumer->topics[topic],
                       rd_kafka_err2str(rd_kafka_last_error()));
        return false;
    }
    bus_part_add(consumer, consumer->topics[topic], partition);
    return true;
}

static void extend_tail(struct bus_consumer *consumer)
{
    pthread_mutex_lock(&consumer->mutex);
    int32_t partition = consumer->tail_partition;
    int64_t offset = consumer->tail_offset;
    pthread_mutex_unlock(&consumer->mutex);
    if (partition >= 0 && start_part(consumer, 0, partition, offset))
        consumer->assign_changed = true;
}

static void extend_whole(struct bus_consumer *consumer)
{
    for (size_t i = 0; i < consumer->topic_count; i++) {
        pthread_mutex_lock(&consumer->mutex);
        int count = consumer->seen_partitions[i];
        pthread_mutex_unlock(&consumer->mutex);
        for (int32_t partition = 0; partition < count; partition++)
            if (start_part(consumer, i, partition, RD_KAFKA_OFFSET_BEGINNING))
                consumer->assign_changed = true;
    }
}

void bus_parts_extend(struct bus_consumer *consumer)
{
    if (consumer->tail)
        extend_tail(consumer);
    else
        extend_whole(consumer);
    if (consumer->assign_changed)
        timer_start(consumer->kick, 0, 0);
    bus_parts_apply_pause(consumer);
}
