/* Sends frames into calls: see voice_stream.h. voice.c makes them. */
#include "voice_stream.h"

#include "base/clock.h"
#include "base/mem.h"
#include "bus/bus.h"
#include "contract/topics.h"
#include "counters.h"
#include "service/log.h"
#include "store/worker.h"
#include "voice.h"

#include <stdlib.h>

int voice_stream_open(struct engine *engine, struct err *err)
{
    const struct engine_settings *settings = &engine->shared->settings;
    struct arena *names = arena_new();
    const char *topics[] = {topic_name(names, settings->kafka.topic_prefix, TOPIC_VOICE_STREAM),
                            NULL};
    struct bus_producer_options options = {.loop = engine->loop,
                                           .topics = topics,
                                           .delivery_timeout_ms = VOICE_FRAME_LATE_MS,
                                           .is_stream = true};
    service_bus_options(&settings->kafka, &settings->common, "engine-voice", &options.client);
    int rc = bus_producer_open(&options, &engine->stream, err);
    arena_free(&names);
    return rc;
}

/* Whose frame is on its way: names, for the session may be gone when that is known. */
struct flight {
    struct engine *engine;
    struct uuid session;
    int64_t fence;
};

static void lost(const struct err *err)
{
    metric_add(counters.frames_lost, 1);
    log_warn("frame.lost", LOG_ERR(err));
}

static void reported(void *arg, const struct err *err)
{
    struct flight *flight = arg;
    if (err != NULL)
        lost(err);
    if (flight == NULL)
        return;
    voice_landed(flight->engine->sessions, &flight->session, flight->fence, err != NULL);
    free(flight);
}

static int produce(struct engine *engine, int partition, struct voice_frame *frame,
                   struct flight *flight, struct err *err)
{
    struct arena *arena = arena_new();
    struct bus_record record;
    frame->event.id = ""; /* the encoder makes it */
    frame->event.source = "frontdesk/engine";
    frame->event.subject = "";
    frame->event.time_ms = clock_wall_ms();
    voice_frame_encode(arena, engine->shared->settings.kafka.topic_prefix, frame, &record);
    record.partition = partition;
    metric_add(counters.frames, 1);
    int rc = worker_lease_left_ms(engine->worker) > 0
                 ? bus_produce(engine->stream, &record, reported, flight, err)
                 : err_set(err, ERR_RETRY_LATER, "frame.no_lease", "the worker's lease is over");
    arena_free(&arena);
    return rc;
}

void voice_stream_send(struct engine *engine, int partition, struct voice_frame *frame)
{
    struct err err;
    if (produce(engine, partition, frame, NULL, &err) != 0)
        lost(&err);
}

bool voice_stream_send_of(struct engine *engine, int partition, struct voice_frame *frame,
                          const struct uuid *session)
{
    struct err err;
    struct flight *flight = xmalloc(sizeof *flight);
    *flight = (struct flight){.engine = engine, .session = *session, .fence = frame->fence};
    if (produce(engine, partition, frame, flight, &err) == 0)
        return true;
    free(flight);
    lost(&err);
    return false;
}
