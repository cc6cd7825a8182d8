/* Channels by id. A claim brings the wrapped token with every delivery, so a changed one is noticed
 * with the next claim; opening it costs once per version. */
#include "channel.h"

#include <stdlib.h>
#include <string.h>

#include "base/map.h"
#include "base/mem.h"
#include "base/text.h"
#include "counters.h"
#include "crypto/crypto.h"
#include "service/log.h"
#include "store/credential.h"

#define WRAPPED_MAX 4096

struct channels {
    struct responder *responder;
    struct map *by_id;
};

struct channels *channels_new(struct responder *responder)
{
    struct channels *channels = xcalloc(1, sizeof *channels);
    channels->responder = responder;
    channels->by_id = map_new();
    return channels;
}

static bool destroy_one(void *arg, const void *key, size_t key_length, void *value)
{
    (void)arg, (void)key, (void)key_length;
    struct channel *channel = value;
    secret_free(&channel->token);
    free(channel);
    return true;
}

void channels_free(struct channels **channels)
{
    if (*channels == NULL)
        return;
    map_each((*channels)->by_id, destroy_one, NULL);
    map_free(&(*channels)->by_id);
    free(*channels);
    *channels = NULL;
}

static int open_token(struct channels *channels, const struct uuid *tenant,
                      const struct delivery_route *route, struct secret **token, struct err *err)
{
    const struct responder_shared *shared = channels->responder->shared;
    uint8_t wrapped[WRAPPED_MAX];
    size_t length = strlen(route->credentials_hex) / 2;
    if (length > sizeof wrapped || !text_parse_hex(route->credentials_hex, wrapped, length))
        return err_set(err, ERR_PERMANENT, "channel.credentials", "the column is malformed");
    const struct secret *keys[RESPONDER_KEYS_MAX];
    for (size_t i = 0; i < shared->credential_key_count; i++)
        keys[i] = shared->credential_keys[i];
    struct arena *arena = arena_new();
    int rc = crypto_unwrap(keys, shared->credential_key_count,
                           credential_channel_context(arena, tenant, &route->channel), wrapped,
                           length, token, err);
    arena_free(&arena);
    return rc;
}

struct channel *channels_get(struct channels *channels, const struct uuid *tenant,
                             const struct delivery_route *route)
{
    const struct uuid *id = &route->channel;
    struct channel *channel = map_get(channels->by_id, id->bytes, sizeof id->bytes);
    if (channel != NULL && channel->version == route->credentials_version)
        return channel;
    struct secret *token = NULL;
    struct err err;
    if (!route->is_mail && open_token(channels, tenant, route, &token, &err) != 0) {
        char text[UUID_TEXT_SIZE];
        metric_add(counters.credentials_bad, 1);
        log_error("channel.credentials_unreadable", LOG_TEXT("channel", uuid_format(id, text)),
                  LOG_ERR(&err));
        return NULL;
    }
    if (channel == NULL) {
        channel = xcalloc(1, sizeof *channel);
        channel->id = *id;
        channel->most = route->is_mail ? channels->responder->shared->settings.mail_per_account
                                       : channels->responder->shared->settings.max_per_channel;
        channel->behind = &channel->first;
        map_put(channels->by_id, id->bytes, sizeof id->bytes, channel);
    }
    secret_free(&channel->token);
    channel->token = token;
    channel->version = route->credentials_version;
    return channel;
}

bool channel_enter(struct channel *channel, struct flight *flight)
{
    if (channel->requests < channel->most) {
        channel->requests++;
        return true;
    }
    flight->next = NULL;
    *channel->behind = flight;
    channel->behind = &flight->next;
    return false;
}

struct flight *channel_leave(struct channel *channel)
{
    struct flight *flight = channel->first;
    channel->requests--;
    if (flight == NULL || channel->requests >= channel->most)
        return NULL;
    channel->first = flight->next;
    if (channel->first == NULL)
        channel->behind = &channel->first;
    flight->next = NULL;
    channel->requests++;
    return flight;
}

struct giving_up {
    int64_t before_ms;
    struct flight *first;
};

static bool give_up_one(void *arg, const void *key, size_t key_length, void *value)
{
    (void)key, (void)key_length;
    struct giving_up *giving_up = arg;
    struct channel *channel = value;
    while (channel->first != NULL && channel->first->claimed_ms < giving_up->before_ms) {
        struct flight *flight = channel->first;
        channel->first = flight->next;
        flight->next = giving_up->first;
        giving_up->first = flight;
    }
    if (channel->first == NULL)
        channel->behind = &channel->first;
    return true;
}

struct flight *channels_give_up(struct channels *channels, int64_t claimed_before_ms)
{
    struct giving_up giving_up = {.before_ms = claimed_before_ms};
    map_each(channels->by_id, give_up_one, &giving_up);
    return giving_up.first;
}
