/* One unit at a time, so that calls that the database will not take hold up no others. They are in
 * memory only: a process that dies loses them, as it does those that its running turns have made
 * since their last round. session.c calls it. */
#include "leftovers.h"

#include "base/mem.h"
#include "counters.h"
#include "engine.h"
#include "service/log.h"
#include "session.h"
#include "store/calls.h"

#include <stdlib.h>
#include <sys/queue.h>

#define UNIT_MS 10000

struct leftover {
    TAILQ_ENTRY(leftover) link;
    struct arena *arena;
    struct calls_of_turn of;
    bool counts; /* in usage */
};

struct leftovers {
    struct engine *engine;
    struct arena *unit; /* of the unit on its way */
    TAILQ_HEAD(, leftover) waiting;
    size_t most;     /* of turns that wait while the database is away: those that count, */
    size_t count[2]; /* and as many that do not */
    bool in_flight;  /* the first one */
};

struct leftovers *leftovers_new(struct engine *engine)
{
    struct leftovers *all = xcalloc(1, sizeof *all);
    all->engine = engine;
    all->unit = arena_new();
    all->most = (size_t)engine->shared->settings.max_in_flight * 2; /* sessions in memory */
    TAILQ_INIT(&all->waiting);
    return all;
}

static void lose(const struct calls_of_turn *calls, const struct err *err)
{
    char turn[UUID_TEXT_SIZE];
    metric_add(counters.calls_lost, (int64_t)calls->count);
    log_error("calls.not_stored", LOG_TEXT("tenant", calls->tenant),
              LOG_TEXT("turn", uuid_format(&calls->turn, turn)),
              LOG_INT("calls", (int64_t)calls->count), LOG_ERR(err));
}

static void remove_first(struct leftovers *all)
{
    struct leftover *first = TAILQ_FIRST(&all->waiting);
    TAILQ_REMOVE(&all->waiting, first, link);
    all->count[first->counts]--;
    arena_free(&first->arena);
    free(first);
}

void leftovers_free(struct leftovers **leftovers)
{
    struct leftovers *all = *leftovers;
    if (all == NULL)
        return;
    struct err err;
    err_set(&err, ERR_RETRY_LATER, "calls.closing", "the process ends, the database was away");
    while (!TAILQ_EMPTY(&all->waiting)) {
        lose(&TAILQ_FIRST(&all->waiting)->of, &err);
        remove_first(all);
    }
    arena_free(&all->unit);
    free(all);
    *leftovers = NULL;
}

static void send_first(struct leftovers *all);

static void stored(void *arg, const struct pg_answer *answer)
{
    struct leftovers *all = arg;
    all->in_flight = false;
    if (answer->err != NULL && !err_is_retryable(answer->err))
        lose(&TAILQ_FIRST(&all->waiting)->of, answer->err);
    if (answer->err == NULL || !err_is_retryable(answer->err)) {
        remove_first(all);
        send_first(all);
    }
    engine_drain_step(all->engine);
}

static void send_first(struct leftovers *all)
{
    const struct leftover *first = TAILQ_FIRST(&all->waiting);
    if (all->in_flight || first == NULL || all->engine->retiring)
        return;
    struct pg_unit unit = {.deadline_ms = UNIT_MS, .done = stored, .arg = all};
    arena_reset(all->unit);
    calls_add_left(&unit, all->unit, &first->of, 1);
    all->in_flight = true;
    pg_submit(all->engine->pg, &unit);
}

/* Whether there is something to count: of a call that was stopped only its row is lost. */
static bool do_count(const struct session *session)
{
    const struct usage_amounts used = calls_used(session);
    return used.tokens > 0 || used.cost > 0;
}

void leftovers_take(struct leftovers *leftovers, struct session *session)
{
    if (session->call_count == 0)
        return;
    const struct calls_of_turn calls = {.tenant = session->tenant,
                                        .turn = session->calls_turn,
                                        .calls = session->calls,
                                        .count = session->call_count};
    const bool counts = do_count(session);
    if (leftovers->count[counts] >= leftovers->most) {
        struct err err;
        err_set(&err, ERR_RETRY_LATER, "calls.full", "too many wait for the database");
        lose(&calls, &err);
        calls_forget(session);
        return;
    }
    struct leftover *left = xmalloc(sizeof *left);
    *left = (struct leftover){.arena = session->calls_arena, .of = calls, .counts = counts};
    left->of.tenant = arena_strdup(left->arena, session->tenant);
    session->calls_arena = NULL;
    calls_forget(session);
    TAILQ_INSERT_TAIL(&leftovers->waiting, left, link);
    leftovers->count[counts]++;
    send_first(leftovers);
}

void leftovers_tick(struct leftovers *leftovers)
{
    send_first(leftovers);
}

bool leftovers_idle(const struct leftovers *leftovers)
{
    return !leftovers->in_flight;
}
