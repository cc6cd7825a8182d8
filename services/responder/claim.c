/* The line of deliveries to claim. What waits is claimed as one unit when the previous has
 * returned, never more than there is room for in hand. A claimed delivery is sent at once. */
#include "claim.h"

#include <stdlib.h>
#include <string.h>

#include "base/clock.h"
#include "base/map.h"
#include "base/mem.h"
#include "base/stop.h"
#include "channel.h"
#include "counters.h"
#include "mail_send.h"
#include "send.h"
#include "service/log.h"
#include "store/delivery_mail.h"
#include "wake.h"

#define UNIT_MS 10000
#define WAKES   3

struct item {
    struct delivery_ref ref;
    struct wake *wake; /* whose record it is; NULL: nobody's */
};

struct claims {
    struct responder *responder;
    bool of_mails;
    struct item *items; /* the first `sent` are in the unit, in flight or to be sent again */
    size_t count, capacity, sent;
    struct map *known; /* ids in line */
    struct arena *arena;
    struct timer *retry;
    bool in_flight;
    size_t singly; /* so many of the first are tried one by one */
    int failures;
    int64_t submitted_ms, submitted_us;
    uint64_t generation; /* of the worker that the unit in flight names */
};

static void go_on(void *arg);

struct claims *claims_new(struct responder *responder, bool of_mails)
{
    struct claims *self = xcalloc(1, sizeof *self);
    self->responder = responder;
    self->of_mails = of_mails;
    self->known = map_new();
    self->arena = arena_new();
    self->retry = timer_new(responder->loop, go_on, self);
    return self;
}

void claims_free(struct claims **claims)
{
    if (*claims == NULL)
        return;
    timer_free(&(*claims)->retry);
    arena_free(&(*claims)->arena);
    map_free(&(*claims)->known);
    free((*claims)->items);
    free(*claims);
    *claims = NULL;
}

/* Takes the first `count` out of the line. */
static void forget(struct claims *self, size_t count, bool claimed)
{
    struct responder *responder = self->responder;
    struct wake *const wakes[] = {responder->wake, responder->mail_wake, responder->call_wake};
    size_t woken[WAKES] = {0};
    for (size_t i = 0; i < count; i++) {
        const struct uuid *id = &self->items[i].ref.id;
        map_remove(self->known, id->bytes, sizeof id->bytes);
        for (size_t k = 0; k < WAKES; k++)
            woken[k] += self->items[i].wake != NULL && self->items[i].wake == wakes[k];
    }
    self->count -= count;
    self->singly -= count < self->singly ? count : self->singly;
    if (self->count > 0)
        memmove(self->items, self->items + count, self->count * sizeof *self->items);
    self->sent = 0;
    void (*tell)(struct wake *, size_t) = claimed ? wake_claimed : wake_dropped;
    for (size_t k = 0; k < WAKES; k++)
        tell(wakes[k], woken[k]);
}

/* ---- the answer ---- */

static void take(struct claims *self, const struct delivery_claimed *claimed,
                 const struct delivery_mail *mail)
{
    struct responder *responder = self->responder;
    if (flights_find(responder->flights, &claimed->ref.id) != NULL)
        return;
    struct flight *flight =
        flights_add(responder->flights, &claimed->ref, &claimed->route, claimed->body);
    flight->attempt = claimed->attempt;
    flight->claimed_ms = self->submitted_ms;
    flight->generation = self->generation;
    flight->traceparent = arena_strdup(flight->arena, claimed->traceparent);
    flight->call.purpose = arena_strdup(flight->arena, claimed->call.purpose);
    flight->call.ring_s = claimed->call.ring_s;
    flight->call.leave = arena_strdup(flight->arena, claimed->call.leave);
    flight->mail = mail_send_copy(flight->arena, mail);
    flight->channel = channels_get(responder->channels, &claimed->ref.tenant, &claimed->route);
    metric_add(counters.claimed, 1);
    STOP_POINT("responder.claimed", flight->id);
    send_start(flight);
}

static void read_one(struct claims *self, const struct pg_answer *answer,
                     const struct delivery_claimed *claimed)
{
    char id[UUID_TEXT_SIZE];
    struct delivery_mail mail = {.url = ""};
    if (claimed->kind == DELIVERY_CLAIMED && claimed->route.is_mail)
        delivery_mail_find(answer, &claimed->ref.id, &mail);
    if (claimed->kind == DELIVERY_CLAIMED)
        take(self, claimed, claimed->route.is_mail ? &mail : NULL);
    if (claimed->kind != DELIVERY_REFUSED)
        return;
    metric_add(counters.refused, 1);
    log_info("delivery.refused", LOG_TEXT("delivery", uuid_format(&claimed->ref.id, id)),
             LOG_TEXT("reason", claimed->reason));
}

/* An id that is not in the table is a wake-up of something that no longer, or never, was. */
static void claimed(struct claims *self, const struct pg_answer *answer)
{
    struct delivery_claimed row;
    struct delivery_ref next;
    bool is_mail;
    int rows = 0;
    const size_t sent = self->sent;
    for (; delivery_read_claimed(answer, rows, &row); rows++)
        read_one(self, answer, &row);
    if ((size_t)rows < sent)
        metric_add(counters.no_row, (int64_t)sent - rows);
    self->failures = 0;
    forget(self, sent, true);
    for (int i = 0; delivery_read_next(answer, i, &next, &is_mail); i++)
        claims_add(claims_for(self->responder, is_mail), &next, NULL);
}

