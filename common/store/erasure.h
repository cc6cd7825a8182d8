/* Erasure of a contact (docs/PROTOCOL.md, erasure): rows go at once, the keyed hash of the address
 * stays, so that claims and replays refuse what is older. Blocking, in a transaction of the caller
 * (schema_begin_as_ops), who commits it, or rolls it back after a failure. */
#ifndef DESK_STORE_ERASURE_H
#define DESK_STORE_ERASURE_H

#include <stdint.h>

#include "base/err.h"
#include "base/uuid.h"
#include "pg/pg.h"

struct erasure {
    struct uuid tenant;
    const char *address;      /* E.164 */
    struct uuid address_hash; /* crypto_ident of "address", tenant, "phone", address */
    const char *actor;
};

/* Erases the contact that the address belongs to, with all conversations. *messages gets how many
 * messages went. The caller repeats it for each further address of the contact. RETRY_NOW when a
 * claim of the same address is in the way for more than the lock timeout. */
int erasure_run(struct pg_session *session, const struct erasure *erasure, int64_t *messages,
                struct err *err);

#endif
