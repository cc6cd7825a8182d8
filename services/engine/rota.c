/* The rota's poll. A look claims due timers (jobs), reads what each step is decided by, and writes
 * each step in a transaction of its own; a step that is lost with its engine is another one's as
 * soon as the worker is dead. The engine does it and not the responder: it knows the assistants'
 * versions and the key of ids, and makes deliveries; the notice itself is an ordinary delivery. */
#include "rota.h"

#include "base/mem.h"
#include "base/stop.h"
#include "counters.h"
#include "crypto/crypto.h"
#include "rota_plan.h"
#include "service/log.h"
#include "store/rota.h"
#include "wake_up.h"

#include <stdlib.h>

#define LIMIT    16
#define UNIT_MS  5000
#define AGAIN_MS 1000
#define AWAY_MS  300000 /* what a person must mend */

struct step {
    struct rota *rota;
    struct rota_step of;
    char escalation[UUID_TEXT_SIZE], tenant[UUID_TEXT_SIZE];
    struct rota_notice notice;
};

struct rota {
    struct engine *engine;
    struct timer *timer;
    struct arena *arena; /* of the look and its steps */
    const char *worker;  /* that claimed */
    int steps;           /* units on their way, and one for the look itself; 0: idle */
};

static void over(struct rota *self)
{
    if (--self->steps == 0)
        engine_drain_step(self->engine);
}

/* ---- a step that tells nobody ---- */

static void rested(void *arg, const struct pg_answer *answer)
{
    struct step *step = arg;
    if (answer->err != NULL)
        log_warn("escalation.not_stepped", LOG_TEXT("escalation", step->escalation),
                 LOG_ERR(answer->err));
    over(step->rota); /* if the row still names us, a look finds that we do not hold it */
}

static void rest(struct step *step, const struct rota_rest *rest)
{
    struct rota *self = step->rota;
    struct pg_unit unit = {.deadline_ms = UNIT_MS, .done = rested, .arg = step};
    rota_add_rest(&unit, self->arena, rest);
    pg_submit(self->engine->pg, &unit);
}

static void try_again(struct step *step, int64_t in_ms, const char *why)
{
    rest(step,
         &(struct rota_rest){.of = step->of, .pause = ROTA_AGAIN, .in_ms = in_ms, .error = why});
}

/* ---- a step that tells somebody ---- */

static void told(void *arg, const struct pg_answer *answer)
{
    struct step *step = arg;
    struct rota *self = step->rota;
    const struct rota_notice *notice = &step->notice;
    if (answer->err != NULL || self->engine->retiring) {
        rested(step, answer);
        return;
    }
    if (!rota_read_done(answer)) {
        try_again(step, AGAIN_MS, NULL);
        return;
    }
    STOP_POINT("engine.notified", step->escalation);
    metric_add(counters.notices, 1);
    log_info("escalation.told", LOG_TEXT("escalation", step->escalation),
             LOG_INT("round", notice->round), LOG_INT("step", notice->steps_now));
    wake_up_send(self->engine, step->tenant, &notice->notice, &notice->delivery, NULL);
    over(self);
}

static struct uuid ident(const struct engine *engine, const char *const *parts, size_t count)
{
    return crypto_ident(engine->shared->id_key, parts, count);
}

/* The ids of a person are those that a text of theirs would have (intake.c); the conversation is
 * for notices alone. */
static void fill_ids(const struct engine *engine, const char *tenant, struct rota_notice *out)
{
    const char *sms = out->sms;
    out->notice = uuid_new();
    out->message = uuid_new();
    out->delivery = uuid_new();
    out->contact = ident(engine, (const char *[]){"contact", tenant, "phone", sms}, 4);
    out->address_hash = ident(engine, (const char *[]){"address", tenant, "phone", sms}, 4);
    out->conversation = ident(engine, (const char *[]){"rota", tenant, "phone", sms}, 4);
}

