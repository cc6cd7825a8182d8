/* Frames for calls. The reader begins at the end of its partition and is ready only when that end
 * is known: a call that is told its partition before could miss its first words. Called by
 * ingress.c.
 */
#include "stream.h"

#include "base/mem.h"
#include "contract/topics.h"
#include "counters.h"
#include "crypto/crypto.h"
#include "service/log.h"
#include "waiting.h"

#include <stdlib.h>
#include <string.h>

#define BATCH 256

struct stream {
    struct ingress *ingress;
    struct calls *calls;
    struct bus_consumer *consumer;
    struct arena *arena, *frames;
    struct timer *more;
    struct bus_record records[BATCH];
};

static void take_record(struct stream *stream, const struct bus_record *record)
{
    struct voice_frame frame;
    struct err err;
    arena_reset(stream->frames);
    if (voice_frame_decode(stream->frames, record, &frame, &err) != 0) {
        counters_frame(COUNTERS_FRAME_BAD);
        log_warn("stream.bad_record", LOG_INT("partition", record->partition),
                 LOG_INT("offset", record->offset), LOG_ERR(&err));
    } else if (waiting_frame(stream->ingress->waiting, &frame)) {
        counters_frame(VERDICT_TAKEN);
    } else if (!calls_frame(stream->calls, &frame)) {
        counters_frame(COUNTERS_FRAME_NOT_HELD);
    }
}

static void look_for_partition(struct stream *stream)
{
    struct ingress *ingress = stream->ingress;
    int partition = bus_consumer_tail(stream->consumer);
    if (partition < 0 || partition > VOICE_PARTITION_MAX ||
        atomic_load(&ingress->stream_partition) >= 0)
        return;
    atomic_store(&ingress->stream_partition, partition);
    log_info("stream.reading", LOG_INT("partition", partition));
}

static void take(void *arg)
{
    struct stream *stream = arg;
    look_for_partition(stream);
    size_t count = bus_consumer_take(stream->consumer, stream->arena, stream->records, BATCH);
    for (size_t i = 0; i < count; i++)
        take_record(stream, &stream->records[i]);
    arena_reset(stream->arena);
    if (count == BATCH)
        timer_start(stream->more, 0, 0);
}

static void on_assign(void *arg, int partitions)
{
    (void)partitions;
    look_for_partition(arg);
}

/* The setting, else a hash of the instance's name: replicas spread over the partitions. */
static uint32_t number_of(const struct ingress_settings *settings)
{
    uint8_t hash[CRYPTO_SHA256_BYTES];
    if (settings->stream_partition >= 0)
        return (uint32_t)settings->stream_partition;
    crypto_sha256(settings->common.instance, strlen(settings->common.instance), hash);
    return (uint32_t)hash[0] << 24 | (uint32_t)hash[1] << 16 | (uint32_t)hash[2] << 8 | hash[3];
}

int stream_open(struct ingress *ingress, struct calls *calls, struct loop *loop,
                struct stream **stream, struct err *err)
{
    struct stream *made = xcalloc(1, sizeof *made);
    made->ingress = ingress;
    made->calls = calls;
    made->arena = arena_new();
    made->frames = arena_new();
    made->more = timer_new(loop, take, made);
    const char *topics[] = {
        topic_name(made->arena, ingress->settings.kafka.topic_prefix, TOPIC_VOICE_STREAM), NULL};
    struct bus_consumer_options options = {.loop = loop,
                                           .topics = topics,
                                           .tail = true,
                                           .tail_number = number_of(&ingress->settings),
                                           .on_ready = take,
                                           .on_assign = on_assign,
                                           .arg = made};
    service_bus_options(&ingress->settings.kafka, &ingress->settings.common, "ingress",
                        &options.client);
    if (bus_consumer_open(&options, &made->consumer, err) != 0) {
        stream_close(&made);
        return -1;
    }
    *stream = made;
    return 0;
}

void stream_close(struct stream **stream)
{
    struct stream *closed = *stream;
    if (closed == NULL)
        return;
    *stream = NULL;
    bus_consumer_close(&closed->consumer);
    timer_free(&closed->more);
    arena_free(&closed->arena);
    arena_free(&closed->frames);
    free(closed);
}
