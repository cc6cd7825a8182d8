/* Wake-ups for responders. session.c, intake.c and rota.c send them after their commits. */
#include "wake_up.h"

#include "base/clock.h"
#include "contract/event.h"
#include "service/log.h"

void wake_up_send(struct engine *engine, const char *tenant, const struct uuid *session,
                  const struct uuid *delivery, const char *traceparent)
{
    struct arena *arena = arena_new();
    struct bus_record record;
    char id[UUID_TEXT_SIZE];
    struct err err;
    struct delivery_requested event = {
        .event = {.id = uuid_format(delivery, id),
                  .source = "frontdesk/engine",
                  .subject = "",
                  .time_ms = clock_wall_ms(),
                  .tenant = tenant,
                  .traceparent = traceparent != NULL ? event_traceparent(arena, traceparent) : ""},
        .delivery = *delivery,
        .session = *session,
    };
    delivery_requested_encode(arena, engine->shared->settings.kafka.topic_prefix, &event, &record);
    if (bus_produce(engine->producer, &record, NULL, NULL, &err) != 0)
        log_warn("wake_up.not_sent", LOG_ERR(&err));
    arena_free(&arena);
}
