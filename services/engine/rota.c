/* The rota's poll. A look claims due timers (jobs), reads what each step is decided by, and writes
 * each step in a transaction of its own; a step that is lost with its engine is another one's as
 * soon as the worker is dead. A timer that fails is put off, longer each time, and parked in the
 * end: it holds up no other. The engine does it and not the responder: it knows the assistants'
 * versions and the key of ids, and makes deliveries; the notice itself is an ordinary delivery. */
#include "rota.h"

#include "base/mem.h"
#include "base/stop.h"
#include "base/text.h"
#include "counters.h"
#include "crypto/crypto.h"
#include "rota_plan.h"
#include "service/log.h"
#include "store/rota.h"
#include "wake_up.h"

#include <stdlib.h>

#define LIMIT        16
#define UNIT_MS      5000
#define AGAIN_MS     1000 /* doubling */
#define AGAIN_MAX_MS 300000
#define TRIES_MAX    12 /* it is parked after twenty minutes or so */

struct step {
    struct rota *rota;
    struct rota_job job;
    struct rota_step of;
    char escalation[UUID_TEXT_SIZE], tenant[UUID_TEXT_SIZE];
    bool is_read;
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

/* ---- a step that fails ---- */

/* -1: not again. */
static int64_t again_ms(int64_t tries)
{
    if (tries >= TRIES_MAX)
        return -1;
    int64_t ms = (int64_t)AGAIN_MS << (tries - 1);
    return ms < AGAIN_MAX_MS ? ms : AGAIN_MAX_MS;
}

/* A row that still names us is taken again by the next look. */
static void put_off(void *arg, const struct pg_answer *answer)
{
    struct step *step = arg;
    if (answer->err != NULL)
        log_warn("escalation.not_put_off", LOG_TEXT("escalation", step->escalation),
                 LOG_ERR(answer->err));
    else if (step->job.tries >= TRIES_MAX) {
        metric_add(counters.rotas_parked, 1);
        log_error("escalation.parked", LOG_TEXT("escalation", step->escalation),
                  LOG_TEXT("tenant", step->tenant), LOG_INT("tries", step->job.tries));
    }
    over(step->rota);
}

/* The error is for people. The unit may have failed for the database's sake: then this one does
 * too. */
static void fail(struct step *step, const char *why)
{
    struct rota *self = step->rota;
    size_t length = text_utf8_prefix(why, JOB_ERROR_MAX);
    const struct rota_failed failed = {.worker = self->worker,
                                       .job = step->job,
                                       .error = arena_strndup(self->arena, why, length),
                                       .again_ms = again_ms(step->job.tries)};
    struct pg_unit unit = {.deadline_ms = UNIT_MS, .done = put_off, .arg = step};
    rota_add_failed(&unit, self->arena, &failed);
    pg_submit(self->engine->pg, &unit);
}

static void fail_by(struct step *step, const struct err *err)
{
    log_warn("escalation.not_stepped", LOG_TEXT("escalation", step->escalation), LOG_ERR(err));
    fail(step, err->message);
}

/* ---- a step that tells nobody ---- */

/* The rota is over with it, and nobody has accepted. */
static void note_nobody(struct step *step, const struct rota_rested *rested)
{
    const bool told = !uuid_is_nil(&rested->session);
    metric_add(counters.rotas_unaccepted, 1);
    log_warn("escalation.nobody_accepted", LOG_TEXT("escalation", step->escalation),
             LOG_TEXT("tenant", step->tenant), LOG_INT("step", step->of.steps),
             LOG_BOOL("customer_told", told));
    if (told)
        wake_up_send(step->rota->engine, &(struct wake_up){.tenant = step->tenant,
                                                           .session = rested->session,
                                                           .delivery = step->of.escalation,
                                                           .by_mail = rested->by_mail});
}

static void rested(void *arg, const struct pg_answer *answer)
{
    struct step *step = arg;
    struct rota_rested rest;
    if (answer->err != NULL && !step->rota->engine->retiring) {
        fail_by(step, answer->err);
        return;
    }
    if (answer->err == NULL) {
        rota_read_rested(answer, &rest);
        if (rest.nobody)
            note_nobody(step, &rest);
    }
    over(step->rota);
}

static void rest(struct step *step, const struct rota_rest *rest)
{
    struct rota *self = step->rota;
    struct pg_unit unit = {.deadline_ms = UNIT_MS, .done = rested, .arg = step};
    rota_add_rest(&unit, self->arena, rest);
    pg_submit(self->engine->pg, &unit);
}

/* ---- a step that tells somebody ---- */

static void told(void *arg, const struct pg_answer *answer)
{
    struct step *step = arg;
    struct rota *self = step->rota;
    const struct rota_notice *notice = &step->notice;
    if (answer->err != NULL && !self->engine->retiring) {
        fail_by(step, answer->err);
        return;
    }
    if (self->engine->retiring) {
        over(self);
        return;
    }
    if (!rota_read_done(answer)) {
        fail(step, "it went on meanwhile, or the number had this code before");
        return;
    }
    STOP_POINT("engine.notified", step->escalation);
    metric_add(counters.notices, 1);
    log_info("escalation.told", LOG_TEXT("escalation", step->escalation),
             LOG_INT("round", notice->round), LOG_INT("step", notice->steps_now));
    wake_up_send(self->engine, &(struct wake_up){.tenant = step->tenant,
                                                 .session = notice->notice,
                                                 .delivery = notice->delivery,
                                                 .by_mail = notice->by_mail,
                                                 .by_call = notice->by_call});
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
    const char *kind = out->by_mail ? "mail" : "phone", *address = out->address;
    out->notice = uuid_new();
    out->message = uuid_new();
    out->delivery = uuid_new();
    out->contact = ident(engine, (const char *[]){"contact", tenant, kind, address}, 4);
    out->address_hash = ident(engine, (const char *[]){"address", tenant, kind, address}, 4);
    out->conversation = ident(engine, (const char *[]){"rota", tenant, kind, address}, 4);
}

static void tell(struct step *step, const struct rota_due *due, const struct rota_plan *plan)
{
    struct rota *self = step->rota;
    struct arena *arena = self->arena;
    char code[ROTA_CODE_SIZE];
    rota_plan_code(code);
    step->notice = (struct rota_notice){
        .of = step->of,
        .channel = plan->by_mail   ? due->mail_channel
                   : plan->by_call ? due->call_channel
                                   : due->channel,
        .name = plan->name,
        .address = plan->address,
        .by_mail = plan->by_mail,
        .by_call = plan->by_call,
        .ring_s = plan->ring_s,
        .subject = rota_plan_subject(arena, due, code),
        .code = arena_strdup(arena, code),
        .body =
            plan->by_call ? rota_plan_spoken(arena, due) : rota_plan_text(arena, due, plan, code),
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

static void take_step(struct step *step, const struct rota_due *due)
{
    struct rota *self = step->rota;
    struct rota_plan plan = {.pause = ROTA_NOBODY};
    step->of = (struct rota_step){.worker = self->worker,
                                  .tenant = due->tenant,
                                  .job = due->job,
                                  .escalation = due->escalation,
                                  .steps = due->steps};
    if (due->runs && uuid_is_nil(&due->channel) && uuid_is_nil(&due->mail_channel) &&
        uuid_is_nil(&due->call_channel)) {
        fail(step, "the tenant has neither a number nor a mailbox to tell anybody from");
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
                                   .time = plan.time,
                                   .tell = rota_plan_nobody(self->arena, due)});
}

/* ---- the look ---- */

/* Steps that were read together; what cannot be read together is read one by one. */
struct reading {
    struct rota *rota;
    struct step *steps;
    size_t count;
};

static void known(void *arg, const struct pg_answer *answer);

static void read_steps(struct rota *self, struct step *steps, size_t count)
{
    struct reading *reading = arena_alloc(self->arena, sizeof *reading);
    struct rota_job *jobs = arena_alloc(self->arena, count * sizeof *jobs);
    *reading = (struct reading){.rota = self, .steps = steps, .count = count};
    for (size_t i = 0; i < count; i++)
        jobs[i] = steps[i].job;
    self->steps++;
    struct pg_unit unit = {.deadline_ms = UNIT_MS, .done = known, .arg = reading};
    rota_add_read(&unit, self->arena, jobs, count);
    pg_submit(self->engine->pg, &unit);
}

/* One of them it is: nothing else was asked for. */
static struct step *step_of(const struct reading *reading, const struct rota_due *due)
{
    size_t i = 0;
    while (i + 1 < reading->count && !uuid_equal(&reading->steps[i].job.id, &due->job))
        i++;
    return &reading->steps[i];
}

static void unreadable(struct reading *reading, const struct err *err)
{
    log_warn("rota.not_read", LOG_INT("timers", (int64_t)reading->count), LOG_ERR(err));
    if (reading->count > 1)
        for (size_t i = 0; i < reading->count; i++)
            read_steps(reading->rota, &reading->steps[i], 1);
    else {
        reading->rota->steps++;
        fail(reading->steps, err->message);
    }
}

static void readable(struct reading *reading, const struct pg_answer *answer)
{
    struct rota_due due;
    for (int row = 0; rota_read_due(answer, row, &due); row++) {
        struct step *step = step_of(reading, &due);
        step->is_read = true;
        reading->rota->steps++;
        take_step(step, &due);
    }
    for (size_t i = 0; i < reading->count; i++)
        if (!reading->steps[i].is_read) {
            reading->rota->steps++;
            fail(&reading->steps[i], "there is no such escalation");
        }
}

static void known(void *arg, const struct pg_answer *answer)
{
    struct reading *reading = arg;
    struct rota *self = reading->rota;
    if (!self->engine->retiring && answer->err != NULL)
        unreadable(reading, answer->err);
    else if (!self->engine->retiring)
        readable(reading, answer);
    over(self);
}

static void claimed(void *arg, const struct pg_answer *answer)
{
    struct rota *self = arg;
    struct step *steps = arena_alloc(self->arena, LIMIT * sizeof *steps);
    struct rota_job job;
    size_t count = 0;
    if (answer->err != NULL)
        log_warn("rota.not_claimed", LOG_ERR(answer->err));
    while (answer->err == NULL && count < LIMIT && rota_read_claimed(answer, (int)count, &job)) {
        struct step *step = &steps[count++];
        *step = (struct step){.rota = self, .job = job};
        uuid_format(&job.escalation, step->escalation);
        uuid_format(&job.tenant, step->tenant);
    }
    if (count > 0 && !self->engine->draining) /* a drain gives them back */
        read_steps(self, steps, count);
    over(self);
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
    rota_add_claim(&unit, self->arena, self->worker, LIMIT);
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
