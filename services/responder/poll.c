/* The regular look into the database: marks lapsed responders dead, makes their sends unknown,
 * parks what waited too long, claims what is due and was not woken, and starts look-ups (also of
 * calls whose end nobody has told), gap audits, the fetching of recordings and of callers. It
 * begins only after one lease of renewals, so that after an outage all renew before any adopts. */
#include "poll.h"

#include <stdlib.h>

#include "base/mem.h"
#include "bring_back.h"
#include "call_ends.h"
#include "claim.h"
#include "counters.h"
#include "flight.h"
#include "gap_audit.h"
#include "look_up.h"
#include "mail_send.h"
#include "recordings.h"
#include "send.h"
#include "service/log.h"
#include "store/delivery_due.h"
#include "store/delivery_taken.h"

#define UNIT_MS      5000
#define LIMIT        500
#define LOOK_UPS_MAX 50

struct poll {
    struct responder *responder;
    struct timer *timer;
    struct arena *arena;
    int audits, recordings, bring_backs; /* the places of their claims in the unit; -1: none */
    int taken;                           /* the place of the mails that were taken over */
    int calls;                           /* the place of the calls of whose end no word has come */
    bool in_flight;
};

static void count(const struct pg_answer *answer, int64_t adopted)
{
    int64_t expired = delivery_poll_expired(answer), parked = delivery_poll_parked(answer);
    metric_add(counters.expired, expired);
    metric_add(counters.parked, parked);
    metric_add(counters.adopted, adopted);
    if (expired > 0 || parked > 0)
        log_warn("deliveries.overdue", LOG_INT("unknown", expired), LOG_INT("parked", parked));
}

/* A takeover waits for what may still begin to leave. */
static void tell_taken(const struct poll *self, const struct pg_answer *answer)
{
    struct delivery_taken taken;
    for (int row = 0; delivery_taken_read(answer, self->taken, row, &taken); row++) {
        struct flight *flight = flights_find(self->responder->flights, &taken.ref.id);
        if (flight != NULL && flight->attempt == taken.attempt)
            mail_send_taken(flight);
    }
}

static void done(void *arg, const struct pg_answer *answer)
{
    struct poll *self = arg;
    struct responder *responder = self->responder;
    self->in_flight = false;
    if (answer->err != NULL) {
        log_warn("poll.failed", LOG_ERR(answer->err));
        responder_step(responder);
        return;
    }
    struct delivery_ref ref;
    struct delivery_look_up look_up;
    int64_t adopted = 0;
    bool is_mail;
    for (int row = 0; delivery_read_due(answer, row, &ref, &is_mail); row++)
        adopted += claims_add(claims_for(responder, is_mail), &ref, NULL);
    count(answer, adopted);
    tell_taken(self, answer);
    /* while draining the rows are put back by the unit that retires the worker */
    for (int row = 0; !responder->draining && delivery_read_look_up(answer, row, &look_up); row++)
        look_up_start(responder, &look_up);
    struct delivery_call_open call;
    for (int row = 0;
         !responder->draining && delivery_call_read_open(answer, self->calls, row, &call); row++)
        call_ends_ask(responder, &call);
    if (!responder->draining && self->audits >= 0)
        gap_audits_claimed(responder->audits, answer, self->audits);
    if (!responder->draining && self->recordings >= 0)
        recordings_claimed(responder->recordings, answer, self->recordings);
    if (!responder->draining && self->bring_backs >= 0)
        bring_backs_claimed(responder->bring_backs, answer, self->bring_backs);
    responder_step(responder);
}

static const char *held(struct poll *self)
{
    struct pg_array ids;
    pg_array_init(&ids);
    claims_list(self->responder->claims, &ids);
    claims_list(self->responder->mail_claims, &ids);
    flights_list(self->responder->flights, &ids);
    const char *literal = pg_array_take(&ids, self->arena);
    pg_array_fini(&ids);
    return literal;
}

static void look(void *arg)
{
    struct poll *self = arg;
    struct responder *responder = self->responder;
    const struct responder_settings *settings = &responder->shared->settings;
    send_give_up_waiting(responder, false);
    if (self->in_flight || !responder_can_claim(responder) || !worker_may_adopt(responder->worker))
        return;
    arena_reset(self->arena);
    struct pg_unit unit = {.deadline_ms = UNIT_MS, .done = done, .arg = self};
    struct delivery_poll poll = {
        .worker = arena_strdup(self->arena, worker_id(responder->worker)),
        .held = held(self),
        .lease_ms = settings->worker_lease_ms,
        .park_after_ms = settings->park_after_ms,
        .mail_park_after_ms = settings->mail_park_after_ms,
        .grace_ms = settings->adopt_every_ms,
        .limit = claims_room(responder->claims, LIMIT),
        .mail_limit = claims_room(responder->mail_claims, LIMIT),
        .look_up_limit = claims_room(responder->claims, LOOK_UPS_MAX),
    };
    delivery_add_poll(&unit, self->arena, &poll);
    delivery_taken_add(&unit, poll.worker);
    self->taken = unit.count - 1;
    delivery_call_add_open(&unit, self->arena, settings->call_look_up_after_ms, poll.look_up_limit);
    self->calls = unit.count - 1;
    self->audits = bus_producer_ready(responder->producer)
                       ? gap_audits_add_claim(responder->audits, &unit, self->arena)
                       : -1;
    self->recordings = recordings_add_claim(responder->recordings, &unit, self->arena);
    self->bring_backs = bring_backs_add_claim(responder->bring_backs, &unit, self->arena);
    self->in_flight = true;
    pg_submit(responder->pg, &unit);
}

struct poll *poll_new(struct responder *responder)
{
    struct poll *self = xcalloc(1, sizeof *self);
    self->responder = responder;
    self->arena = arena_new();
    self->timer = timer_new(responder->loop, look, self);
    int64_t every_ms = responder->shared->settings.adopt_every_ms;
    timer_start(self->timer, every_ms, every_ms);
    return self;
}

void poll_free(struct poll **poll)
{
    if (*poll == NULL)
        return;
    timer_free(&(*poll)->timer);
    arena_free(&(*poll)->arena);
    free(*poll);
    *poll = NULL;
}
