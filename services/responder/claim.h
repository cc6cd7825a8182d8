/* Claiming deliveries by id, in batches; a line of texts and one of mails, with room of their own
 * in hand, so that neither waits for the other's provider. Loop thread. */
#ifndef DESK_RESPONDER_CLAIM_H
#define DESK_RESPONDER_CLAIM_H

#include "responder.h"
#include "store/delivery.h"

/* An empty line, of mails or of all else. Returns owned; borrows the responder. */
struct claims *claims_new(struct responder *responder, bool of_mails);

/* The line of that kind. */
struct claims *claims_for(struct responder *responder, bool is_mail);

/* Frees; sets to NULL; accepts NULL. */
void claims_free(struct claims **claims);

/* Puts a delivery in line, to be claimed with the next claims_wake. False when it is in hand or in
 * line already: nothing to do. wake: whose record it is, NULL: nobody's; told
 * by wake_claimed once a claim of it committed. */
bool claims_add(struct claims *claims, const struct delivery_ref *ref, struct wake *wake);

/* In line or being claimed; and their ids appended to the array. */
size_t claims_count(const struct claims *claims);

/* How many more there is room for, beside those in line and in hand; at most `limit`. */
int claims_room(const struct claims *claims, int limit);
void claims_list(const struct claims *claims, struct pg_array *ids);

/* A claim is under way. */
bool claims_in_flight(const struct claims *claims);

/* Claims what is in line as far as there is room; after additions, when something ended, and when
 * the database is back. */
void claims_wake(struct claims *claims);

/* Drain: forgets what is in line and not being claimed; the rows stay due. */
void claims_drop(struct claims *claims);

#endif
