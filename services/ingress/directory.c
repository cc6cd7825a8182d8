/* The directory of channels in memory. Lookups are many and changes rare: a read-write lock guards
 * the index for the length of a lookup, channels themselves never change and are counted, so that
 * no lock is held while a signature is computed. Fed by feed.c, asked by sms.c and status.c. */
#include "directory.h"

#include "base/map.h"
#include "base/mem.h"
#include "base/strbuf.h"
#include "base/text.h"
#include "contract/event.h"
#include "crypto/crypto.h"

#include <pthread.h>
#include <stdatomic.h>
#include <stdlib.h>
#include <string.h>

#define SEALED_BYTES_MAX 1024

struct tenant {
    char id[UUID_TEXT_SIZE];
    struct channel **channels; /* owned array, borrowed entries */
    size_t count;
};

struct directory {
    uint8_t public_key[CRYPTO_EDGE_KEY_BYTES];
    const struct secret *secret_key;
    struct arena *arena; /* of the record in hand */
    pthread_rwlock_t lock;
    struct map *channels; /* by key */
    struct map *tenants;  /* by id */
    atomic_bool marker;
    _Atomic int64_t version;
};

static const uint8_t *secret_bytes(const struct directory *directory)
{
    return (const uint8_t *)secret_reveal(directory->secret_key);
}

struct directory *directory_new(const struct secret *edge_secret)
{
    struct directory *directory = xcalloc(1, sizeof *directory);
    directory->secret_key = edge_secret;
    crypto_edge_public(secret_bytes(directory), directory->public_key);
    directory->arena = arena_new();
    pthread_rwlock_init(&directory->lock, NULL);
    directory->channels = map_new();
    directory->tenants = map_new();
    return directory;
}

/* ---- channels ---- */

static void channel_drop(struct channel *channel)
{
    if (atomic_fetch_sub(&channel->references, 1) > 1)
        return;
    for (size_t i = 0; i < channel->key_count; i++)
        secret_free(&channel->keys[i]);
    free(channel->key);
    free(channel->address);
    free(channel->account_sid);
    arena_free(&channel->arena);
    free(channel);
}

void channel_release(struct channel **channel)
{
    if (*channel == NULL)
        return;
    channel_drop(*channel);
    *channel = NULL;
}

static struct channel *hold(struct channel *channel)
{
    if (channel != NULL)
        atomic_fetch_add(&channel->references, 1);
    return channel;
}

static bool open_key(const struct directory *directory, const char *text, struct secret **key)
{
    struct strbuf sealed;
    struct err err;
    strbuf_init(&sealed, SEALED_BYTES_MAX);
    bool opened = text_decode_base64(text, strlen(text), &sealed) && !sealed.overflow &&
                  crypto_seal_open(directory->public_key, secret_bytes(directory), sealed.data,
                                   sealed.length, key, &err) == 0;
    strbuf_fini(&sealed);
    return opened;
}

static struct channel *channel_make(const struct directory *directory,
                                    const struct directory_channel *event, int *unopened)
{
    struct channel *channel = xcalloc(1, sizeof *channel);
    struct uuid tenant;
    atomic_init(&channel->references, 1);
    channel->version = event->version;
    if (uuid_parse(event->event.tenant, &tenant))
        uuid_format(&tenant, channel->tenant);
    channel->address = xstrdup(event->address);
    channel->account_sid = xstrdup(event->account_sid == NULL ? "" : event->account_sid);
    int closed = 0;
    for (size_t i = 0; i < event->sealed_key_count && i < DIRECTORY_KEYS_MAX; i++) {
        if (open_key(directory, event->sealed_keys[i], &channel->keys[channel->key_count]))
            channel->key_count++;
        else
            closed++;
    }
    if (unopened != NULL)
        *unopened = closed;
    return channel;
}

static bool is_known(const struct secret *const *keys, size_t count, const struct secret *key)
{
    for (size_t i = 0; i < count; i++)
        if (secret_length(keys[i]) == secret_length(key) &&
            memcmp(secret_reveal(keys[i]), secret_reveal(key), secret_length(key)) == 0)
            return true;
    return false;
}

size_t channel_keys(struct channel *const *channels, size_t count,
                    const struct secret *keys[DIRECTORY_ALL_KEYS_MAX])
{
    size_t key_count = 0;
    for (size_t i = 0; i < count; i++)
        for (size_t k = 0; k < channels[i]->key_count; k++)
            if (!is_known(keys, key_count, channels[i]->keys[k]))
                keys[key_count++] = channels[i]->keys[k];
    return key_count;
}

/* ---- the index; the write lock is held ---- */

static void tenant_add(struct directory *directory, struct channel *channel)
{
    struct tenant *tenant = map_get_text(directory->tenants, channel->tenant);
    if (tenant == NULL) {
        tenant = xcalloc(1, sizeof *tenant);
        memcpy(tenant->id, channel->tenant, sizeof tenant->id);
        map_put_text(directory->tenants, tenant->id, tenant);
    }
    tenant->channels = xreallocarray(tenant->channels, tenant->count + 1, sizeof(void *));
    tenant->channels[tenant->count++] = channel;
}

static void tenant_remove(struct directory *directory, struct channel *channel)
{
    struct tenant *tenant = map_get_text(directory->tenants, channel->tenant);
    if (tenant == NULL)
        return;
    for (size_t i = 0; i < tenant->count; i++) {
        if (tenant->channels[i] != channel)
            continue;
        tenant->channels[i] = tenant->channels[--tenant->count];
        break;
    }
    if (tenant->count > 0)
        return;
    map_remove_text(directory->tenants, tenant->id);
    free(tenant->channels);
    free(tenant);
}

