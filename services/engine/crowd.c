/* The counts, by key, and the lines: see crowd.h. asking.c takes places, think.c stands in line. */
#include "crowd.h"

#include <stdlib.h>

#include "base/map.h"
#include "base/mem.h"

TAILQ_HEAD(crowd_line, crowd_entry);

struct crowd {
    struct map *in; /* accounts or providers, that has it under its key */
    char *key;
    int64_t count; /* calls; of a provider also those in line for one */
    struct crowd_line line;
};

struct crowds {
    struct map *accounts, *providers;
    int64_t parts, provider_most;
    size_t waiting;
};

struct crowds *crowds_new(int64_t parts, int64_t provider_most)
{
    struct crowds *made = xcalloc(1, sizeof *made);
    made->accounts = map_new();
    made->providers = map_new();
    made->parts = parts;
    made->provider_most = provider_most;
    return made;
}

static bool free_one(void *arg, const void *key, size_t key_length, void *value)
{
    struct crowd *crowd = value;
    (void)arg, (void)key, (void)key_length;
    free(crowd->key);
    free(crowd);
    return true;
}

void crowds_free(struct crowds **crowds)
{
    if (*crowds == NULL)
        return;
    map_each((*crowds)->accounts, free_one, NULL);
    map_each((*crowds)->providers, free_one, NULL);
    map_free(&(*crowds)->accounts);
    map_free(&(*crowds)->providers);
    free(*crowds);
    *crowds = NULL;
}

static struct crowd *crowd_of(struct map *in, const char *key)
{
    struct crowd *crowd = map_get_text(in, key);
    if (crowd != NULL)
        return crowd;
    crowd = xcalloc(1, sizeof *crowd);
    crowd->in = in;
    crowd->key = xstrdup(key);
    TAILQ_INIT(&crowd->line);
    map_put_text(in, key, crowd);
    return crowd;
}

static void forget_if_empty(struct crowd *crowd)
{
    if (crowd->count > 0 || !TAILQ_EMPTY(&crowd->line))
        return;
    map_remove_text(crowd->in, crowd->key);
    free(crowd->key);
    free(crowd);
}

static int64_t part_of(const struct crowds *crowds, int64_t most)
{
    return most / crowds->parts > 0 ? most / crowds->parts : 1;
}

static bool is_full(const struct map *in, const char *key, int64_t most)
{
    const struct crowd *crowd = map_get_text(in, key);
    return crowd != NULL && (crowd->count >= most || !TAILQ_EMPTY(&crowd->line));
}

bool crowd_take(struct crowds *crowds, const struct crowd_wish *wish, struct crowd_place *place)
{
    if (is_full(crowds->providers, wish->provider, crowds->provider_most) ||
        (wish->most > 0 && is_full(crowds->accounts, wish->account, part_of(crowds, wish->most))))
        return false;
    place->provider = crowd_of(crowds->providers, wish->provider);
    place->provider->count++;
    if (wish->most > 0) {
        place->account = crowd_of(crowds->accounts, wish->account);
        place->account->count++;
    }
    return true;
}

bool crowd_wait(struct crowds *crowds, const struct crowd_wish *wish, struct crowd_entry *entry)
{
    if (wish->most == 0 || is_full(crowds->providers, wish->provider, crowds->provider_most))
        return false;
    struct crowd *account = crowd_of(crowds->accounts, wish->account);
    struct crowd_entry *other = entry->first ? TAILQ_FIRST(&account->line) : NULL;
    entry->at = (struct crowd_place){account, crowd_of(crowds->providers, wish->provider)};
    entry->at.provider->count++;
    entry->most = part_of(crowds, wish->most);
    while (other != NULL && other->first)
        other = TAILQ_NEXT(other, link);
    if (other != NULL)
        TAILQ_INSERT_BEFORE(other, entry, link);
    else
        TAILQ_INSERT_TAIL(&account->line, entry, link);
    crowds->waiting++;
    return true;
}

static struct crowd_place take_out(struct crowds *crowds, struct crowd_entry *entry)
{
    const struct crowd_place at = entry->at;
    TAILQ_REMOVE(&at.account->line, entry, link);
    entry->at = (struct crowd_place){NULL, NULL};
    crowds->waiting--;
    return at;
}

static void wake_next(struct crowds *crowds, struct crowd *account)
{
    struct crowd_entry *next;
    while ((next = TAILQ_FIRST(&account->line)) != NULL && account->count < next->most) {
        const struct crowd_place place = take_out(crowds, next);
        account->count++;
        next->wake(next->arg, place);
    }
}

void crowd_leave(struct crowds *crowds, struct crowd_entry *entry)
{
    if (entry->at.account == NULL)
        return;
    const struct crowd_place at = take_out(crowds, entry);
    at.provider->count--;
    forget_if_empty(at.provider);
    wake_next(crowds, at.account); /* whom its smaller limit held up */
    forget_if_empty(at.account);
}

void crowd_give_back(struct crowds *crowds, struct crowd_place *place)
{
    const struct crowd_place was = *place;
    *place = (struct crowd_place){NULL, NULL};
    if (was.provider == NULL)
        return;
    was.provider->count--;
    forget_if_empty(was.provider);
    if (was.account == NULL)
        return;
    was.account->count--;
    wake_next(crowds, was.account);
    forget_if_empty(was.account);
}

size_t crowds_waiting(const struct crowds *crowds)
{
    return crowds->waiting;
}
