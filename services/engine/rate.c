/* The buckets: what left, or will leave, in each second. think.c takes a turn's places, summary.c
 * those of summaries. */
#include "rate.h"

#include <stdlib.h>

#include "base/map.h"
#include "base/mem.h"

/* Seconds that count against one: its own and the 60 before. The last ms of the oldest that does
 * not is then more than 60 s away. */
#define WINDOW_S 61
#define AHEAD_S  62 /* places are given so far ahead */
#define SLOTS    128
#define FORGET_S 120

struct slot {
    int64_t second; /* whose it is; another one: it is empty */
    int64_t requests, tokens;
};

struct bucket {
    int64_t last; /* the last second in which a place was taken */
    struct slot slots[SLOTS];
};

struct rates {
    struct map *buckets;
    int64_t parts;
};

struct rates *rates_new(int64_t parts)
{
    struct rates *made = xcalloc(1, sizeof *made);
    made->buckets = map_new();
    made->parts = parts;
    return made;
}

static bool free_one(void *arg, const void *key, size_t key_length, void *value)
{
    (void)arg, (void)key, (void)key_length;
    free(value);
    return true;
}

void rates_free(struct rates **rates)
{
    if (*rates == NULL)
        return;
    map_each((*rates)->buckets, free_one, NULL);
    map_free(&(*rates)->buckets);
    free(*rates);
    *rates = NULL;
}

const char *rate_key(struct arena *arena, const char *tenant, const char *base_url,
                     const char *model)
{
    return arena_printf(arena, "%s %s %s", tenant, base_url, model);
}

static int64_t part_of(const struct rates *rates, int64_t limit)
{
    return limit / rates->parts > 0 ? limit / rates->parts : 1;
}

/* Whether one more call, in that second, stays within what a minute has. */
static bool fits(const struct bucket *bucket, const struct rate_limits *limits, int64_t tokens,
                 int64_t second)
{
    int64_t requests_used = 0, tokens_used = 0;
    for (int64_t s = second >= WINDOW_S ? second - WINDOW_S + 1 : 0; s <= second; s++) {
        const struct slot *slot = &bucket->slots[s % SLOTS];
        if (slot->second != s)
            continue;
        requests_used += slot->requests;
        tokens_used += slot->tokens;
    }
    return (limits->requests == 0 || requests_used + 1 <= limits->requests) &&
           (limits->tokens == 0 || tokens_used + tokens <= limits->tokens);
}

static void fill(struct bucket *bucket, int64_t second, int64_t tokens)
{
    struct slot *slot = &bucket->slots[second % SLOTS];
    if (slot->second != second)
        *slot = (struct slot){.second = second};
    slot->requests++;
    slot->tokens += tokens;
    bucket->last = second;
}

static struct bucket *bucket_of(struct rates *rates, const char *key)
{
    struct bucket *bucket = map_get_text(rates->buckets, key);
    if (bucket == NULL) {
        bucket = xcalloc(1, sizeof *bucket);
        map_put_text(rates->buckets, key, bucket);
    }
    return bucket;
}

int64_t rate_take(struct rates *rates, const char *key, const struct rate_limits *limits,
                  int64_t tokens, int64_t now_ms, int64_t most_ms, struct rate_place *place)
{
    if (limits->requests == 0 && limits->tokens == 0)
        return 0;
    struct bucket *bucket = bucket_of(rates, key);
    const struct rate_limits ours = {
        limits->requests > 0 ? part_of(rates, limits->requests) : 0,
        limits->tokens > 0 ? part_of(rates, limits->tokens) : 0,
    };
    const int64_t now = now_ms / 1000;
    const int64_t taken = ours.tokens > 0 && tokens > ours.tokens ? ours.tokens : tokens;
    int64_t second = bucket->last > now ? bucket->last : now;
    while (second <= now + AHEAD_S && !fits(bucket, &ours, taken, second))
        second++;
    if (second > now + AHEAD_S)
        return INT64_MAX;
    const int64_t wait_ms = second == now ? 0 : second * 1000 - now_ms;
    if (wait_ms <= most_ms) {
        fill(bucket, second, taken);
        *place = (struct rate_place){.key = key, .second = second, .tokens = taken};
    }
    return wait_ms;
}

/* NULL once the minute is over. */
static struct slot *slot_of(struct rates *rates, const struct rate_place *place)
{
    struct bucket *bucket = place->key != NULL ? map_get_text(rates->buckets, place->key) : NULL;
    struct slot *slot = bucket != NULL ? &bucket->slots[place->second % SLOTS] : NULL;
    return slot != NULL && slot->second == place->second ? slot : NULL;
}

/* The last one may be taken by the next who comes; a gap before others stays one, for these have
 * been told their times. */
static void look_back(struct bucket *bucket)
{
    const int64_t least = bucket->last > AHEAD_S ? bucket->last - AHEAD_S : 0;
    while (bucket->last > least) {
        const struct slot *slot = &bucket->slots[bucket->last % SLOTS];
        if (slot->second == bucket->last && slot->requests > 0)
            return;
        bucket->last--;
    }
}

void rate_give_back(struct rates *rates, struct rate_place *place)
{
    struct slot *slot = slot_of(rates, place);
    if (slot != NULL) {
        slot->requests--;
        slot->tokens -= place->tokens;
        look_back(map_get_text(rates->buckets, place->key));
    }
    *place = (struct rate_place){.key = NULL};
}

void rate_settle(struct rates *rates, struct rate_place *place, int64_t tokens)
{
    struct slot *slot = tokens >= 0 ? slot_of(rates, place) : NULL;
    if (slot != NULL)
        slot->tokens += tokens - place->tokens;
    *place = (struct rate_place){.key = NULL};
}

struct forgetting {
    struct map *buckets;
    int64_t now;
};

static bool forget(void *arg, const void *key, size_t key_length, void *value)
{
    const struct forgetting *all = arg;
    const struct bucket *bucket = value;
    if (bucket->last + FORGET_S <= all->now)
        free(map_remove(all->buckets, key, key_length));
    return true;
}

void rates_forget(struct rates *rates, int64_t now_ms)
{
    struct forgetting all = {rates->buckets, now_ms / 1000};
    map_each(rates->buckets, forget, &all);
}
