/* What of the assistant's is still to come in a person's earlier conversations: it moves into the
 * one that somebody takes over, so that whatever is said of that one covers it (docs/PROTOCOL.md,
 * takeover). Used by takeover and merge, in their transaction. Blocking. */
#ifndef DESK_STORE_GATHER_H
#define DESK_STORE_GATHER_H

#include "base/err.h"
#include "base/uuid.h"
#include "pg/pg.h"

/* Locks the conversation, all others of its person, and their sessions, in the order of all locks:
 * nothing of them is claimed, started, committed or sent meanwhile. */
int gather_lock(struct pg_session *session, const struct uuid *tenant,
                const struct uuid *conversation, struct err *err);

/* Moves into the conversation what its person's closed ones have left: unsettled replies of the
 * assistant, sessions with open events, something due or a call that goes on, their running turns,
 * and the messages of all these. Everything has been locked, and the conversation's epoch is above
 * those of all others of the person. Of a conversation that is closed itself nothing moves. */
int gather_run(struct pg_session *session, const struct uuid *tenant,
               const struct uuid *conversation, struct err *err);

#endif