static void unlink_channel(struct directory *directory, struct channel *channel)
{
    if (channel == NULL)
        return;
    tenant_remove(directory, channel);
    channel_drop(channel);
}

/* Puts the channel in place of its former version; gives it back if that was newer. */
static void replace(struct directory *directory, struct channel *channel)
{
    pthread_rwlock_wrlock(&directory->lock);
    struct channel *former = map_get_text(directory->channels, channel->key);
    bool newer = former == NULL || former->version <= channel->version;
    if (newer) {
        map_put_text(directory->channels, channel->key, channel);
        unlink_channel(directory, former);
        tenant_add(directory, channel);
    }
    pthread_rwlock_unlock(&directory->lock);
    if (!newer)
        channel_drop(channel);
}

/* ---- records ---- */

static int apply_removal(struct directory *directory, const struct bus_record *record)
{
    pthread_rwlock_wrlock(&directory->lock);
    unlink_channel(directory, map_remove(directory->channels, record->key, record->key_length));
    pthread_rwlock_unlock(&directory->lock);
    return 0;
}

static int apply_channel(struct directory *directory, const struct bus_record *record,
                         int *unopened, struct err *err)
{
    struct directory_channel event;
    struct arena *arena = arena_new();
    if (directory_channel_decode(arena, record, &event, err) != 0) {
        arena_free(&arena);
        return -1;
    }
    struct channel *channel = channel_make(directory, &event, unopened);
    channel->voice = event.voice;
    if (event.voice != NULL)
        channel->arena = arena;
    else
        arena_free(&arena);
    channel->key = xstrndup(record->key, record->key_length);
    if (channel->version > atomic_load(&directory->version))
        atomic_store(&directory->version, channel->version);
    replace(directory, channel);
    return 0;
}

static int apply_marker(struct directory *directory, const struct bus_record *record,
                        struct err *err)
{
    struct directory_complete event;
    if (directory_complete_decode(directory->arena, record, &event, err) != 0)
        return -1;
    atomic_store(&directory->marker, true);
    return 0;
}

int directory_apply(struct directory *directory, const struct bus_record *record, int *unopened,
                    struct err *err)
{
    if (unopened != NULL)
        *unopened = 0;
    arena_reset(directory->arena);
    if (record->value == NULL)
        return apply_removal(directory, record);
    const char *type = event_type(record, directory->arena);
    if (type != NULL && strcmp(type, EVENT_DIRECTORY_COMPLETE) == 0)
        return apply_marker(directory, record, err);
    return apply_channel(directory, record, unopened, err);
}

/* ---- questions ---- */

bool directory_has_marker(const struct directory *directory)
{
    return atomic_load(&directory->marker);
}

struct channel *directory_find(struct directory *directory, const char *kind, const char *address)
{
    struct strbuf key;
    strbuf_init(&key, 512);
    strbuf_printf(&key, "%s:%s", kind, address);
    pthread_rwlock_rdlock(&directory->lock);
    struct channel *found =
        key.overflow ? NULL : hold(map_get(directory->channels, key.data, key.length));
    pthread_rwlock_unlock(&directory->lock);
    strbuf_fini(&key);
    return found;
}

static size_t take_channels(const struct tenant *tenant, const char *account, bool of_account,
                            struct channel **found, size_t count)
{
    for (size_t i = 0; i < tenant->count && count < DIRECTORY_TENANT_LOOKUP_MAX; i++)
        if ((strcmp(tenant->channels[i]->account_sid, account) == 0) == of_account)
            found[count++] = hold(tenant->channels[i]);
    return count;
}

size_t directory_find_tenant(struct directory *directory, const char *tenant, const char *account,
                             struct channel *found[DIRECTORY_TENANT_LOOKUP_MAX])
{
    size_t count = 0;
    pthread_rwlock_rdlock(&directory->lock);
    const struct tenant *entry = map_get_text(directory->tenants, tenant);
    if (entry != NULL) {
        count = take_channels(entry, account, true, found, 0);
        count = take_channels(entry, account, false, found, count);
    }
    pthread_rwlock_unlock(&directory->lock);
    return count;
}

size_t directory_channels(struct directory *directory)
{
    pthread_rwlock_rdlock(&directory->lock);
    size_t count = map_count(directory->channels);
    pthread_rwlock_unlock(&directory->lock);
    return count;
}

int64_t directory_version(const struct directory *directory)
{
    return atomic_load(&directory->version);
}

/* ---- the end ---- */

static bool free_tenant(void *arg, const void *key, size_t key_length, void *value)
{
    (void)arg, (void)key, (void)key_length;
    struct tenant *tenant = value;
    free(tenant->channels);
    free(tenant);
    return true;
}

static bool free_channel(void *arg, const void *key, size_t key_length, void *value)
{
    (void)arg, (void)key, (void)key_length;
    channel_drop(value);
    return true;
}

void directory_free(struct directory **directory)
{
    struct directory *freed = *directory;
    if (freed == NULL)
        return;
    *directory = NULL;
    map_each(freed->tenants, free_tenant, NULL);
    map_each(freed->channels, free_channel, NULL);
    map_free(&freed->tenants);
    map_free(&freed->channels);
    arena_free(&freed->arena);
    pthread_rwlock_destroy(&freed->lock);
    free(freed);
}
