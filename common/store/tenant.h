/* Named SQL on tenants, assistants and channels for deskctl: blocking, inside a transaction that
 * schema_begin_as_ops opened. Texts are in the arena. One thread. */
#ifndef DESK_STORE_TENANT_H
#define DESK_STORE_TENANT_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "base/arena.h"
#include "base/err.h"
#include "base/uuid.h"
#include "pg/pg.h"
#include "store/directory.h"

struct tenant_channel {
    struct uuid tenant, id;
    const char *kind, *address, *account_sid;
    const char *messaging_service_sid; /* NULL: none */
    const char *credentials_hex;       /* wrapped auth token, hexadecimal */
    const char *edge_keys;             /* JSON array of base64 texts, sealed */
    int64_t directory_version, published_version;
    bool removed;
    const char *tenant_name;
};

struct tenant_row {
    struct uuid id;
    const char *name, *display_name, *timezone, *language;
    const char *settings;  /* JSON object */
    struct uuid assistant; /* nil: none yet */
    int64_t version;       /* its current version, 0: none */
    const char *config;    /* JSON object of that version, NULL: none */
    const char *updated_at;
    struct tenant_channel *channels; /* removed ones too */
    size_t channel_count;
};

/* Serialises changes to tenants until the transaction ends. */
int tenant_lock_all(struct pg_session *session, struct err *err);

/* The tenant of that name with assistant and channels; *row stays NULL if there is none. */
int tenant_find(struct pg_session *session, struct arena *arena, const char *name,
                struct tenant_row **row, struct err *err);

/* All tenants by name, each as from tenant_find. */
int tenant_list(struct pg_session *session, struct arena *arena, struct tenant_row **rows,
                size_t *count, struct err *err);

/* True in *known if the database knows the time zone. */
int tenant_zone_is_known(struct pg_session *session, const char *zone, bool *known,
                         struct err *err);

/* Inserts or updates id, name, display_name, timezone, language, settings. */
int tenant_put(struct pg_session *session, const struct tenant_row *row, struct err *err);

/* Makes (or replaces the current) version `row->version` of the assistant with row->config. */
int tenant_put_assistant(struct pg_session *session, const struct tenant_row *row,
                         const char *created_by, struct err *err);

/* Inserts or updates a channel, alive from now on. A new row starts above every version that the
 * edge may have seen for its address; for an existing one directory_version rises when
 * edge_changed. PERMANENT "tenant.address" when another tenant has the address. */
int tenant_put_channel(struct pg_session *session, const struct tenant_channel *channel,
                       const struct uuid *assistant, bool edge_changed, struct err *err);

/* Removes a channel: the edge forgets it with the next publication. */
int tenant_remove_channel(struct pg_session *session, const struct tenant_channel *channel,
                          struct err *err);

/* All channels of all tenants, alive and removed, ready to encode for the edge. */
int tenant_list_directory(struct pg_session *session, struct arena *arena,
                          struct directory_row **rows, size_t *count, struct err *err);

/* The living channel of that kind and address; *channel stays NULL if there is none. */
int tenant_find_channel(struct pg_session *session, struct arena *arena, const char *kind,
                        const char *address, struct tenant_channel **channel, struct err *err);

/* The living channels of the tenant under that provider account. */
int tenant_list_account(struct pg_session *session, struct arena *arena, const struct uuid *tenant,
                        const char *account_sid, struct tenant_channel **channels, size_t *count,
                        struct err *err);

/* Notes that this version is the last that the edge was told. If it is not the newest any more, the
 * channel counts as unpublished again, even if a relay has published the newest meanwhile: ours may
 * be the last record. */
int tenant_mark_published(struct pg_session *session, const struct directory_row *row,
                          struct err *err);

/* Writes an audit row. `detail` is a JSON object. */
int tenant_audit(struct pg_session *session, const struct uuid *tenant, const char *actor,
                 const char *action, const char *subject, const char *detail, struct err *err);

#endif
