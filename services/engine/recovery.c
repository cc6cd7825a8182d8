/* The poll for answers after an outage: see recovery.h. engine.c starts it. */
#include "recovery.h"

#include "base/mem.h"
#include "service/log.h"

#include <stdlib.h>

#define LIMIT        8 /* tenants in one look: what an outage left behind comes back as a trickle */
#define UNIT_MS      5000
#define PAUSE        8 /* times the pace */
#define PAUSE_MAX_MS 300000
#define CLOSED_MS    900000 /* outside the hours, or with a spent budget, no model is asked */

struct recovery {
    struct engine *engine;
    struct timer *timer;
    struct arena *arena; /* of the look and its steps */
    int in_flight;       /* units */
};

/* ---- the plan ---- */

int64_t recovery_pause_ms(int64_t every_ms, int tries)
{
    int64_t ms = every_ms * PAUSE;
    while (tries-- > 1 && ms < PAUSE_MAX_MS)
        ms *= 2;
    return ms < PAUSE_MAX_MS ? ms : PAUSE_MAX_MS;
}

void recovery_plan(const struct recover_due *due, int64_t every_ms, const char *worker,
                   struct recover_step *out)
{
    int64_t pause_ms = due->no_model ? recovery_pause_ms(every_ms, due->tries) : CLOSED_MS;
    *out = (struct recover_step){.next_ms = every_ms, .tries = due->tries};
    if (due->busy)
        return;
    if (uuid_is_nil(&due->turn))
        *out = (struct recover_step){.next_ms = -1};
    else if (due->failed && due->failed_ms < pause_ms)
        out->next_ms = pause_ms - due->failed_ms;
    else
        *out = (struct recover_step){
            .worker = worker, .next_ms = every_ms, .tries = due->failed ? due->tries + 1 : 1};
}

/* ---- a step ---- */

struct step {
    struct recovery *recovery;
    char tenant[UUID_TEXT_SIZE], conversation[UUID_TEXT_SIZE];
};

static void stepped(void *arg, const struct pg_answer *answer)
{
    struct step *step = arg;
    step->recovery->in_flight--;
    if (answer->err != NULL)
        log_warn("statement.failed", LOG_TEXT("what", "recovery"), LOG_ERR(answer->err));
    else if (recover_read_armed(answer) > 0)
        log_info("conversation.recovering", LOG_TEXT("tenant", step->tenant),
                 LOG_TEXT("conversation", step->conversation));
}

static void take_step(struct recovery *self, const struct recover_due *due)
{
    struct engine *engine = self->engine;
    struct recover_step next;
    struct step *step = arena_alloc(self->arena, sizeof *step);
    const char *worker = arena_strdup(self->arena, worker_id(engine->worker));
    step->recovery = self;
    uuid_format(&due->tenant, step->tenant);
    uuid_format(&due->conversation, step->conversation);
    recovery_plan(due, engine->shared->settings.recovery_every_ms, worker, &next);
    struct pg_unit unit = {.deadline_ms = UNIT_MS, .done = stepped, .arg = step};
    recover_add_step(&unit, self->arena, due, &next);
    self->in_flight++;
    pg_submit(engine->pg, &unit);
}

/* ---- the look ---- */

static void looked(void *arg, const struct pg_answer *answer)
{
    struct recovery *self = arg;
    struct recover_due due;
    self->in_flight--;
    if (answer->err != NULL)
        log_warn("statement.failed", LOG_TEXT("what", "recovery"), LOG_ERR(answer->err));
    for (int row = 0; answer->err == NULL && engine_can_claim(self->engine) &&
                      recover_read_due(answer, row, &due);
         row++)
        take_step(self, &due);
}

/* What is older may not be answered any more; of the rest its answer-by time decides. */
static int64_t longest_ms(const struct engine_settings *settings)
{
    return settings->mail_answer_within_ms > settings->answer_within_ms
               ? settings->mail_answer_within_ms
               : settings->answer_within_ms;
}

static void look(void *arg)
{
    struct recovery *self = arg;
    struct engine *engine = self->engine;
    const struct engine_settings *settings = &engine->shared->settings;
    if (self->in_flight > 0 || !worker_may_adopt(engine->worker) || !engine_can_claim(engine))
        return;
    arena_reset(self->arena);
    struct pg_unit unit = {.deadline_ms = UNIT_MS, .done = looked, .arg = self};
    recover_add_look(
        &unit, self->arena,
        &(struct recover_look){.first_ms = recovery_pause_ms(settings->recovery_every_ms, 1),
                               .within_ms = longest_ms(settings),
                               .limit = LIMIT});
    self->in_flight = 1;
    pg_submit(engine->pg, &unit);
}

/* ---- the wake ---- */

/* One that fails is lost: the job is due in its own time. */
static void woken(void *arg, const struct pg_answer *answer)
{
    struct arena *arena = arg;
    if (answer->err != NULL)
        log_warn("statement.failed", LOG_TEXT("what", "recovery"), LOG_ERR(answer->err));
    arena_free(&arena);
}

void recovery_wake(struct engine *engine, const char *tenant)
{
    struct arena *arena = arena_new();
    struct pg_unit unit = {.deadline_ms = UNIT_MS, .done = woken, .arg = arena};
    recover_add_wake(&unit, arena, arena_strdup(arena, tenant),
                     engine->shared->settings.recovery_every_ms);
    pg_submit(engine->pg, &unit);
}

struct recovery *recovery_new(struct engine *engine)
{
    struct recovery *self = xcalloc(1, sizeof *self);
    int64_t every_ms = engine->shared->settings.recovery_every_ms;
    self->engine = engine;
    self->arena = arena_new();
    self->timer = timer_new(engine->loop, look, self);
    timer_start(self->timer, every_ms, every_ms);
    return self;
}

void recovery_free(struct recovery **recovery)
{
    if (*recovery == NULL)
        return;
    timer_free(&(*recovery)->timer);
    arena_free(&(*recovery)->arena);
    free(*recovery);
    *recovery = NULL;
}
