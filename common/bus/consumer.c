/* The consumer on a loop: records are polled without waiting when librdkafka wakes the loop, and
 * once a second in any case, because a client that is not polled for five minutes leaves its group.
 * Such a tick may receive records; they are held for the next take. A holder that does not take
 * (PostgreSQL is away) gets its partitions paused, so that no more than BUS_HELD_MAX are held and
 * the polls go on to serve the group. Used by ingress (directory), engine and responder. */
#include "bus/consumer.h"

#include <string.h>
#include <syslog.h>

#include "base/mem.h"

/* ---- receiving ---- */

static void hold(struct bus_consumer *consumer, rd_kafka_message_t *message)
{
    if (consumer->held_count == consumer->held_capacity) {
        consumer->held_capacity += BUS_HELD_MAX;
        consumer->held =
            xreallocarray(consumer->held, consumer->held_capacity, sizeof(rd_kafka_message_t *));
    }
    consumer->held[consumer->held_count++] = message;
}

static rd_kafka_message_t *unhold(struct bus_consumer *consumer)
{
    if (consumer->held_count == 0)
        return NULL;
    rd_kafka_message_t *message = consumer->held[0];
    consumer->held_count--;
    memmove(consumer->held, consumer->held + 1,
            consumer->held_count * sizeof(rd_kafka_message_t *));
    return message;
}

void bus_held_drop(struct bus_consumer *consumer)
{
    rd_kafka_message_t *message;
    while ((message = unhold(consumer)) != NULL)
        rd_kafka_message_destroy(message);
}

/* A message that is no record: the end of a partition, or an error of the client. */
static void on_event(struct bus_consumer *consumer, const rd_kafka_message_t *message)
{
    const char *topic = message->rkt != NULL ? rd_kafka_topic_name(message->rkt) : "";
    if (message->err == RD_KAFKA_RESP_ERR__PARTITION_EOF) {
        struct bus_part *part = bus_part_find(consumer, topic, message->partition);
        if (part != NULL)
            part->at_end = true;
        return;
    }
    int level = LOG_WARNING;
    if (message->err == RD_KAFKA_RESP_ERR__FATAL) {
        /* Fenced. Nothing comes any more from this handle. */
        atomic_store(&consumer->client.fatal, true);
        consumer->fenced = consumer->joined;
        consumer->assign_changed = true;
        timer_start(consumer->kick, 0, 0);
        level = LOG_CRIT;
    } else if (message->err == RD_KAFKA_RESP_ERR_GROUP_AUTHORIZATION_FAILED ||
               message->err == RD_KAFKA_RESP_ERR_TOPIC_AUTHORIZATION_FAILED) {
        level = LOG_ERR;
    }
    bus_client_log(&consumer->client, level, rd_kafka_err2name(message->err), "%s: %s", topic,
                   rd_kafka_message_errstr(message));
}

/* The next record that librdkafka has, or NULL; never waits. Serves the rebalance on the way. */
static rd_kafka_message_t *poll_record(struct bus_consumer *consumer)
{
    while (consumer->rk != NULL) {
        rd_kafka_message_t *message = consumer->whole ? rd_kafka_consume_queue(consumer->queue, 0)
                                                      : rd_kafka_consumer_poll(consumer->rk, 0);
        if (message == NULL || message->err == RD_KAFKA_RESP_ERR_NO_ERROR)
            return message;
        on_event(consumer, message);
        rd_kafka_message_destroy(message);
    }
    return NULL;
}

static void mark_taken(struct bus_part *part, int64_t offset)
{
    part->last = offset;
    if (part->first < 0)
        part->first = offset;
}

size_t bus_consumer_take(struct bus_consumer *consumer, struct arena *arena,
                         struct bus_record *records, size_t max)
{
    size_t count = 0;
    consumer->taken = true;
    while (count < max) {
        rd_kafka_message_t *message = unhold(consumer);
        if (message == NULL)
            message = poll_record(consumer);
        if (message == NULL)
            break;
        struct bus_part *part =
            bus_part_find(consumer, rd_kafka_topic_name(message->rkt), message->partition);
        if (part != NULL) {
            bus_record_copy(arena, message, &records[count++]);
            mark_taken(part, message->offset);
        }
        rd_kafka_message_destroy(message);
    }
    if (consumer->pause_stall && consumer->held_count == 0) {
        consumer->pause_stall = false;
        bus_parts_apply_pause(consumer);
    }
    return count;
}

