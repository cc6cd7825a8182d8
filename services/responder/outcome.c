/* Writes outcomes: whatever waits is one unit, sent when the previous one has returned, so a lone
 * outcome never waits. A unit that fails is sent again: its changes name their attempt and move the
 * state only forward, so doing it twice is doing it once. What the settled deliveries made first in
 * line is claimed at once. */
#include "outcome.h"

#include <stdlib.h>
#include <string.h>

#include "base/mem.h"
#include "base/stop.h"
#include "claim.h"
#include "counters.h"
#include "service/log.h"

#define BATCH_MAX    256
#define UNIT_MS      10000
#define SINGLE_TRIES 5

struct outcomes {
    struct responder *responder;
    struct flight *first, **behind; /* not yet in the unit */
    struct flight *batch[BATCH_MAX];
    size_t count; /* of the unit in flight, or waiting to be sent again */
    struct arena *arena;
    struct timer *retry;
    bool in_flight;
    int failures;
};

static void go_on(void *arg);

struct outcomes *outcomes_new(struct responder *responder)
{
    struct outcomes *self = xcalloc(1, sizeof *self);
    self->responder = responder;
    self->behind = &self->first;
    self->arena = arena_new();
    self->retry = timer_new(responder->loop, go_on, self);
    return self;
}

void outcomes_free(struct outcomes **outcomes)
{
    if (*outcomes == NULL)
        return;
    timer_free(&(*outcomes)->retry);
    arena_free(&(*outcomes)->arena);
    free(*outcomes);
    *outcomes = NULL;
}

static void put_behind(struct outcomes *self, struct flight *flight)
{
    flight->next = NULL;
    *self->behind = flight;
    self->behind = &flight->next;
}

/* A batch that one change spoils, or that somebody's lock on one delivery held up, goes back and is
 * tried singly, and nothing else with it: under load the line is never empty. One that is locked
 * still lets the others pass; one that the database never takes is let go: its row is then found as
 * not in memory, and looked up. */
static void failed(struct outcomes *self, const struct err *err)
{
    metric_add(counters.settle_failures, 1);
    log_warn("settle.failed", LOG_INT("deliveries", (int64_t)self->count), LOG_ERR(err));
    self->failures++;
    bool locked = strcmp(err->code, PG_LOCKED) == 0;
    if (locked || (!err_is_retryable(err) && self->count > 1)) {
        for (size_t i = 0; i < self->count; i++)
            self->batch[i]->alone = true;
        for (size_t i = self->count > 1; i < self->count; i++)
            put_behind(self, self->batch[i]);
        self->count = self->count > 1;
    } else if (!err_is_retryable(err) && self->failures >= SINGLE_TRIES) {
        log_error("settle.given_up", LOG_TEXT("delivery", self->batch[0]->id), LOG_ERR(err));
        flights_remove(self->batch[0]);
        self->count = 0;
    }
    timer_start(self->retry, responder_again_ms(err, self->failures), 0);
}

static void settled(struct outcomes *self, const struct pg_answer *answer)
{
    struct delivery_changed changed;
    struct delivery_ref next;
    bool is_mail;
    for (int row = 0; delivery_read_changed(answer, row, &changed); row++)
        if (changed.index < self->count && changed.kind != DELIVERY_CHANGED)
            log_info("outcome.no_effect", LOG_TEXT("delivery", self->batch[changed.index]->id),
                     LOG_INT("kind", changed.kind));
    for (size_t i = 0; i < self->count; i++) {
        struct delivery_ref ref = self->batch[i]->ref;
        bool due_now = self->batch[i]->change.next_in_ms == 0;
        is_mail = self->batch[i]->route.is_mail;
        STOP_POINT("responder.settled", self->batch[i]->id);
        flights_remove(self->batch[i]);
        if (due_now)
            claims_add(claims_for(self->responder, is_mail), &ref, NULL);
    }
    self->count = 0;
    self->failures = 0;
    for (int row = 0; delivery_read_next(answer, row, &next, &is_mail); row++)
        claims_add(claims_for(self->responder, is_mail), &next, NULL);
}

static void done(void *arg, const struct pg_answer *answer)
{
    struct outcomes *self = arg;
    self->in_flight = false;
    if (answer->err != NULL) {
        failed(self, answer->err);
        return;
    }
    settled(self, answer);
    go_on(self);
    responder_step(self->responder);
}

static void fill_batch(struct outcomes *self)
{
    bool closed = false;
    while (self->first != NULL && self->count < BATCH_MAX && !closed) {
        struct flight *flight = self->first;
        if (flight->alone && self->count > 0)
            break;
        closed = flight->alone;
        self->first = flight->next;
        flight->next = NULL;
        self->batch[self->count++] = flight;
    }
    if (self->first == NULL)
        self->behind = &self->first;
}

static void go_on(void *arg)
{
    struct outcomes *self = arg;
    struct delivery_change changes[BATCH_MAX];
    if (self->in_flight || timer_is_active(self->retry))
        return;
    if (self->count == 0)
        fill_batch(self);
    if (self->count == 0)
        return;
    for (size_t i = 0; i < self->count; i++)
        changes[i] = self->batch[i]->change;
    arena_reset(self->arena);
    struct pg_unit unit = {.deadline_ms = UNIT_MS, .done = done, .arg = self};
    delivery_add_change(&unit, self->arena, changes, self->count);
    self->in_flight = true;
    pg_submit(self->responder->pg, &unit);
}

void outcomes_add(struct flight *flight)
{
    struct outcomes *self = flight->responder->outcomes;
    flight->change.ref = flight->ref;
    flight->change.attempt = flight->attempt;
    flight->change.of_call = flight->route.is_call;
    put_behind(self, flight);
    go_on(self);
}

bool outcomes_idle(const struct outcomes *outcomes)
{
    return outcomes->count == 0 && outcomes->first == NULL;
}

void outcomes_wake(struct outcomes *outcomes)
{
    timer_stop(outcomes->retry);
    go_on(outcomes);
}
