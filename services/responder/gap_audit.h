/* The gap audit: asks the provider at intervals which texts, or calls, came in to each number, and
 * puts what the inbox does not know into the inbound topic, because its webhook was lost on the
 * way. One job per channel (store/job.h). An event keeps its provider's id, so finding it twice, or
 * finding what is merely late, changes nothing. Loop thread. */
#ifndef DESK_RESPONDER_GAP_AUDIT_H
#define DESK_RESPONDER_GAP_AUDIT_H

#include "pg/pg.h"
#include "responder.h"

/* None in hand yet. Returns owned; borrows the responder. */
struct gap_audits *gap_audits_new(struct responder *responder);

/* Cancels what is under way; sets to NULL; accepts NULL. After the producer and the database
 * connections are closed, before the HTTP client. */
void gap_audits_free(struct gap_audits **audits);

/* Adds the claim of due audits to the unit of the adoption poll, if there is room for one. Returns
 * the statement's place, or -1. Texts are made in the arena. */
int gap_audits_add_claim(struct gap_audits *audits, struct pg_unit *unit, struct arena *arena);

/* Starts what the claim at that place gave. */
void gap_audits_claimed(struct gap_audits *audits, const struct pg_answer *answer, int statement);

/* Drain: ends what is under way without a verdict; it is found again by its row. */
void gap_audits_stop(struct gap_audits *audits);

/* Audits in hand. */
size_t gap_audits_count(const struct gap_audits *audits);

#endif
