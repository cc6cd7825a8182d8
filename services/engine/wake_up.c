/* Wake-ups for responders. session.c, intake.c and rota.c send them after their commits. */
#include "wake_up.h"

#include "base/clock.h"
#include "contract/event.h"
#include "service/log.h"

void wake_up_send(struct engine *engine, const struct wake_up *wake_up)
{
    struct arena *arena = arena_new();
    struct bus_record record;
    char id[UUID_TEXT_SIZE];
    struct err err;
    struct delivery_requested event = {
        .event = {.id = uuid_format(&wake_up->delivery, id),
                  .source = "frontdesk/engine",
                  .subject = "",
                  .time_ms = clock_wall_ms(),
                  .tenant = wake_up->tenant,
                  .traceparent = wake_up->traceparent != NULL
                                     ? event_traceparent(arena, wake_up->traceparent)
                                     : ""},
        .delivery = wake_up->delivery,
        .session = wake_up->session,
        .by_mail = wake_up->by_mail,
        .by_call = wake_up->by_call,
    };
    delivery_requested_encode(arena, engine->shared->settings.kafka.topic_prefix, &event, &record);
    if (bus_produce(engine->producer, &record, NULL, NULL, &err) != 0)
        log_warn("wake_up.not_sent", LOG_ERR(&err));
    arena_free(&arena);
}