/* ---- waking ---- */

static void announce(struct bus_consumer *consumer)
{
    if (consumer->on_ready != NULL)
        consumer->on_ready(consumer->arg);
}

void bus_consumer_on_wake(void *arg)
{
    struct bus_consumer *consumer = arg;
    if (consumer->whole) {
        bus_parts_extend(consumer);
        rd_kafka_poll(consumer->rk, 0);
    }
    announce(consumer);
}

/* A member that has its assignment is fenced by another process with its name only. One that has
 * lost it in an outage also by itself: the broker has let its new membership in while a commit of
 * the old one was under way. */
static void on_fatal(struct bus_consumer *consumer)
{
    if (!consumer->fenced) {
        bus_consumer_rejoin(consumer);
    } else if (consumer->on_fatal != NULL) {
        void (*tell)(void *arg) = consumer->on_fatal;
        consumer->on_fatal = NULL;
        tell(consumer->arg);
    }
}

/* Callbacks to the holder never run inside one of its own calls. */
void bus_consumer_on_kick(void *arg)
{
    struct bus_consumer *consumer = arg;
    if (consumer->assign_changed) {
        consumer->assign_changed = false;
        if (consumer->on_assign != NULL)
            consumer->on_assign(consumer->arg, bus_consumer_partitions(consumer));
    }
    if (atomic_load(&consumer->client.fatal) && consumer->rk != NULL)
        on_fatal(consumer);
    if (consumer->held_count > 0)
        announce(consumer);
}

void bus_consumer_on_tick(void *arg)
{
    struct bus_consumer *consumer = arg;
    if (consumer->held_count >= BUS_HELD_MAX && !consumer->taken && !consumer->pause_stall) {
        consumer->pause_stall = true;
        bus_parts_apply_pause(consumer);
    }
    consumer->taken = false;
    if (consumer->whole)
        rd_kafka_poll(consumer->rk, 0);
    /* At least one poll: it serves the group even when nothing more can be held. */
    do {
        rd_kafka_message_t *message = poll_record(consumer);
        if (message == NULL)
            break;
        hold(consumer, message);
    } while (consumer->held_count < BUS_HELD_MAX);
    if (consumer->held_count > 0)
        announce(consumer);
}

/* ---- what the holder says ---- */

void bus_consumer_store(struct bus_consumer *consumer, const struct bus_record *record)
{
    struct bus_part *part = bus_part_find(consumer, record->topic, record->partition);
    /* Handed out before the present assignment: the partition may have had another owner since. */
    if (consumer->whole || part == NULL || record->offset < part->first ||
        record->offset > part->last || record->offset < part->stored)
        return;
    rd_kafka_topic_partition_list_t *list = rd_kafka_topic_partition_list_new(1);
    rd_kafka_topic_partition_list_add(list, part->topic, part->partition)->offset =
        record->offset + 1;
    rd_kafka_resp_err_t code = rd_kafka_offsets_store(consumer->rk, list);
    rd_kafka_topic_partition_list_destroy(list);
    if (code != RD_KAFKA_RESP_ERR_NO_ERROR) {
        bus_client_log(&consumer->client, LOG_WARNING, "STORE", "%s [%d]: %s", part->topic,
                       (int)part->partition, rd_kafka_err2str(code));
        return;
    }
    part->stored = record->offset + 1;
}

void bus_consumer_pause(struct bus_consumer *consumer, bool paused)
{
    consumer->pause_asked = paused;
    bus_parts_apply_pause(consumer);
    if (!paused && consumer->held_count > 0)
        timer_start(consumer->kick, 0, 0);
}

bool bus_consumer_at_end(const struct bus_consumer *consumer)
{
    if (!consumer->whole || consumer->held_count > 0)
        return false;
    for (size_t i = 0; i < consumer->topic_count; i++) {
        bool known = false;
        for (size_t j = 0; j < consumer->part_count; j++) {
            if (consumer->parts[j].topic != consumer->topics[i])
                continue;
            if (!consumer->parts[j].at_end)
                return false;
            known = true;
        }
        if (!known)
            return false;
    }
    return true;
}

int32_t bus_consumer_tail(const struct bus_consumer *consumer)
{
    return consumer->tail && consumer->part_count > 0 ? consumer->parts[0].partition : -1;
}

int bus_consumer_partitions(const struct bus_consumer *consumer)
{
    return atomic_load(&consumer->client.fatal) ? 0 : (int)consumer->part_count;
}
