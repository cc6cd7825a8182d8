/* Copies of sent mails for the people of the business, in the folder of sent mails of the mailbox
 * (docs/MAIL.md). Behind the mail and beside everything else, never two of one mail: what certainly
 * left no copy is tried again for some minutes, what fails is logged and changes nothing. Loop
 * thread. */
#ifndef DESK_RESPONDER_SENT_COPIES_H
#define DESK_RESPONDER_SENT_COPIES_H

#include "flight.h"

struct sent_copies;

/* None on its way yet. Returns owned; borrows the responder. */
struct sent_copies *sent_copies_new(struct responder *responder);

/* Gives all up and frees; sets to NULL; accepts NULL. The database's units must have ended. */
void sent_copies_free(struct sent_copies **copies);

/* The mail was accepted: its copy follows. The flight is only read. */
void sent_copies_add(struct sent_copies *copies, const struct flight *flight);

/* How many are not over. */
size_t sent_copies_count(const struct sent_copies *copies);

/* Drain: those that wait to be tried again are tried now, a last time. */
void sent_copies_drain(struct sent_copies *copies);

/* Drain: those that have not ended by now are given up. */
void sent_copies_give_up(struct sent_copies *copies);

#endif
