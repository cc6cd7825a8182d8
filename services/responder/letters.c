/* Dead letters of both consumers. A full producer queue reports its error from the loop, so that
 * callers have one way to learn the end. */
#include "letters.h"

#include <stdlib.h>

#include "base/mem.h"
#include "contract/event.h"
#include "counters.h"
#include "service/log.h"

struct refused {
    bus_report_fn *report;
    void *arg;
    struct err err;
};

static void tell(void *arg)
{
    struct refused *refused = arg;
    refused->report(refused->arg, &refused->err);
    free(refused);
}

void letters_send(struct responder *responder, const struct bus_record *record, const char *code,
                  bus_report_fn *report, void *arg)
{
    struct arena *arena = arena_new();
    struct bus_record letter;
    struct refused *refused = xcalloc(1, sizeof *refused);
    *refused = (struct refused){.report = report, .arg = arg};
    event_dead_letter(arena, responder->shared->settings.kafka.topic_prefix, record, "responder",
                      code, 1, &letter);
    metric_add(counters.dead_letters, 1);
    log_warn("record.dead", LOG_TEXT("code", code), LOG_INT("partition", record->partition),
             LOG_INT("offset", record->offset));
    if (bus_produce(responder->producer, &letter, report, arg, &refused->err) != 0)
        loop_post(responder->loop, tell, refused);
    else
        free(refused);
    arena_free(&arena);
}
