/* The poll for unfinished messages and calls: see unfinished.h. engine.c starts it. */
#include "unfinished.h"

#include "base/mem.h"
#include "service/log.h"
#include "store/reception_record.h"
#include "store/voice.h"

#include <stdlib.h>

#define LOOK_MS        5000
#define LOOK_LIMIT     100
#define EVERY_MAX_MS   10000
#define EVERY_MIN_MS   200
#define SILENT_CALL_MS 14400000 /* longer than a call may last at Twilio */

struct unfinished {
    struct engine *engine;
    struct timer *timer;
    struct arena *arena;
    int in_flight; /* units */
};

static void looked(void *arg, const struct pg_answer *answer)
{
    struct unfinished *self = arg;
    self->in_flight--;
    if (answer->err != NULL)
        log_warn("statement.failed", LOG_TEXT("what", "unfinished"), LOG_ERR(answer->err));
    else if (reception_record_read_overdue(answer) > 0)
        log_info("messages.unfinished", LOG_INT("count", reception_record_read_overdue(answer)));
}

static void ended(void *arg, const struct pg_answer *answer)
{
    struct unfinished *self = arg;
    self->in_flight--;
    if (answer->err != NULL)
        log_warn("statement.failed", LOG_TEXT("what", "silent calls"), LOG_ERR(answer->err));
}

/* A unit each: what one of them cannot do keeps the other from nothing. */
static void look(void *arg)
{
    struct unfinished *self = arg;
    struct engine *engine = self->engine;
    if (self->in_flight > 0 || engine->draining || !pg_is_up(engine->pg))
        return;
    struct pg_unit messages = {.deadline_ms = LOOK_MS, .done = looked, .arg = self};
    struct pg_unit calls = {.deadline_ms = LOOK_MS, .done = ended, .arg = self};
    arena_reset(self->arena);
    reception_record_add_overdue(&messages, self->arena, LOOK_LIMIT,
                                 engine->shared->settings.unfinished_message_ms);
    voice_add_silent(&calls, self->arena, SILENT_CALL_MS);
    self->in_flight = 2;
    pg_submit(engine->pg, &messages);
    pg_submit(engine->pg, &calls);
}

struct unfinished *unfinished_new(struct engine *engine)
{
    struct unfinished *self = xcalloc(1, sizeof *self);
    int64_t every = engine->shared->settings.unfinished_message_ms / 10;
    every = every > EVERY_MAX_MS ? EVERY_MAX_MS : every < EVERY_MIN_MS ? EVERY_MIN_MS : every;
    self->engine = engine;
    self->arena = arena_new();
    self->timer = timer_new(engine->loop, look, self);
    timer_start(self->timer, every, every);
    return self;
}

void unfinished_free(struct unfinished **unfinished)
{
    if (*unfinished == NULL)
        return;
    timer_free(&(*unfinished)->timer);
    arena_free(&(*unfinished)->arena);
    free(*unfinished);
    *unfinished = NULL;
}
