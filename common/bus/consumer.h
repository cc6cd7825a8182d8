/* Private to common/bus: the parts of a consumer. consumer.c holds the public calls and the
 * polling, assign.c the assigned partitions and the rebalance, scout.c the thread that asks the
 * broker how many partitions topics have and where a tail begins, which would block the loop. */
#ifndef DESK_BUS_CONSUMER_H
#define DESK_BUS_CONSUMER_H

#include <pthread.h>

#include "bus/client.h"

#define BUS_TOPICS_MAX 32
#define BUS_HELD_MAX   16

/* One assigned partition. Loop thread. */
struct bus_part {
    const char *topic; /* the consumer's own text */
    int32_t partition;
    int64_t first, last; /* offsets handed out in this assignment; -1 none */
    int64_t stored;      /* the next offset to read after a restart, as stored; -1 none */
    bool paused;         /* by us */
    bool at_end;         /* whole_topic: the end was seen once */
};

struct bus_consumer {
    struct bus_client client;                  /* first: it is the handle's opaque */
    rd_kafka_conf_t *conf;                     /* each handle is made from a copy */
    rd_kafka_t *rk;                            /* NULL, as the queue, before it joins anew */
    rd_kafka_queue_t *queue;                   /* the group's, or with whole_topic one of our own */
    rd_kafka_topic_t *handles[BUS_TOPICS_MAX]; /* without a group only */
    char *topics[BUS_TOPICS_MAX];
    size_t topic_count;
    bool whole; /* no group: all partitions from their beginning, or a tail */
    bool tail, closing;
    uint32_t tail_number;

    struct bus_wake wake;
    struct timer *tick, *kick, *rejoin;
    void (*on_ready)(void *arg);
    void (*on_assign)(void *arg, int partitions);
    void (*on_fatal)(void *arg); /* NULL once called */
    void *arg;
    bool assign_changed;
    bool joined; /* the group has given us an assignment, perhaps an empty one, and not taken it */
    bool fenced; /* while joined */

    rd_kafka_message_t **held; /* received by a tick, not taken yet; oldest first */
    size_t held_count, held_capacity;
    bool taken;       /* bus_consumer_take was called since the last tick */
    bool pause_asked; /* by the holder */
    bool pause_stall; /* by us: the holder does not take */

    struct bus_part *parts;
    size_t part_count;

    pthread_mutex_t mutex; /* guards what the scout and the loop thread share: */
    struct thread *scout;  /* NULL unless whole */
    pthread_cond_t scout_cond;
    bool scout_stop;
    int seen_partitions[BUS_TOPICS_MAX]; /* whole_topic: by metadata; 0 unknown */
    int32_t tail_partition;              /* tail: once its end is known; else -1 */
    int64_t tail_offset;
};

/* ---- assign.c ---- */
void bus_rebalance(rd_kafka_t *rk, rd_kafka_resp_err_t code,
                   rd_kafka_topic_partition_list_t *partitions, void *opaque);
struct bus_part *bus_part_find(struct bus_consumer *consumer, const char *topic, int32_t partition);
/* Adds a partition to the table. */
void bus_part_add(struct bus_consumer *consumer, const char *topic, int32_t partition);
/* Pauses or resumes so that every partition is as pause_asked and pause_stall say. */
void bus_parts_apply_pause(struct bus_consumer *consumer);
void bus_parts_forget(struct bus_consumer *consumer);
/* Starts reading the partitions that the scout has found. Without a group only. */
void bus_parts_extend(struct bus_consumer *consumer);

/* ---- consumer.c ---- */
void bus_held_drop(struct bus_consumer *consumer);
/* The wake-up, the deferred callbacks, the second's poll. */
void bus_consumer_on_wake(void *arg);
void bus_consumer_on_kick(void *arg);
void bus_consumer_on_tick(void *arg);

/* ---- consumer_open.c ---- */
/* Gives up a handle with a fatal error, and makes another after a moment. */
void bus_consumer_rejoin(struct bus_consumer *consumer);

/* ---- scout.c ---- */
void bus_scout_start(struct bus_consumer *consumer);
void bus_scout_stop(struct bus_consumer *consumer);

#endif
