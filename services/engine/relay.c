/* Publishes changed channels. Any engine may do it at any time: records carry the row's version,
 * ingress keeps the highest; whoever may have put an old record behind a newer one makes the newer
 * one due again (store/directory.h), and does not forget until that is committed. */
#include "relay.h"

#include "base/clock.h"
#include "base/mem.h"
#include "base/stop.h"
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
    struct arena *arena;      /* of the rows in hand */
    struct arena *mark_arena; /* of the unit that marks them */
    struct directory_row rows[RELAY_LIMIT];
    int count, reports; /* rows in hand: until what became of their records is committed */
    bool busy;
};

static void marked(void *arg, const struct pg_answer *answer)
{
    struct relay *self = arg;
    self->busy = false;
    if (answer->err != NULL) {
        log_warn("directory.not_marked", LOG_ERR(answer->err));
        return; /* again with the next look */
    }
    for (int i = 0; i < self->count; i++)
        metric_add(counters.directory_published, self->rows[i].landed);
    self->count = 0;
    engine_drain_step(self->engine);
}

static void mark(struct relay *self)
{
    arena_reset(self->mark_arena);
    struct pg_unit unit = {.deadline_ms = RELAY_MS, .done = marked, .arg = self};
    directory_add_published(&unit, self->mark_arena, self->rows, (size_t)self->count);
    pg_submit(self->engine->pg, &unit);
}

static void round_over(struct relay *self)
{
    if (self->engine->retiring)
        self->busy = false;
    else
        mark(self);
}

struct report {
    struct relay *relay;
    struct directory_row *row;
};

static void reported(void *arg, const struct err *err)
{
    struct report *report = arg;
    struct relay *self = report->relay;
    report->row->landed = err == NULL;
    if (err != NULL)
        log_warn("directory.not_published", LOG_ERR(err));
    if (--self->reports == 0)
        round_over(self);
}

static void publish_row(struct relay *self, struct directory_row *row)
{
    struct report *report = arena_alloc(self->arena, sizeof *report);
    struct bus_record record;
    struct err err;
    const char *prefix = self->engine->shared->settings.kafka.topic_prefix;
    if (row->removed)
        directory_removed_encode(self->arena, prefix, row->channel.kind, row->channel.address,
                                 &record);
    else
        directory_channel_encode(self->arena, prefix, &row->channel, &record);
    *report = (struct report){self, row};
    self->reports++;
    STOP_POINT("engine.directory", row->channel.address);
    if (bus_produce(self->engine->producer, &record, reported, report, &err) != 0) {
        self->reports--;
        log_warn("directory.not_published", LOG_ERR(&err));
    }
}

static void found(void *arg, const struct pg_answer *answer)
{
    struct relay *self = arg;
    self->count = 0;
    if (answer->err != NULL || self->engine->draining) {
        self->busy = false;
        engine_drain_step(self->engine);
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
    if (self->busy || !pg_is_up(engine->pg) || (self->count == 0 && engine->draining))
        return;
    self->busy = true;
    if (self->count > 0) {
        mark(self);
        return;
    }
    arena_reset(self->arena);
    struct pg_unit unit = {.deadline_ms = RELAY_MS, .done = found, .arg = self};
    directory_add_unpublished(&unit, arena_printf(self->arena, "%d", RELAY_LIMIT));
    pg_submit(engine->pg, &unit);
}

struct relay *relay_new(struct engine *engine)
{
    struct relay *self = xcalloc(1, sizeof *self);
    self->engine = engine;
    self->arena = arena_new();
    self->mark_arena = arena_new();
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
    arena_free(&(*relay)->mark_arena);
    free(*relay);
    *relay = NULL;
}

bool relay_idle(const struct relay *relay)
{
    return !relay->busy && relay->count == 0;
}
