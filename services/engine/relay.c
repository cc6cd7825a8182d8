/* Publishes changed channels. Any engine may do it at any time: records carry the row's version,
 * ingress keeps the highest, and a version is marked published only if it is still current. */
#include "relay.h"

#include "base/clock.h"
#include "base/mem.h"
#include "contract/event.h"
#include "counters.h"
#include "service/log.h"
#include "store/directory.h"

#include <stdlib.h>

#define RELAY_EVERY_MS 1000
#define RELAY_LIMIT    200
#define RELAY_MS       5000

struct relay {
    struct engine *engine;
    struct timer *timer;
    struct arena *arena; /* of the round in hand */
    struct directory_row rows[RELAY_LIMIT];
    int count, reports;
    bool busy, failed;
};

static void marked(void *arg, const struct pg_answer *answer)
{
    struct relay *self = arg;
    self->busy = false;
    if (answer->err != NULL)
        log_warn("directory.not_marked", LOG_ERR(answer->err));
    else
        metric_add(counters.directory_published, self->count);
}

static void round_over(struct relay *self)
{
    if (self->failed || self->engine->retiring) {
        self->busy = false;
        return;
    }
    struct pg_unit unit = {.deadline_ms = RELAY_MS, .done = marked, .arg = self};
    directory_add_published(&unit, self->arena, self->rows, (size_t)self->count);
    pg_submit(self->engine->pg, &unit);
}

static void reported(void *arg, const struct err *err)
{
    struct relay *self = arg;
    if (err != NULL) {
        self->failed = true;
        log_warn("directory.not_published", LOG_ERR(err));
    }
    if (--self->reports == 0)
        round_over(self);
}

static void publish_row(struct relay *self, const struct directory_row *row)
{
    struct bus_record record;
    struct err err;
    const char *prefix = self->engine->shared->settings.kafka.topic_prefix;
    if (row->removed)
        directory_removed_encode(self->arena, prefix, row->channel.kind, row->channel.address,
                                 &record);
    else
        directory_channel_encode(self->arena, prefix, &row->channel, &record);
    self->reports++;
    if (bus_produce(self->engine->producer, &record, reported, self, &err) != 0) {
        self->failed = true;
        self->reports--;
        log_warn("directory.not_published", LOG_ERR(&err));
    }
}

static void found(void *arg, const struct pg_answer *answer)
{
    struct relay *self = arg;
    self->count = 0;
    if (answer->err != NULL || self->engine->retiring) {
        self->busy = false;
        return;
    }
    while (self->count < RELAY_LIMIT &&
           directory_read_row(answer, self->count, self->arena, &self->rows[self->count]))
        self->count++;
    self->reports = 1; /* our own, so that the round cannot end while it is sent */
    for (int i = 0; i < self->count; i++)
        publish_row(self, &self->rows[i]);
    if (self->count == 0)
        self->busy = false;
    else if (--self->reports == 0)
        round_over(self);
}

static void look(void *arg)
{
    struct relay *self = arg;
    struct engine *engine = self->engine;
    if (self->busy || engine->draining || !pg_is_up(engine->pg))
        return;
    arena_reset(self->arena);
    self->busy = true;
    self->failed = false;
    struct pg_unit unit = {.deadline_ms = RELAY_MS, .done = found, .arg = self};
    directory_add_unpublished(&unit, arena_printf(self->arena, "%d", RELAY_LIMIT));
    pg_submit(engine->pg, &unit);
}

struct relay *relay_new(struct engine *engine)
{
    struct relay *self = xcalloc(1, sizeof *self);
    self->engine = engine;
    self->arena = arena_new();
    self->timer = timer_new(engine->loop, look, self);
    timer_start(self->timer, RELAY_EVERY_MS, RELAY_EVERY_MS);
    return self;
}

void relay_free(struct relay **relay)
{
    if (*relay == NULL)
        return;
    timer_free(&(*relay)->timer);
    arena_free(&(*relay)->arena);
    free(*relay);
    *relay = NULL;
}
