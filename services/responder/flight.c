/* The deliveries in hand by id. claim.c and look_up.c add, outcome.c removes; the poll lists them,
 * so that the database knows what this worker does not have in memory. */
#include "flight.h"

#include <stdlib.h>

#include "base/map.h"
#include "base/mem.h"
#include "counters.h"
#include "mail/oauth.h"
#include "mail/smtp.h"

struct flights {
    struct responder *responder;
    struct map *by_id;
    size_t mails; /* of them */
};

struct flights *flights_new(struct responder *responder)
{
    struct flights *flights = xcalloc(1, sizeof *flights);
    flights->responder = responder;
    flights->by_id = map_new();
    return flights;
}

static void destroy(struct flight *flight)
{
    if (flight->transfer != NULL)
        http_cancel(flight->responder->http, flight->transfer);
    if (flight->mail_transfer != NULL)
        mail_smtp_cancel(flight->responder->mail, flight->mail_transfer);
    oauth_cancel(&flight->token_wait);
    arena_free(&flight->arena);
    free(flight);
}

static bool destroy_one(void *arg, const void *key, size_t key_length, void *value)
{
    (void)arg, (void)key, (void)key_length;
    destroy(value);
    return true;
}

void flights_free(struct flights **flights)
{
    if (*flights == NULL)
        return;
    map_each((*flights)->by_id, destroy_one, NULL);
    map_free(&(*flights)->by_id);
    free(*flights);
    *flights = NULL;
}

struct flight *flights_find(struct flights *flights, const struct uuid *id)
{
    return map_get(flights->by_id, id->bytes, sizeof id->bytes);
}

struct flight *flights_add(struct flights *flights, const struct delivery_ref *ref,
                           const struct delivery_route *route, const char *body)
{
    struct flight *flight = xcalloc(1, sizeof *flight);
    struct arena *arena = arena_new();
    flight->responder = flights->responder;
    flight->generation = flights->responder->generation;
    flight->arena = arena;
    flight->ref = *ref;
    uuid_format(&ref->id, flight->id);
    flight->body = arena_strdup(arena, body);
    flight->route = *route;
    flight->route.from = arena_strdup(arena, route->from);
    flight->route.to = arena_strdup(arena, route->to);
    flight->route.account_sid = arena_strdup(arena, route->account_sid);
    flight->route.service_sid = arena_strdup(arena, route->service_sid);
    flight->route.credentials_hex = NULL; /* the channel has them opened */
    map_put(flights->by_id, ref->id.bytes, sizeof ref->id.bytes, flight);
    flights->mails += route->is_mail;
    metric_add(counters.in_flight, 1);
    return flight;
}

void flights_remove(struct flight *flight)
{
    struct flights *flights = flight->responder->flights;
    map_remove(flights->by_id, flight->ref.id.bytes, sizeof flight->ref.id.bytes);
    flights->mails -= flight->route.is_mail;
    metric_add(counters.in_flight, -1);
    destroy(flight);
}

size_t flights_of(const struct flights *flights, bool mails)
{
    return mails ? flights->mails : map_count(flights->by_id) - flights->mails;
}

size_t flights_count(const struct flights *flights)
{
    return map_count(flights->by_id);
}

static bool list_one(void *arg, const void *key, size_t key_length, void *value)
{
    (void)key, (void)key_length;
    const struct flight *flight = value;
    pg_array_add_uuid(arg, &flight->ref.id);
    return true;
}

void flights_list(struct flights *flights, struct pg_array *ids)
{
    map_each(flights->by_id, list_one, ids);
}

struct walk {
    void (*each)(struct flight *flight);
};

static bool walk_one(void *arg, const void *key, size_t key_length, void *value)
{
    (void)key, (void)key_length;
    const struct walk *walk = arg;
    struct flight *flight = value;
    if (flight->mail_transfer != NULL || flight->token_wait != NULL)
        walk->each(flight);
    return true;
}

void flights_each_mail(struct flights *flights, void (*each)(struct flight *flight))
{
    struct walk walk = {each};
    map_each(flights->by_id, walk_one, &walk);
}