/* A batch that one id spoils, or that somebody's lock on one conversation held up, is tried singly,
 * and only what was in it: under load the line is never empty. An id that then fails again is
 * dropped: it was a hint, and its row is found when it is due. */
static void failed(struct claims *self, const struct err *err)
{
    metric_add(counters.claim_failures, 1);
    log_warn("claim.failed", LOG_INT("deliveries", (int64_t)self->sent), LOG_ERR(err));
    self->failures++;
    bool one_spoils = !err_is_retryable(err) || strcmp(err->code, PG_LOCKED) == 0;
    if (one_spoils && self->sent == 1)
        forget(self, 1, true);
    else if (one_spoils)
        self->singly = self->sent;
    self->sent = 0;
    timer_start(self->retry, responder_again_ms(err, self->failures), 0);
}

static void done(void *arg, const struct pg_answer *answer)
{
    struct claims *self = arg;
    self->in_flight = false;
    if (answer->err != NULL) {
        failed(self, answer->err);
    } else {
        metric_observe_us(counters.claim_seconds, clock_mono_us() - self->submitted_us);
        claimed(self, answer);
        go_on(self);
    }
    responder_step(self->responder);
}

/* ---- the unit ---- */

static int64_t room_in_hand(const struct claims *self)
{
    const struct responder_settings *settings = &self->responder->shared->settings;
    const int64_t most = self->of_mails ? settings->mail_in_flight : settings->max_in_flight;
    return most - (int64_t)flights_of(self->responder->flights, self->of_mails);
}

static size_t slice(struct claims *self)
{
    const int64_t room = room_in_hand(self);
    size_t most = (size_t)self->responder->shared->settings.claim_batch;
    if (self->singly > 0)
        most = 1;
    if (room < (int64_t)most)
        most = room > 0 ? (size_t)room : 0;
    return self->count < most ? self->count : most;
}

static void go_on(void *arg)
{
    struct claims *self = arg;
    struct responder *responder = self->responder;
    const struct responder_settings *settings = &responder->shared->settings;
    if (self->in_flight || timer_is_active(self->retry) || !responder_can_claim(responder))
        return;
    self->sent = slice(self);
    if (self->sent == 0)
        return;
    arena_reset(self->arena);
    struct delivery_ref *refs = arena_alloc(self->arena, self->sent * sizeof *refs);
    for (size_t i = 0; i < self->sent; i++)
        refs[i] = self->items[i].ref;
    struct pg_unit unit = {.deadline_ms = UNIT_MS, .done = done, .arg = self};
    const char *worker = arena_strdup(self->arena, worker_id(responder->worker));
    delivery_add_claim(&unit, self->arena, worker,
                       &(struct delivery_timing){
                           settings_lost_after_ms(settings), settings->park_after_ms,
                           settings_mail_lost_after_ms(settings), settings->mail_park_after_ms},
                       refs, self->sent);
    delivery_mail_add(&unit, self->arena, worker, refs,
                      mail_send_tokens(responder, self->arena, refs, self->sent), self->sent);
    self->in_flight = true;
    self->generation = responder->generation;
    self->submitted_ms = clock_lease_ms();
    self->submitted_us = clock_mono_us();
    pg_submit(responder->pg, &unit);
}

bool claims_add(struct claims *claims, const struct delivery_ref *ref, struct wake *wake)
{
    if (flights_find(claims->responder->flights, &ref->id) != NULL ||
        map_get(claims->known, ref->id.bytes, sizeof ref->id.bytes) != NULL)
        return false;
    if (claims->count == claims->capacity) {
        claims->capacity = claims->capacity > 0 ? 2 * claims->capacity : 64;
        claims->items = xreallocarray(claims->items, claims->capacity, sizeof *claims->items);
    }
    claims->items[claims->count++] = (struct item){*ref, wake};
    map_put(claims->known, ref->id.bytes, sizeof ref->id.bytes, claims);
    return true;
}

struct claims *claims_for(struct responder *responder, bool is_mail)
{
    return is_mail ? responder->mail_claims : responder->claims;
}

int claims_room(const struct claims *claims, int limit)
{
    const int64_t left = room_in_hand(claims) - (int64_t)claims->count;
    return left <= 0 ? 0 : left < limit ? (int)left : limit;
}

size_t claims_count(const struct claims *claims)
{
    return claims->count;
}

void claims_list(const struct claims *claims, struct pg_array *ids)
{
    for (size_t i = 0; i < claims->count; i++)
        pg_array_add_uuid(ids, &claims->items[i].ref.id);
}

bool claims_in_flight(const struct claims *claims)
{
    return claims->in_flight;
}

void claims_wake(struct claims *claims)
{
    go_on(claims);
}

void claims_drop(struct claims *claims)
{
    if (!claims->in_flight)
        forget(claims, claims->count, false);
}
