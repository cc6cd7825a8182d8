/* Outcomes on their way into the database, in batches. Loop thread. */
#ifndef DESK_RESPONDER_OUTCOME_H
#define DESK_RESPONDER_OUTCOME_H

#include "flight.h"

/* None waits yet. Returns owned; borrows the responder. */
struct outcomes *outcomes_new(struct responder *responder);

/* Frees; the flights are their owner's. Sets to NULL; accepts NULL. */
void outcomes_free(struct outcomes **outcomes);

/* Writes the flight's change (ref and attempt are filled in here) until it is committed, then lets
 * go of the flight. */
void outcomes_add(struct flight *flight);

/* Nothing waits and nothing is being written. */
bool outcomes_idle(const struct outcomes *outcomes);

/* The database is back: go on at once. */
void outcomes_wake(struct outcomes *outcomes);

#endif