static void tell(struct step *step, const struct rota_due *due, const struct rota_plan *plan)
{
    struct rota *self = step->rota;
    struct arena *arena = self->arena;
    char code[ROTA_CODE_SIZE];
    rota_plan_code(code);
    step->notice = (struct rota_notice){
        .of = step->of,
        .channel = due->channel,
        .name = plan->name,
        .sms = plan->sms,
        .code = arena_strdup(arena, code),
        .body = rota_plan_text(arena, due, plan, code),
        .steps_now = plan->steps_now,
        .round = plan->round,
        .accept_ms = plan->accept_ms,
    };
    fill_ids(self->engine, step->tenant, &step->notice);
    struct pg_unit unit = {.deadline_ms = UNIT_MS, .done = told, .arg = step};
    rota_add_notice(&unit, arena, &step->notice);
    STOP_POINT("engine.notifying", step->escalation);
    pg_submit(self->engine->pg, &unit);
}

static void take_step(struct rota *self, const struct rota_due *due)
{
    struct step *step = arena_alloc(self->arena, sizeof *step);
    struct rota_plan plan = {.pause = ROTA_NOBODY};
    step->rota = self;
    step->of = (struct rota_step){.worker = self->worker,
                                  .tenant = due->tenant,
                                  .job = due->job,
                                  .escalation = due->escalation,
                                  .steps = due->steps};
    uuid_format(&due->escalation, step->escalation);
    uuid_format(&due->tenant, step->tenant);
    self->steps++;
    if (due->runs && uuid_is_nil(&due->channel)) {
        try_again(step, AWAY_MS, "the tenant has no number to text from");
        return;
    }
    if (due->runs)
        rota_plan_next(self->arena, due, &plan);
    if (plan.tells) {
        tell(step, due, &plan);
        return;
    }
    rest(step, &(struct rota_rest){.of = step->of,
                                   .pause = plan.pause,
                                   .day = arena_strdup(self->arena, due->day),
                                   .days = plan.days,
                                   .time = plan.time});
}

/* ---- the look ---- */

static void known(void *arg, const struct pg_answer *answer)
{
    struct rota *self = arg;
    struct rota_due due;
    if (answer->err != NULL)
        log_warn("rota.not_read", LOG_ERR(answer->err));
    for (int row = 0;
         answer->err == NULL && !self->engine->retiring && rota_read_due(answer, row, &due); row++)
        take_step(self, &due);
    over(self);
}

static void claimed(void *arg, const struct pg_answer *answer)
{
    struct rota *self = arg;
    struct job jobs[LIMIT];
    size_t count = 0;
    if (answer->err != NULL)
        log_warn("rota.not_claimed", LOG_ERR(answer->err));
    else
        while (count < LIMIT && job_read_claimed(answer, 0, (int)count, &jobs[count]))
            count++;
    if (count == 0 || self->engine->draining) {
        over(self); /* a drain gives them back */
        return;
    }
    struct pg_unit unit = {.deadline_ms = UNIT_MS, .done = known, .arg = self};
    rota_add_read(&unit, self->arena, jobs, count);
    pg_submit(self->engine->pg, &unit);
}

static void look(void *arg)
{
    struct rota *self = arg;
    struct engine *engine = self->engine;
    if (self->steps > 0 || engine->draining || !worker_may_adopt(engine->worker) ||
        !pg_is_up(engine->pg))
        return;
    arena_reset(self->arena);
    self->worker = arena_strdup(self->arena, worker_id(engine->worker));
    self->steps = 1;
    struct pg_unit unit = {.deadline_ms = UNIT_MS, .done = claimed, .arg = self};
    job_add_claim(&unit, self->arena, JOB_ESCALATION, self->worker, "{}", LIMIT);
    pg_submit(engine->pg, &unit);
}

struct rota *rota_new(struct engine *engine)
{
    struct rota *self = xcalloc(1, sizeof *self);
    self->engine = engine;
    self->arena = arena_new();
    self->timer = timer_new(engine->loop, look, self);
    int64_t every_ms = engine->shared->settings.adopt_every_ms;
    timer_start(self->timer, every_ms, every_ms);
    return self;
}

void rota_free(struct rota **rota)
{
    if (*rota == NULL)
        return;
    timer_free(&(*rota)->timer);
    arena_free(&(*rota)->arena);
    free(*rota);
    *rota = NULL;
}

bool rota_idle(const struct rota *rota)
{
    return rota->steps == 0;
}
