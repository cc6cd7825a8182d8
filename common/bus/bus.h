/* Kafka through librdkafka: producer, consumer, topic administration.
 *
 * A loop owns its producers and consumers; callbacks run on its thread. librdkafka wakes the loop
 * through an eventfd; a 1 s poll keeps an idle consumer in its group. Settings follow
 * docs/KAFKA.md. */
#ifndef DESK_BUS_BUS_H
#define DESK_BUS_BUS_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "base/arena.h"
#include "base/err.h"
#include "loop/loop.h"

#define BUS_HEADERS_MAX 32
#define BUS_VALUE_MAX   (512 * 1024)

struct bus_header {
    const char *name;
    const void *value;
    size_t value_length;
};

/* A record to produce, or one that was consumed. Bytes are borrowed: for a consumed record from the
 * arena given to bus_consumer_take. value NULL is a tombstone. */
struct bus_record {
    const char *topic;    /* full name, prefix included */
    int32_t partition;    /* produce: -1 lets the key decide (murmur2_random) */
    int64_t offset;       /* consumed only */
    int64_t timestamp_ms; /* consumed only; broker's or producer's */
    const void *key;
    size_t key_length;
    const void *value;
    size_t value_length;
    struct bus_header headers[BUS_HEADERS_MAX];
    size_t header_count;
};

/* The text of a header if it occurs once and is NUL-free, copied into the arena; else NULL. */
const char *bus_header_text(const struct bus_record *record, struct arena *arena, const char *name);

/* Shared client settings. `log` may be NULL. Text is copied. */
struct bus_options {
    const char *brokers;                        /* bootstrap list */
    const char *client_id;                      /* shows up in broker logs */
    const char *security;                       /* "" plaintext, "mtls" or "sasl_plain_tls" */
    const char *ca_file, *cert_file, *key_file; /* for mtls; "" otherwise */
    const char *sasl_user, *sasl_password;      /* for sasl_plain_tls; "" otherwise */
    /* librdkafka's own log lines and client errors, from any thread. */
    void (*log)(void *arg, int syslog_level, const char *facility, const char *message);
    void *log_arg;
};

/* ---- producer ---- */
struct bus_producer;

struct bus_producer_options {
    struct bus_options client;
    struct loop *loop;           /* NULL: the producer has a poll thread of its own, and only
                                    bus_produce_wait may be used, from any thread */
    const char *const *topics;   /* full names, NULL-terminated: primed at start, so that the first
                                    record does not wait 1 s for its leader */
    int64_t delivery_timeout_ms; /* 0: 30,000. What is left of it for the oldest record is the
                                    time-out of a request, and one that ends cuts the connection for
                                    all: far longer than a broker that is slow may take */
    int64_t queue_max_bytes;     /* 0: 64 MiB; a full queue is RETRY_LATER "bus.full" */
    bool is_stream; /* what is of no use a moment later: acks=1, not idempotent, so that
                       records may be lost, repeated or change places */
};

/* Opens an idempotent producer (acks=all, linger 0; but see is_stream). Succeeds with the broker
 * away. BUG "bus.config" for an impossible setting. Returns owned. */
int bus_producer_open(const struct bus_producer_options *options, struct bus_producer **producer,
                      struct err *err);

/* Flushes up to flush_ms, then closes; reports still outstanding are called with an error. Sets
 * *producer to NULL; accepts NULL. */
void bus_producer_close(struct bus_producer **producer, int64_t flush_ms);

/* Called once per record on the loop's thread: err NULL when all in-sync replicas have it. An error
 * is RETRY_LATER (may or may not be in the log) or PERMANENT (too large, unknown topic). */
typedef void bus_report_fn(void *arg, const struct err *err);

/* Queues a copy of the record. RETRY_LATER "bus.full", PERMANENT "bus.too_large"; then `report` is
 * not called. `report` may be NULL. Loop thread. */
int bus_produce(struct bus_producer *producer, const struct bus_record *record,
                bus_report_fn *report, void *arg, struct err *err);

/* Produces and waits for the report, at most deadline_ms. For producers with a thread of their own;
 * any thread. After a timeout (RETRY_LATER "bus.timeout") the record may still arrive later. */
int bus_produce_wait(struct bus_producer *producer, const struct bus_record *record,
                     int64_t deadline_ms, struct err *err);

/* True once metadata of all primed topics has been seen, and until a record fails, or is waited for
 * in vain, of which no later one has been confirmed; then again when the brokers answer for all
 * topics or a record is confirmed. A partition without a leader delays that by 5 s at the first
 * time; later it is the trouble of its own records while others are confirmed. */
bool bus_producer_ready(const struct bus_producer *producer);

/* Tells that a record that was produced then (monotonic ms) is waited for in vain, as the deadline
 * of bus_produce_wait does: for producers on a loop, whose owner has a deadline of its own. */
void bus_producer_doubt(struct bus_producer *producer, int64_t since_ms);

/* ---- consumer ---- */
struct bus_consumer;

