/* The jobs of tasks that a customer is to be called about. A look claims due ones, reads each, and
 * either makes the next call or lets the job rest; what is lost with its engine is another one's.
 * The engine does it as it does the rota's steps: it knows words and makes deliveries. */
#include "call_back.h"

#include "base/mem.h"
#include "base/stop.h"
#include "rota_words.h"
#include "service/log.h"
#include "store/call_back.h"
#include "wake_up.h"
#include "json/json.h"

#include <stdlib.h>
#include <string.h>

#define LIMIT    16
#define UNIT_MS  5000
#define AGAIN_MS 30000 /* after a step that the database refused */
#define LATER_MS 86400000

struct step {
    struct call_backs *owner;
    struct job job;
    struct call_back_call call;
    char task[UUID_TEXT_SIZE], tenant[UUID_TEXT_SIZE];
};

struct call_backs {
    struct engine *engine;
    struct timer *timer;
    struct arena *arena; /* of the look and its steps */
    const char *worker;  /* that claimed */
    int steps;           /* units on their way; 0: idle */
};

static void over(struct call_backs *self)
{
    if (--self->steps == 0)
        engine_drain_step(self->engine);
}

/* ---- a step that places nothing ---- */

static void rested(void *arg, const struct pg_answer *answer)
{
    struct step *step = arg;
    if (answer->err != NULL)
        log_warn("call_back.not_rested", LOG_TEXT("task", step->task), LOG_ERR(answer->err));
    over(step->owner);
}

/* `why` NULL: there is nothing more to do. */
static void rest(struct step *step, const char *why, int64_t next_in_ms)
{
    struct call_backs *self = step->owner;
    struct pg_unit unit = {.deadline_ms = UNIT_MS, .done = rested, .arg = step};
    const struct job_end end = {.worker = self->worker,
                                .error = why,
                                .done_ms = step->job.now_ms,
                                .next_in_ms = next_in_ms};
    job_add_end(&unit, self->arena, &step->job, &end);
    if (why != NULL)
        log_info("call_back.not_placed", LOG_TEXT("task", step->task), LOG_TEXT("reason", why));
    pg_submit(self->engine->pg, &unit);
}

/* ---- a step that places a call ---- */

static void called(void *arg, const struct pg_answer *answer)
{
    struct step *step = arg;
    struct call_backs *self = step->owner;
    if (self->engine->retiring) {
        over(self);
    } else if (answer->err != NULL) {
        log_warn("call_back.not_written", LOG_TEXT("task", step->task), LOG_ERR(answer->err));
        rest(step, answer->err->message, AGAIN_MS);
    } else if (!call_back_read_called(answer)) {
        rest(step, "somebody took the conversation meanwhile", -1);
    } else {
        log_info("call_back.ordered", LOG_TEXT("task", step->task));
        STOP_POINT("engine.called_back", step->task);
        wake_up_send(self->engine, &(struct wake_up){.tenant = step->tenant,
                                                     .session = step->call.session,
                                                     .delivery = step->call.delivery,
                                                     .by_call = true});
        over(self);
    }
}

static void place(struct step *step, const struct call_back *back, int ring_s, int64_t after_ms)
{
    struct call_backs *self = step->owner;
    struct arena *arena = self->arena;
    const struct rota_words *words = rota_words_of(back->language);
    step->call =
        (struct call_back_call){.worker = self->worker,
                                .job = step->job,
                                .session = uuid_new(),
                                .message = uuid_new(),
                                .delivery = uuid_new(),
                                .channel = back->channel,
                                .conversation = back->conversation,
                                .address = arena_strdup(arena, back->address),
                                .body = rota_words_fill(arena, words->hello, back->business),
                                .leave = rota_words_fill(arena, words->leave, back->business),
                                .ring_s = ring_s,
                                .after_ms = after_ms};
    struct pg_unit unit = {.deadline_ms = UNIT_MS, .done = called, .arg = step};
    call_back_add_call(&unit, arena, &step->call);
    pg_submit(self->engine->pg, &unit);
}

/* ---- what is next ---- */

static bool nobody_took(const struct call_back *back)
{
    return strcmp(back->state, "failed") == 0 &&
           (strcmp(back->word, "busy") == 0 || strcmp(back->word, "no-answer") == 0);
}

