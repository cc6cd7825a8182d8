/* Recordings that callers left: fetched from the provider into the database, each once, by a job
 * per recording (store/recording.h). The address is made from the provider's base URL and the
 * recording's sid, never taken from the record: the account's token goes to no other host. Loop
 * thread. */
#ifndef DESK_RESPONDER_RECORDINGS_H
#define DESK_RESPONDER_RECORDINGS_H

#include "pg/pg.h"
#include "responder.h"

/* None in hand yet. Returns owned; borrows the responder. */
struct recordings *recordings_new(struct responder *responder);

/* Cancels what is under way; sets to NULL; accepts NULL. After the database connections are closed,
 * before the HTTP client. */
void recordings_free(struct recordings **recordings);

/* Adds the claim of due ones to the unit of the adoption poll, if there is room for one. Returns
 * the statement's place, or -1. Texts are made in the arena. */
int recordings_add_claim(struct recordings *recordings, struct pg_unit *unit, struct arena *arena);

/* Starts what the claim at that place gave. */
void recordings_claimed(struct recordings *recordings, const struct pg_answer *answer,
                        int statement);

/* Drain: ends what is under way without a verdict; it is found again by its row. */
void recordings_stop(struct recordings *recordings);

/* Recordings in hand. */
size_t recordings_count(const struct recordings *recordings);

#endif
