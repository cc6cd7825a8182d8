/* Fair shares of places and memory: see shares.h. session.c asks. */
#include "shares.h"

#include "base/map.h"
#include "base/mem.h"
#include "pg/pg.h"

#include <assert.h>
#include <stdlib.h>
#include <string.h>

TAILQ_HEAD(entry_list, share_entry);

/* A tenant's of one kind. */
struct line {
    TAILQ_ENTRY(line) link; /* in the ring of its kind while somebody is in it */
    struct entry_list entries;
    struct share *share;
};
TAILQ_HEAD(line_ring, line);

struct share {
    struct line lines[SHARE_KINDS];
    size_t in_line, at_work, in_memory;
    char *tenant;
};

struct shares {
    struct map *by_tenant;
    struct line_ring rings[SHARE_KINDS];
    size_t ring_counts[SHARE_KINDS];
    size_t places, memory;     /* at most */
    size_t at_work, in_memory; /* of all */
};

struct shares *shares_new(size_t places, size_t memory)
{
    struct shares *shares = xcalloc(1, sizeof *shares);
    shares->by_tenant = map_new();
    shares->places = places;
    shares->memory = memory;
    for (int kind = 0; kind < SHARE_KINDS; kind++)
        TAILQ_INIT(&shares->rings[kind]);
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
        for (int kind = 0; kind < SHARE_KINDS; kind++) {
            TAILQ_INIT(&share->lines[kind].entries);
            share->lines[kind].share = share;
        }
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

bool shares_have_room(const struct shares *shares, const char *tenant, enum share_kind kind)
{
    const struct share *share = map_get_text(shares->by_tenant, tenant);
    const size_t mine = share != NULL ? share->in_memory : 0;
    const size_t memory = kind == SHARE_MAIL ? shares->memory / 2 : shares->memory;
    return shares->in_memory < memory && mine < SHARES_ALPHA * (memory - shares->in_memory);
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
    if (!shares_have_room(listing->shares, share->tenant, SHARE_TEXT))
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

void shares_wait(struct shares *shares, struct share *share, struct share_entry *entry)
{
    struct line *line = &share->lines[entry->kind];
    if (TAILQ_EMPTY(&line->entries)) {
        TAILQ_INSERT_TAIL(&shares->rings[entry->kind], line, link);
        shares->ring_counts[entry->kind]++;
    }
    TAILQ_INSERT_TAIL(&line->entries, entry, link);
    entry->share = share;
    share->in_line++;
}

void shares_leave(struct shares *shares, struct share_entry *entry)
{
    struct share *share = entry->share;
    struct line *line = &share->lines[entry->kind];
    entry->share = NULL;
    TAILQ_REMOVE(&line->entries, entry, link);
    share->in_line--;
    if (!TAILQ_EMPTY(&line->entries))
        return;
    TAILQ_REMOVE(&shares->rings[entry->kind], line, link);
    shares->ring_counts[entry->kind]--;
}

static struct share_entry *next_of(struct shares *shares, enum share_kind kind)
{
    struct line_ring *ring = &shares->rings[kind];
    const size_t free_places = shares->places - shares->at_work;
    for (size_t looked = 0; free_places > 0 && looked < shares->ring_counts[kind]; looked++) {
        struct line *line = TAILQ_FIRST(ring);
        TAILQ_REMOVE(ring, line, link);
        TAILQ_INSERT_TAIL(ring, line, link);
        struct share *share = line->share;
        if (share->at_work >= SHARES_ALPHA * free_places)
            continue;
        struct share_entry *entry = TAILQ_FIRST(&line->entries);
        shares_leave(shares, entry);
        share->at_work++;
        shares->at_work++;
        return entry;
    }
    return NULL;
}

struct share_entry *shares_next(struct shares *shares)
{
    static const enum share_kind order[SHARE_KINDS] = {SHARE_CALL, SHARE_TEXT, SHARE_MAIL};
    struct share_entry *entry = NULL;
    for (int i = 0; entry == NULL && i < SHARE_KINDS; i++)
        entry = next_of(shares, order[i]);
    return entry;
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
