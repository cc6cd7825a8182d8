/* Sending a claimed delivery. Loop thread. */
#ifndef DESK_RESPONDER_SEND_H
#define DESK_RESPONDER_SEND_H

#include "flight.h"

/* Sends it as soon as its channel has a place; the outcome goes to outcome.c. */
void send_start(struct flight *flight);

/* Gives back what waits for a place longer than half a lease (all: whatever waits). */
void send_give_up_waiting(struct responder *responder, bool all);

/* ---- what sending by either way shares ---- */

/* Asked directly before the first byte: our lease holds, the worker is the one that claimed, and
 * the claim is younger than that. */
bool send_may_leave(const struct flight *flight, int64_t age_ms);

/* Its request is over, its change is filled in: its place is the next one's, its outcome is
 * written.
 */
void send_over(struct flight *flight);

/* Nothing of it left, for that reason: due again later. It has no place in its channel. */
void send_settle_unsent(struct flight *flight, const char *reason, int64_t next_in_ms);

/* The counter of the change's outcome. */
struct metric *send_counter(const struct delivery_change *change);

#endif
