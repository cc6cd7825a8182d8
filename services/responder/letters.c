/* Dead letters of both consumers. */
#include "letters.h"

#include "base/stop.h"
#include "contract/event.h"
#include "counters.h"
#include "service/log.h"

int letters_send(struct responder *responder, const struct bus_record *record, const char *code,
                 const struct letter_report *report, struct err *err)
{
    struct arena *arena = arena_new();
    struct bus_record letter;
    event_dead_letter(arena, responder->shared->settings.kafka.topic_prefix, record, "responder",
                      code, 1, &letter);
    metric_add(counters.dead_letters, 1);
    log_warn("record.dead", LOG_TEXT("code", code), LOG_INT("partition", record->partition),
             LOG_INT("offset", record->offset));
    STOP_POINT("responder.letter", code);
    int rc = bus_produce(responder->producer, &letter, report->fn, report->arg, err);
    arena_free(&arena);
    return rc;
}
