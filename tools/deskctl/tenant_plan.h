/* What `tenant apply` would change: a tenant file compared with the database's row. Reads and
 * writes nothing itself. One thread. */
#ifndef DESKCTL_TENANT_PLAN_H
#define DESKCTL_TENANT_PLAN_H

#include <stdbool.h>
#include <stddef.h>

#include "base/arena.h"
#include "base/err.h"
#include "base/secret.h"
#include "store/tenant.h"
#include "tenant_diff.h"
#include "tenant_file.h"

struct tenant_channel_plan {
    struct tenant_channel row; /* as it shall be */
    bool write, edge_changed, remove;
};

struct tenant_plan {
    struct tenant_row row; /* as it shall be; ids made for what is new */
    bool tenant_changed, assistant_changed;
    struct tenant_channel_plan *channels;
    size_t channel_count;
    struct tenant_change *changes;
    size_t change_count;
};

struct tenant_keys {
    const struct secret *credentials; /* wraps for engine and responder */
    const struct secret *edge_public; /* seals for ingress */
};

/* Compares. `existing` is NULL for a new tenant. A stored credential that does not open with the
 * credentials key counts as changed. Everything is in the arena; wrapped and sealed values are made
 * only where the secret is new. */
void tenant_plan_make(struct arena *arena, const struct tenant_file *file,
                      const struct tenant_row *existing, const struct tenant_keys *keys,
                      struct tenant_plan *plan);

/* Adds what differs between two versions' configs (JSON texts). */
void tenant_plan_compare(struct tenant_changes *changes, const char *before, const char *after);

/* The way back: a version after the current one, with an older version's config (borrowed).
 * `existing` has an assistant. Nothing else of the tenant changes. */
void tenant_plan_rollback(struct arena *arena, const struct tenant_row *existing,
                          const char *config, struct tenant_plan *plan);

/* How many keys in the row's config do not open with this credentials key: what is wrapped for
 * another, or damaged. */
size_t tenant_plan_count_closed(struct arena *arena, const struct tenant_row *row,
                                const struct secret *key);

/* The plan's changes as a list to be shown; borrowed. */
struct tenant_changes tenant_plan_changes(struct arena *arena, const struct tenant_plan *plan);

/* Opens a channel's auth token. Returns an owned secret; PERMANENT "crypto.wrap". */
int tenant_plan_open_token(const struct tenant_channel *channel, const struct secret *key,
                           struct secret **token, struct err *err);

#endif
