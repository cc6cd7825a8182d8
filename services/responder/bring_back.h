/* Callers whom a cold transfer put through to a voicemail: each is taken out of it by a request
 * that gives the call other TwiML, ours (store/transfer_back.h). Loop thread. */
#ifndef DESK_RESPONDER_BRING_BACK_H
#define DESK_RESPONDER_BRING_BACK_H

#include <stddef.h>

#include "pg/pg.h"
#include "responder.h"

/* None in hand yet. Returns owned; borrows the responder, as its HTTP client and database. */
struct bring_backs *bring_backs_new(struct responder *responder);

/* Cancels what is under way; sets to NULL; accepts NULL. After the database connections are closed,
 * before the HTTP client. */
void bring_backs_free(struct bring_backs **all);

/* Adds the claim of due ones to the unit of the adoption poll, if there is room for one. Returns
 * the statement's place, or -1. Texts are made in the arena. */
int bring_backs_add_claim(struct bring_backs *all, struct pg_unit *unit, struct arena *arena);

/* Starts what the claim at that place gave. */
void bring_backs_claimed(struct bring_backs *all, const struct pg_answer *answer, int statement);

/* Drain: ends what is under way without a verdict; it is found again by its row. */
void bring_backs_stop(struct bring_backs *all);

/* Callers in hand. */
size_t bring_backs_count(const struct bring_backs *all);

#endif
