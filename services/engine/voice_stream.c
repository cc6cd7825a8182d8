/* Sends frames into calls: see voice_stream.h. voice.c makes them. */
#include "voice_stream.h"

#include "base/clock.h"
#include "bus/bus.h"
#include "contract/topics.h"
#include "counters.h"
#include "service/log.h"

#define FRAME_MS 5000 /* a caller has heard something else by then */

int voice_stream_open(struct engine *engine, struct err *err)
{
    const struct engine_settings *settings = &engine->shared->settings;
    struct arena *names = arena_new();
    const char *topics[] = {topic_name(names, settings->kafka.topic_prefix, TOPIC_VOICE_STREAM),
                            NULL};
    struct bus_producer_options options = {
        .loop = engine->loop, .topics = topics, .delivery_timeout_ms = FRAME_MS, .is_stream = true};
    service_bus_options(&settings->kafka, &settings->common, "engine-voice", &options.client);
    int rc = bus_producer_open(&options, &engine->stream, err);
    arena_free(&names);
    return rc;
}

static void reported(void *arg, const struct err *err)
{
    (void)arg;
    if (err == NULL)
        return;
    metric_add(counters.frames_lost, 1);
    log_warn("frame.lost", LOG_ERR(err));
}

void voice_stream_send(struct engine *engine, int partition, struct voice_frame *frame)
{
    struct arena *arena = arena_new();
    struct bus_record record;
    struct err err;
    frame->event.id = ""; /* the encoder makes it */
    frame->event.source = "frontdesk/engine";
    frame->event.subject = "";
    frame->event.time_ms = clock_wall_ms();
    voice_frame_encode(arena, engine->shared->settings.kafka.topic_prefix, frame, &record);
    record.partition = partition;
    metric_add(counters.frames, 1);
    if (bus_produce(engine->stream, &record, reported, NULL, &err) != 0)
        reported(NULL, &err);
    arena_free(&arena);
}
