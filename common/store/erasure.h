/* Erasure of a contact (docs/PROTOCOL.md, erasure): rows go at once, the keyed hash of the address
 * stays, so that claims and replays refuse what is older. Blocking, in a transaction of the caller
 * (schema_begin_as_ops), who commits it, or rolls it back after a failure. */
#ifndef DESK_STORE_ERASURE_H
#define DESK_STORE_ERASURE_H

#include <stddef.h>
#include <stdint.h>

#include "base/arena.h"
#include "base/err.h"
#include "base/uuid.h"
#include "pg/pg.h"

struct erasure {
    struct uuid tenant;
    const char *address;      /* E.164, or a mail address in lower case */
    struct uuid address_hash; /* crypto_ident of "address", tenant, "phone" or "mail", address */
    const char *actor;
};

/* An address of a contact: kind "phone" or "mail". */
struct erasure_address {
    const char *kind, *address;
};

/* The addresses of the contact that this one belongs to, itself first, in the arena; none if it is
 * not known. */
int erasure_list(struct pg_session *session, struct arena *arena, const struct uuid *tenant,
                 const char *address, struct erasure_address **list, size_t *count,
                 struct err *err);

/* Erases the contact that the address belongs to, with all conversations. *messages gets how many
 * messages went. The caller repeats it for each further address of the contact. RETRY_NOW when a
 * claim of the same address is in the way for more than the lock timeout. */
int erasure_run(struct pg_session *session, const struct erasure *erasure, int64_t *messages,
                struct err *err);

#endif
