/* Map on uthash; the only file that includes it. The seed makes collisions unpredictable for
 * whoever chooses keys (phone numbers, SIDs). */
#include "base/map.h"

#include "base/mem.h"

#include <stdint.h>
#include <stdlib.h>
#include <string.h>
#include <sys/random.h>

static uint64_t seed;

/* FNV-1a over a random start with a final mix: not cryptographic, but not predictable offline. */
static unsigned hash_bytes(const void *key, size_t length)
{
    const unsigned char *s = key;
    uint64_t h = seed ^ 0xcbf29ce484222325u;
    for (size_t i = 0; i < length; i++)
        h = (h ^ s[i]) * 0x100000001b3u;
    h ^= h >> 32;
    h *= 0x9e3779b97f4a7c15u ^ seed;
    return (unsigned)(h >> 32);
}

#define HASH_FUNCTION(keyptr, keylen, hashv) ((hashv) = hash_bytes((keyptr), (keylen)))
#define uthash_fatal(msg)                    abort()
#include <uthash.h>

struct entry {
    UT_hash_handle hh;
    void *value;
    size_t key_length;
    unsigned char key[];
};

struct map {
    struct entry *entries;
};

__attribute__((constructor)) static void make_seed(void)
{
    if (getrandom(&seed, sizeof seed, 0) != sizeof seed)
        abort();
    seed |= 1;
}

struct map *map_new(void)
{
    return xcalloc(1, sizeof(struct map));
}

void map_free(struct map **map)
{
    if (*map == NULL)
        return;
    struct entry *entry, *next;
    HASH_ITER(hh, (*map)->entries, entry, next)
    {
        HASH_DEL((*map)->entries, entry);
        free(entry);
    }
    free(*map);
    *map = NULL;
}

static struct entry *find(const struct map *map, const void *key, size_t key_length)
{
    struct entry *entry;
    HASH_FIND(hh, map->entries, key, key_length, entry);
    return entry;
}

void *map_get(const struct map *map, const void *key, size_t key_length)
{
    struct entry *entry = find(map, key, key_length);
    return entry != NULL ? entry->value : NULL;
}

void *map_put(struct map *map, const void *key, size_t key_length, void *value)
{
    struct entry *entry = find(map, key, key_length);
    if (entry != NULL) {
        void *former = entry->value;
        entry->value = value;
        return former;
    }
    entry = xcalloc(1, sizeof *entry + key_length);
    entry->value = value;
    entry->key_length = key_length;
    memcpy(entry->key, key, key_length);
    HASH_ADD_KEYPTR(hh, map->entries, entry->key, key_length, entry);
    return NULL;
}

void *map_remove(struct map *map, const void *key, size_t key_length)
{
    struct entry *entry = find(map, key, key_length);
    if (entry == NULL)
        return NULL;
    void *value = entry->value;
    HASH_DEL(map->entries, entry);
    free(entry);
    return value;
}

size_t map_count(const struct map *map)
{
    return HASH_COUNT(map->entries);
}

void map_each(struct map *map,
              bool (*visit)(void *arg, const void *key, size_t key_length, void *value), void *arg)
{
    struct entry *entry, *next;
    HASH_ITER(hh, map->entries, entry, next)
    {
        if (!visit(arg, entry->key, entry->key_length, entry->value))
            return;
    }
}

void *map_get_text(const struct map *map, const char *key)
{
    return map_get(map, key, strlen(key));
}

void *map_put_text(struct map *map, const char *key, void *value)
{
    return map_put(map, key, strlen(key), value);
}

void *map_remove_text(struct map *map, const char *key)
{
    return map_remove(map, key, strlen(key));
}