struct bus_consumer_options {
    struct bus_options client;
    struct loop *loop;
    const char *group;
    const char *instance_id;    /* static membership (group.instance.id); "" none */
    const char *const *topics;  /* full names, NULL-terminated */
    int64_t session_timeout_ms; /* 0: 30,000 */
    int64_t heartbeat_ms;       /* 0: 3,000 */
    bool whole_topic;           /* no group: read all partitions from the beginning (directory) */
    bool tail;                  /* no group, one topic: read one partition from its present end */
    uint32_t tail_number;       /* which one: this number modulo how many there are */
    /* Records may be there: call bus_consumer_take. Loop thread. */
    void (*on_ready)(void *arg);
    /* The assignment changed (after it took effect); may be NULL. */
    void (*on_assign)(void *arg, int partitions);
    /* The consumer is of no more use (another process has taken its instance id): nothing comes any
     * more, and only a new process can help. Once, loop thread; may be NULL. One that is fenced
     * while it joins, as after an outage longer than the session, joins anew by itself. */
    void (*on_fatal)(void *arg);
    void *arg;
};

/* Opens and subscribes (range assignor, eager; offsets stored by hand, committed each second and
 * when partitions are revoked). Returns owned. BUG "bus.config". */
int bus_consumer_open(const struct bus_consumer_options *options, struct bus_consumer **consumer,
                      struct err *err);

/* Commits what is stored, leaves and closes (bounded by 10 s). Sets to NULL; accepts NULL. */
void bus_consumer_close(struct bus_consumer **consumer);

/* Takes up to `max` records without waiting, copied into `arena`. Returns how many; 0: on_ready
 * will be called when there are more. When it returns `max` there may be more: call again later
 * (on_ready is then not called by itself). */
size_t bus_consumer_take(struct bus_consumer *consumer, struct arena *arena,
                         struct bus_record *records, size_t max);

/* Marks the record's offset as done (its claim is committed). Offsets of one partition must be
 * stored in order. Ignored for a partition that is no longer ours. */
void bus_consumer_store(struct bus_consumer *consumer, const struct bus_record *record);

/* Pause and resume all assigned partitions (while PostgreSQL is away). Polling goes on. */
void bus_consumer_pause(struct bus_consumer *consumer, bool paused);

/* whole_topic only: true once everything that was there at the start has been taken. */
bool bus_consumer_at_end(const struct bus_consumer *consumer);

/* tail only: the partition that is read; -1 until the offset where it begins is fixed. What is
 * produced to it from then on is taken. */
int32_t bus_consumer_tail(const struct bus_consumer *consumer);

/* Assigned partitions now. */
int bus_consumer_partitions(const struct bus_consumer *consumer);

/* ---- administration (blocking; deskctl and doctor only) ---- */
struct bus_admin;

struct bus_topic_config {
    const char *name, *value;
};

struct bus_topic {
    const char *name; /* full name */
    int partitions;
    int replication; /* -1: the broker's default */
    struct bus_topic_config *config;
    size_t config_count;
};

/* Opens an admin client. Returns owned. */
int bus_admin_open(const struct bus_options *options, struct bus_admin **admin, struct err *err);
void bus_admin_close(struct bus_admin **admin);

/* Describes a topic into *topic (memory of the arena; config holds only non-default entries).
 * PERMANENT "bus.no_topic" if it does not exist; RETRY_LATER when no broker answers in 10 s. */
int bus_admin_describe(struct bus_admin *admin, struct arena *arena, const char *name,
                       struct bus_topic *topic, struct err *err);

/* Creates a topic; an existing one is FALL_BACK "bus.topic_exists". */
int bus_admin_create(struct bus_admin *admin, const struct bus_topic *topic, struct err *err);

/* Raises the partition count (never shrinks: PERMANENT "bus.shrink"). */
int bus_admin_grow(struct bus_admin *admin, const char *name, int partitions, struct err *err);

/* Replaces the topic's whole override set (Kafka's AlterConfigs replaces, it does not merge). */
int bus_admin_configure(struct bus_admin *admin, const struct bus_topic *topic, struct err *err);

/* Where a topic begins and ends, by partition: its oldest record, and the first one not written. */
struct bus_ends {
    const char *topic;
    int partitions;
    int64_t *first, *end;
};

/* Reads the present ends into *ends (memory of the arena). Fails as bus_admin_describe. */
int bus_admin_ends(struct bus_admin *admin, struct arena *arena, const char *topic,
                   struct bus_ends *ends, struct err *err);

/* Counts the records before `ends` that the group has not committed; what the broker has dropped
 * does not count. A group that never committed has the whole topic before it. */
int bus_admin_behind(struct bus_admin *admin, const char *group, const struct bus_ends *ends,
                     int64_t *records, struct err *err);

/* Reads a topic from the beginning to its present end, calling `visit` for each record until it
 * returns false. Blocking, at most deadline_ms. For deskctl's dead, quarantine and directory. */
int bus_scan(const struct bus_options *options, const char *topic, int64_t deadline_ms,
             bool (*visit)(void *arg, const struct bus_record *record), void *arg, struct err *err);

#endif
