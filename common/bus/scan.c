/* Reads a topic once, from its beginning to where it ends when the scan starts. Blocking; no group,
 * so that nothing is committed and nobody is rebalanced. For deskctl's dead, quarantine, directory.
 */
#include <stdlib.h>

#include "base/clock.h"
#include "base/mem.h"
#include "bus/client.h"

struct scan {
    struct bus_client client; /* first: it is the handle's opaque */
    rd_kafka_t *rk;
    rd_kafka_topic_t *topic;
    rd_kafka_queue_t *queue;
    int64_t end_ms;
    int partitions; /* all of them */
    int started;
    int open;      /* partitions not read to their end yet */
    int64_t *ends; /* by partition: first offset not to read; -1 done */
};

static int left_ms(const struct scan *scan)
{
    int64_t left = scan->end_ms - clock_mono_ms();
    return left < 1 ? 1 : left > 3600000 ? 3600000 : (int)left;
}

static int find_partitions(struct scan *scan, struct err *err)
{
    const struct rd_kafka_metadata *metadata;
    rd_kafka_resp_err_t code =
        rd_kafka_metadata(scan->rk, 0, scan->topic, &metadata, left_ms(scan));
    if (code != RD_KAFKA_RESP_ERR_NO_ERROR)
        return err_set(err, ERR_RETRY_LATER, "bus.broker", "no Kafka broker answered: %s",
                       rd_kafka_err2str(code));
    code = metadata->topic_cnt == 1 ? metadata->topics[0].err : RD_KAFKA_RESP_ERR__BAD_MSG;
    if (code == RD_KAFKA_RESP_ERR_NO_ERROR)
        scan->partitions = metadata->topics[0].partition_cnt;
    rd_kafka_metadata_destroy(metadata);
    if (code != RD_KAFKA_RESP_ERR_NO_ERROR)
        return bus_client_fail(err, code, rd_kafka_topic_name(scan->topic));
    return 0;
}

static int start_partitions(struct scan *scan, struct err *err)
{
    scan->ends = xcalloc((size_t)scan->partitions, sizeof *scan->ends);
    for (int partition = 0; partition < scan->partitions; partition++) {
        int64_t first, end;
        rd_kafka_resp_err_t code = rd_kafka_query_watermark_offsets(
            scan->rk, rd_kafka_topic_name(scan->topic), partition, &first, &end, left_ms(scan));
        if (code != RD_KAFKA_RESP_ERR_NO_ERROR)
            return bus_client_fail(err, code, "the end of a partition is not known");
        scan->ends[partition] = end > first ? end : -1;
        scan->open += end > first ? 1 : 0;
    }
    for (; scan->started < scan->partitions; scan->started++)
        if (rd_kafka_consume_start_queue(scan->topic, scan->started, RD_KAFKA_OFFSET_BEGINNING,
                                         scan->queue) != 0)
            return bus_client_fail(err, rd_kafka_last_error(), "a partition cannot be read");
    return 0;
}

/* Counts the partition as read once its position has reached the end noted at the start. The last
 * offsets may hold no record (compaction), then librdkafka's end-of-partition tells. */
static void note_position(struct scan *scan, int32_t partition, int64_t next)
{
    if (partition < 0 || partition >= scan->partitions || scan->ends[partition] < 0 ||
        next < scan->ends[partition])
        return;
    scan->ends[partition] = -1;
    scan->open--;
}

static int read_all(struct scan *scan, bool (*visit)(void *arg, const struct bus_record *record),
                    void *arg, struct err *err)
{
    struct arena *arena = arena_new();
    struct bus_record *record = xmalloc(sizeof *record);
    bool wanted = true;
    while (wanted && scan->open > 0 && clock_mono_ms() < scan->end_ms) {
        rd_kafka_message_t *message = rd_kafka_consume_queue(scan->queue, left_ms(scan));
        if (message == NULL)
            continue;
        if (message->err == RD_KAFKA_RESP_ERR__PARTITION_EOF) {
            note_position(scan, message->partition, message->offset);
        } else if (message->err == RD_KAFKA_RESP_ERR_NO_ERROR &&
                   message->offset < scan->ends[message->partition]) {
            bus_record_copy(arena, message, record);
            wanted = visit(arg, record);
            arena_reset(arena);
            note_position(scan, message->partition, message->offset + 1);
        }
        rd_kafka_message_destroy(message);
    }
    free(record);
    arena_free(&arena);
    if (wanted && scan->open > 0)
        return err_set(err, ERR_RETRY_LATER, "bus.timeout",
                       "%d partitions of %s were not read to their end in time", scan->open,
                       rd_kafka_topic_name(scan->topic));
    return 0;
}

static void scan_fini(struct scan *scan)
{
    for (int partition = 0; partition < scan->started; partition++)
        rd_kafka_consume_stop(scan->topic, partition);
    if (scan->queue != NULL)
        rd_kafka_queue_destroy(scan->queue);
    if (scan->topic != NULL)
        rd_kafka_topic_destroy(scan->topic);
    if (scan->rk != NULL)
        rd_kafka_destroy(scan->rk);
    free(scan->ends);
}

int bus_scan(const struct bus_options *options, const char *topic, int64_t deadline_ms,
             bool (*visit)(void *arg, const struct bus_record *record), void *arg, struct err *err)
{
    static const struct bus_setting settings[] = {{"enable.auto.commit", "false"},
                                                  {"auto.offset.reset", "earliest"},
                                                  {"enable.partition.eof", "true"},
                                                  {"allow.auto.create.topics", "false"},
                                                  {NULL, NULL}};
    struct scan scan = {.end_ms = clock_mono_ms() + deadline_ms};
    rd_kafka_conf_t *conf;
    if (bus_client_conf(options, &scan.client, settings, &conf, err) != 0 ||
        bus_client_new(RD_KAFKA_CONSUMER, conf, &scan, &scan.rk, err) != 0)
        return -1;
    scan.queue = rd_kafka_queue_new(scan.rk);
    scan.topic = rd_kafka_topic_new(scan.rk, topic, NULL);
    int result;
    if (scan.topic == NULL)
        result = err_set(err, ERR_PERMANENT, "bus.bad_topic", "\"%s\" is no topic name", topic);
    else if (find_partitions(&scan, err) != 0 || start_partitions(&scan, err) != 0)
        result = -1;
    else
        result = read_all(&scan, visit, arg, err);
    scan_fini(&scan);
    return result;
}
