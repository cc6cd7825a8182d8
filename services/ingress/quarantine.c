/* Windows of a minute per sender and per number. Called by webhook.c for each webhook that cannot
 * be verified or read. */
#include "quarantine.h"

#include "base/map.h"
#include "base/mem.h"
#include "base/strbuf.h"

#include <pthread.h>
#include <stdlib.h>

struct quarantine {
    int64_t per_source, per_number;
    pthread_mutex_t mutex; /* guards what follows */
    struct map *counts;    /* "s:sender" and "n:number" to an owned int64_t */
    int64_t since_ms;
};

struct quarantine *quarantine_new(int64_t per_source, int64_t per_number)
{
    struct quarantine *quarantine = xcalloc(1, sizeof *quarantine);
    quarantine->per_source = per_source;
    quarantine->per_number = per_number;
    quarantine->counts = map_new();
    pthread_mutex_init(&quarantine->mutex, NULL);
    return quarantine;
}

static bool free_count(void *arg, const void *key, size_t key_length, void *value)
{
    (void)arg, (void)key, (void)key_length;
    free(value);
    return true;
}

static void forget(struct quarantine *quarantine)
{
    map_each(quarantine->counts, free_count, NULL);
    map_free(&quarantine->counts);
}

void quarantine_free(struct quarantine **quarantine)
{
    struct quarantine *freed = *quarantine;
    if (freed == NULL)
        return;
    *quarantine = NULL;
    forget(freed);
    pthread_mutex_destroy(&freed->mutex);
    free(freed);
}

/* The counter of the name, made if there is room; else NULL. */
static int64_t *count_of(struct quarantine *quarantine, char kind, const char *name)
{
    struct strbuf key;
    strbuf_init(&key, 512);
    strbuf_printf(&key, "%c:%s", kind, name);
    int64_t *count = map_get(quarantine->counts, key.data, key.length);
    if (count == NULL && !key.overflow && map_count(quarantine->counts) < QUARANTINE_NAMES_MAX) {
        count = xcalloc(1, sizeof *count);
        map_put(quarantine->counts, key.data, key.length, count);
    }
    strbuf_fini(&key);
    return count;
}

static bool take(struct quarantine *quarantine, const char *source, const char *number)
{
    int64_t *by_source = count_of(quarantine, 's', source);
    if (by_source == NULL || *by_source >= quarantine->per_source)
        return false;
    int64_t *by_number = count_of(quarantine, 'n', number);
    if (by_number == NULL || *by_number >= quarantine->per_number)
        return false;
    ++*by_source;
    ++*by_number;
    return true;
}

bool quarantine_allow(struct quarantine *quarantine, const char *source, const char *number,
                      int64_t now_ms)
{
    pthread_mutex_lock(&quarantine->mutex);
    if (now_ms - quarantine->since_ms >= QUARANTINE_WINDOW_MS) {
        forget(quarantine);
        quarantine->counts = map_new();
        quarantine->since_ms = now_ms;
    }
    bool allowed = take(quarantine, source, number);
    pthread_mutex_unlock(&quarantine->mutex);
    return allowed;
}
