/* The engine's adoption poll and the renewal's list. */
#include "adopt.h"

#include "base/mem.h"
#include "counters.h"
#include "service/log.h"
#include "session.h"
#include "store/adoption.h"

#include <stdlib.h>

#define ADOPT_LIMIT 1000
#define ADOPT_MS    5000

struct adopt {
    struct engine *engine;
    struct timer *timer;
    struct arena *arena;
    bool in_flight;
};

static void adopted(void *arg, const struct pg_answer *answer)
{
    struct adopt *self = arg;
    struct adopted row;
    self->in_flight = false;
    if (answer->err != NULL)
        log_warn("adopt.failed", LOG_ERR(answer->err));
    if (answer->err != NULL || self->engine->draining) {
        engine_drain_step(self->engine); /* which gives back what was adopted */
        return;
    }
    static const enum share_kind kinds[] = {
        [ADOPTED_CALL] = SHARE_CALL, [ADOPTED_TEXT] = SHARE_TEXT, [ADOPTED_MAIL] = SHARE_MAIL};
    int count = 0;
    for (; adoption_read(answer, count, &row); count++) {
        if (!sessions_have_room(self->engine->sessions, row.tenant, &row.session, kinds[row.kind]))
            continue; /* later */
        sessions_claimed(self->engine->sessions, row.tenant, &row.session, &row.conversation,
                         row.claimed, 0);
        sessions_mark(self->engine->sessions, &row.session, kinds[row.kind]);
    }
    if (count > 0) {
        metric_add(counters.adopted, count);
        log_info("sessions.adopted", LOG_INT("count", count));
    }
}

static void look(void *arg)
{
    struct adopt *self = arg;
    struct engine *engine = self->engine;
    if (self->in_flight || engine->draining || !worker_may_adopt(engine->worker) ||
        !pg_is_up(engine->pg))
        return;
    int64_t room =
        engine->shared->settings.max_in_flight * 2 - (int64_t)sessions_count(engine->sessions);
    if (room <= 0)
        return;
    arena_reset(self->arena);
    struct pg_unit unit = {.deadline_ms = ADOPT_MS, .done = adopted, .arg = self};
    adoption_add(&unit, self->arena,
                 &(struct adoption){.worker = arena_strdup(self->arena, worker_id(engine->worker)),
                                    .lease_ms = engine->shared->settings.worker_lease_ms,
                                    .held = sessions_ids(engine->sessions, self->arena),
                                    .full = shares_full(engine->sessions->shares, self->arena),
                                    .limit = room < ADOPT_LIMIT ? (int)room : ADOPT_LIMIT});
    self->in_flight = true;
    pg_submit(engine->pg, &unit);
}

struct adopt *adopt_new(struct engine *engine)
{
    struct adopt *self = xcalloc(1, sizeof *self);
    self->engine = engine;
    self->arena = arena_new();
    self->timer = timer_new(engine->loop, look, self);
    int64_t every = engine->shared->settings.adopt_every_ms;
    timer_start(self->timer, every, every);
    return self;
}

void adopt_free(struct adopt **adopt)
{
    if (*adopt == NULL)
        return;
    timer_free(&(*adopt)->timer);
    arena_free(&(*adopt)->arena);
    free(*adopt);
    *adopt = NULL;
}

bool adopt_in_flight(const struct adopt *adopt)
{
    return adopt->in_flight;
}

void adopt_extend(void *arg, struct arena *arena, struct pg_unit *unit)
{
    struct engine *engine = arg;
    struct session_arrays held;
    if (engine->sessions == NULL || sessions_count(engine->sessions) == 0)
        return;
    sessions_list(engine->sessions, arena, &held);
    turn_add_moved(unit, arena_strdup(arena, worker_id(engine->worker)),
                   &(struct turn_held){held.tenants, held.ids, held.fences, held.epochs});
}

void adopt_extended(void *arg, const struct pg_answer *answer, int first)
{
    struct engine *engine = arg;
    for (int row = 0; row < pg_rows(answer->results, first); row++) {
        struct uuid id = pg_uuid(answer->results, first, row, 0);
        sessions_not_ours(engine->sessions, &id, pg_int(answer->results, first, row, 1));
    }
}