static bool is_over(const char *state)
{
    static const char *const ends[] = {"delivered", "failed", "suppressed", "parked", "bounced"};
    for (size_t i = 0; i < sizeof ends / sizeof ends[0]; i++)
        if (strcmp(ends[i], state) == 0)
            return true;
    return false;
}

static void decide(struct step *step, const struct call_back *back)
{
    struct json *section = NULL;
    int64_t tries = 1, ring_ms = 25000, again_min = 10;
    if (json_parse(back->calls_section, strlen(back->calls_section), &section, NULL) == 0) {
        json_member_int(section, "tries", 1, 5, &tries);
        json_member_int(section, "ring_ms", 5000, 60000, &ring_ms);
        json_member_int(section, "again_min", 1, 1440, &again_min);
    }
    json_free(&section);
    const bool again = nobody_took(back) && back->calls < tries;
    if (!back->wanted)
        rest(step, NULL, -1);
    else if (back->state[0] != '\0' && !is_over(back->state))
        rest(step, NULL, LATER_MS);
    else if (back->state[0] != '\0' && !again)
        rest(step, NULL, -1);
    else if (back->address[0] == '\0')
        rest(step, "no telephone number of the customer is known", -1);
    else if (uuid_is_nil(&back->channel))
        rest(step, "there is no number to call from", -1);
    else if (back->held)
        rest(step, "a person has the conversation", -1);
    else
        place(step, back, (int)(ring_ms / 1000), again ? again_min * 60000 : 0);
}

static void known(void *arg, const struct pg_answer *answer)
{
    struct step *step = arg;
    struct call_back back;
    if (step->owner->engine->retiring)
        over(step->owner);
    else if (answer->err != NULL)
        rest(step, answer->err->message, AGAIN_MS);
    else if (!call_back_read(answer, &back))
        rest(step, "there is no such task", -1);
    else
        decide(step, &back);
}

/* ---- the look ---- */

static void claimed(void *arg, const struct pg_answer *answer)
{
    struct call_backs *self = arg;
    struct job job;
    if (answer->err != NULL)
        log_warn("call_back.not_claimed", LOG_ERR(answer->err));
    for (int row = 0;
         answer->err == NULL && !self->engine->draining && job_read_claimed(answer, 0, row, &job);
         row++) {
        struct step *step = arena_alloc(self->arena, sizeof *step);
        *step = (struct step){.owner = self, .job = job};
        uuid_format(&job.subject, step->task);
        uuid_format(&job.tenant, step->tenant);
        struct pg_unit unit = {.deadline_ms = UNIT_MS, .done = known, .arg = step};
        call_back_add_read(&unit, self->arena, &job);
        self->steps++;
        pg_submit(self->engine->pg, &unit);
    }
    over(self);
}

static void look(void *arg)
{
    struct call_backs *self = arg;
    struct engine *engine = self->engine;
    if (self->steps > 0 || engine->draining || !worker_may_adopt(engine->worker) ||
        !pg_is_up(engine->pg))
        return;
    arena_reset(self->arena);
    self->worker = arena_strdup(self->arena, worker_id(engine->worker));
    self->steps = 1;
    struct pg_unit unit = {.deadline_ms = UNIT_MS, .done = claimed, .arg = self};
    job_add_claim(&unit, self->arena, JOB_CALL_BACK, self->worker, "{}", LIMIT);
    pg_submit(engine->pg, &unit);
}

struct call_backs *call_backs_new(struct engine *engine)
{
    struct call_backs *self = xcalloc(1, sizeof *self);
    self->engine = engine;
    self->arena = arena_new();
    self->timer = timer_new(engine->loop, look, self);
    int64_t every_ms = engine->shared->settings.adopt_every_ms;
    timer_start(self->timer, every_ms, every_ms);
    return self;
}

void call_backs_free(struct call_backs **call_backs)
{
    if (*call_backs == NULL)
        return;
    timer_free(&(*call_backs)->timer);
    arena_free(&(*call_backs)->arena);
    free(*call_backs);
    *call_backs = NULL;
}

bool call_backs_idle(const struct call_backs *call_backs)
{
    return call_backs->steps == 0;
}
