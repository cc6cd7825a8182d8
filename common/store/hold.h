/* The installation's hold: no responder sends while the database is not released for what it is now
 * (docs/PROTOCOL.md, restore). Blocking, over a session of deskctl. */
#ifndef DESK_STORE_HOLD_H
#define DESK_STORE_HOLD_H

#include <stdbool.h>

#include "base/err.h"
#include "pg/pg.h"

#define HOLD_TEXT_MAX 256

struct hold_state {
    bool released;
    char reason[HOLD_TEXT_MAX];       /* why it was held by hand, or "" */
    char identity[HOLD_TEXT_MAX];     /* system identifier and timeline of this database */
    char released_for[HOLD_TEXT_MAX]; /* what it was last released for, or "" */
    char changed_at[HOLD_TEXT_MAX];   /* when it was held or released last */
};

/* Reads the state. */
int hold_read(struct pg_session *session, struct hold_state *state, struct err *err);

/* Holds every send, for a reason of at most 200 characters. */
int hold_set(struct pg_session *session, const char *reason, struct err *err);

/* Notes that all that the provider sent before is settled, which ends with the next hold, release
 * or change of the database's identity. RETRY_LATER "hold.changed" unless it is still held as when
 * `seen` was read. */
int hold_set_reconciled(struct pg_session *session, const struct hold_state *seen, struct err *err);

/* Releases for the database as it is now. PERMANENT "hold.not_reconciled" if it is held and was not
 * reconciled since, unless `unreconciled`. */
int hold_release(struct pg_session *session, bool unreconciled, struct err *err);

#endif
