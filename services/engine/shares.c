/* Fair shares of places and memory: see shares.h. session.c asks. */
#include "shares.h"

#include "base/map.h"
#include "base/mem.h"
#include "pg/pg.h"

#include <assert.h>
#include <stdlib.h>
#include <string.h>

TAILQ_HEAD(entry_list, share_entry);

struct share {
    TAILQ_ENTRY(share) link; /* in the ring while somebody of it is in line */
    struct entry_list line;
    size_t in_line, at_work, in_memory;
    char *tenant;
};
TAILQ_HEAD(share_ring, share);

struct shares {
    struct map *by_tenant;
    struct share_ring ring;
    size_t ring_count;
    size_t places, memory;     /* at most */
    size_t at_work, in_memory; /* of all */
};

struct shares *shares_new(size_t places, size_t memory)
{
    struct shares *shares = xcalloc(1, sizeof *shares);
    shares->by_tenant = map_new();
    shares->places = places;
    shares->memory = memory;
    TAILQ_INIT(&shares->ring);
    return shares;
}

void shares_free(struct shares **shares)
{
    if (*shares == NULL)
        return;
    assert(map_count((*shares)->by_tenant) == 0);
    map_free(&(*shares)->by_tenant);
    free(*shares);
    *shares = NULL;
}

struct share *shares_join(struct shares *shares, const char *tenant)
{
    struct share *share = map_get_text(shares->by_tenant, tenant);
    if (share == NULL) {
        share = xcalloc(1, sizeof *share);
        share->tenant = xstrdup(tenant);
        TAILQ_INIT(&share->line);
        map_put_text(shares->by_tenant, tenant, share);
    }
    share->in_memory++;
    shares->in_memory++;
    return share;
}

void shares_part(struct shares *shares, struct share *share)
{
    shares->in_memory--;
    if (--share->in_memory > 0)
        return;
    assert(share->in_line == 0 && share->at_work == 0);
    map_remove_text(shares->by_tenant, share->tenant);
    free(share->tenant);
    free(share);
}

bool shares_have_room(const struct shares *shares, const char *tenant)
{
    const struct share *share = map_get_text(shares->by_tenant, tenant);
    size_t mine = share != NULL ? share->in_memory : 0;
    return shares->in_memory < shares->memory &&
           mine < SHARES_ALPHA * (shares->memory - shares->in_memory);
}

struct listing {
    const struct shares *shares;
    struct pg_array tenants;
};

static bool list_full(void *arg, const void *key, size_t key_length, void *value)
{
    (void)key, (void)key_length;
    struct listing *listing = arg;
    const struct share *share = value;
    if (!shares_have_room(listing->shares, share->tenant))
        pg_array_add(&listing->tenants, share->tenant);
    return true;
}

const char *shares_full(const struct shares *shares, struct arena *arena)
{
    struct listing listing = {.shares = shares};
    pg_array_init(&listing.tenants);
    map_each(shares->by_tenant, list_full, &listing);
    const char *literal = pg_array_take(&listing.tenants, arena);
    pg_array_fini(&listing.tenants);
    return literal;
}

/* Behind those who came before and are as urgent. */
static void stand_in_line(struct share *share, struct share_entry *entry)
{
    struct share_entry *other = entry->first ? TAILQ_FIRST(&share->line) : NULL;
    while (other != NULL && other->first)
        other = TAILQ_NEXT(other, link);
    if (other != NULL)
        TAILQ_INSERT_BEFORE(other, entry, link);
    else
        TAILQ_INSERT_TAIL(&share->line, entry, link);
}

void shares_wait(struct shares *shares, struct share *share, struct share_entry *entry)
{
    const bool was_in_ring = share->in_line++ > 0;
    entry->share = share;
    stand_in_line(share, entry);
    if (was_in_ring && !entry->first)
        return;
    if (was_in_ring)
        TAILQ_REMOVE(&shares->ring, share, link);
    else
        shares->ring_count++;
    if (entry->first)
        TAILQ_INSERT_HEAD(&shares->ring, share, link);
    else
        TAILQ_INSERT_TAIL(&shares->ring, share, link);
}

void shares_leave(struct shares *shares, struct share_entry *entry)
{
    struct share *share = entry->share;
    entry->share = NULL;
    TAILQ_REMOVE(&share->line, entry, link);
    if (--share->in_line > 0)
        return;
    TAILQ_REMOVE(&shares->ring, share, link);
    shares->ring_count--;
}

struct share_entry *shares_next(struct shares *shares)
{
    size_t free_places = shares->places - shares->at_work;
    for (size_t looked = 0; free_places > 0 && looked < shares->ring_count; looked++) {
        struct share *share = TAILQ_FIRST(&shares->ring);
        TAILQ_REMOVE(&shares->ring, share, link);
        TAILQ_INSERT_TAIL(&shares->ring, share, link);
        if (share->at_work >= SHARES_ALPHA * free_places)
            continue;
        struct share_entry *entry = TAILQ_FIRST(&share->line);
        shares_leave(shares, entry);
        share->at_work++;
        shares->at_work++;
        return entry;
    }
    return NULL;
}

void shares_give_back(struct shares *shares, struct share *share)
{
    share->at_work--;
    shares->at_work--;
}

size_t shares_at_work(const struct shares *shares)
{
    return shares->at_work;
}
