/* Named SQL on the versions of a tenant's assistant for deskctl: blocking, inside a transaction
 * that schema_begin_as_ops opened. Texts are in the arena. One thread. */
#ifndef DESK_STORE_TENANT_VERSION_H
#define DESK_STORE_TENANT_VERSION_H

#include <stddef.h>
#include <stdint.h>

#include "base/arena.h"
#include "base/err.h"
#include "pg/pg.h"
#include "store/tenant.h"

struct tenant_version {
    int64_t version;
    const char *created_by;
    const char *created_at; /* RFC 3339 UTC */
    const char *config;     /* JSON object */
};

struct tenant_versions {
    struct tenant_version *items;
    size_t count;
};

/* The newest versions of the tenant's assistant, at most `limit`, newest first; none for a tenant
 * without one. */
int tenant_version_list(struct pg_session *session, struct arena *arena,
                        const struct tenant_row *row, int64_t limit,
                        struct tenant_versions *versions, struct err *err);

/* That version; versions->count is 0 if there is none. */
int tenant_version_find(struct pg_session *session, struct arena *arena,
                        const struct tenant_row *row, int64_t version,
                        struct tenant_versions *versions, struct err *err);

#endif
