/* The last segments of the paths, which no other path shares, each with its expiry. They come in
 * about the order in which they expire, so that those that are over stand in front. Called by
 * lines.c for each handshake that is signed. */
#include "spent.h"

#include "base/map.h"
#include "base/mem.h"

#include <stdlib.h>
#include <string.h>

struct spent {
    struct map *expiries; /* by mac: owned int64_t */
    size_t most;
    int64_t now_s; /* of the visit */
};

struct spent *spent_new(size_t most)
{
    struct spent *spent = xcalloc(1, sizeof *spent);
    spent->expiries = map_new();
    spent->most = most;
    return spent;
}

static bool free_one(void *arg, const void *key, size_t key_length, void *value)
{
    (void)arg, (void)key, (void)key_length;
    free(value);
    return true;
}

void spent_free(struct spent **spent)
{
    struct spent *freed = *spent;
    if (freed == NULL)
        return;
    *spent = NULL;
    map_each(freed->expiries, free_one, NULL);
    map_free(&freed->expiries);
    free(freed);
}

/* Takes out what is over, from the oldest on, and one that is not where there is no room. */
static bool forget(void *arg, const void *key, size_t key_length, void *value)
{
    struct spent *spent = arg;
    int64_t *expires_s = value;
    if (*expires_s >= spent->now_s && map_count(spent->expiries) < spent->most)
        return false;
    map_remove(spent->expiries, key, key_length);
    free(expires_s);
    return true;
}

bool spent_take(struct spent *spent, const char *path, int64_t expires_s, int64_t now_s)
{
    const char *slash = strrchr(path, '/');
    const char *mac = slash != NULL ? slash + 1 : path;
    if (map_get_text(spent->expiries, mac) != NULL)
        return false;
    spent->now_s = now_s;
    map_each(spent->expiries, forget, spent);
    int64_t *kept = xmalloc(sizeof *kept);
    *kept = expires_s;
    map_put_text(spent->expiries, mac, kept);
    return true;
}
