/* SQL about the database itself: roles, migrations, catalogue. For deskctl; blocking; one thread.
 */
#ifndef DESK_STORE_SCHEMA_H
#define DESK_STORE_SCHEMA_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "base/arena.h"
#include "base/err.h"
#include "pg/pg.h"

/* Opens a transaction as frontdesk_ops, local to it, with lock_timeout 3 s, statement_timeout
 * 60 s, and cut off by the server when it says nothing for 10 s. PERMANENT "schema.ops" when the
 * login is no member of that role. Ends with COMMIT or ROLLBACK of the caller; on failure there is
 * no transaction. */
int schema_begin_as_ops(struct pg_session *session, struct err *err);

/* In such a transaction that holds no customer's rows: a person may take 10 min to answer. */
int schema_wait_for_person(struct pg_session *session, struct err *err);

/* ---- migrations; as owner, on a direct connection ---- */

/* Makes schema_migrations if it is not there. Under schema_lock only. */
int schema_prepare(struct pg_session *session, struct err *err);

/* True in *exists if schema_migrations is there. */
int schema_exists(struct pg_session *session, bool *exists, struct err *err);

/* Takes the installation-wide migration lock for the life of the session. RETRY_LATER "schema.busy"
 * when somebody else holds it for longer than wait_ms. */
int schema_lock(struct pg_session *session, int64_t wait_ms, struct err *err);

struct schema_applied {
    int64_t number;
    const char *name, *checksum; /* SHA-256, hexadecimal */
    const char *applied_at;      /* RFC 3339 UTC */
    int64_t took_ms;
};

/* The applied migrations in order, in the arena. */
int schema_list_applied(struct pg_session *session, struct arena *arena,
                        struct schema_applied **items, size_t *count, struct err *err);

/* Records one as applied. */
int schema_record_applied(struct pg_session *session, const struct schema_applied *item,
                          struct err *err);

/* Opens a transaction for a migration: lock_timeout `lock_ms`, no statement timeout. */
int schema_begin_migration(struct pg_session *session, int64_t lock_ms, struct err *err);

/* Lets the serving roles (frontdesk_engine, ..._responder, ..._ops, ..._console) log in, with the
 * password unless it is NULL; and lets the owner become frontdesk_ops. */
int schema_login_roles(struct pg_session *session, const char *password, struct err *err);

/* ---- doctor ---- */

struct schema_facts {
    int64_t server_version;   /* 150004 */
    int64_t clock_ms;         /* the database's wall clock */
    const char *identity;     /* database_identity(): system identifier and timeline */
    const char *released_for; /* "" while held */
    bool can_be_ops;
};

/* Facts about the server, in the arena. Outside a transaction. */
int schema_read_facts(struct pg_session *session, struct arena *arena, struct schema_facts *facts,
                      struct err *err);

/* Tables that break the walls between tenants: no tenant_id, row security not enabled or not
 * forced, no policy for the console, or a serving role that owns a table or by-passes row security.
 * One sentence each, in the arena. */
int schema_list_breaches(struct pg_session *session, struct arena *arena, const char ***sentences,
                         size_t *count, struct err *err);

#endif
