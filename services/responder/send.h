/* Sending a claimed delivery. Loop thread. */
#ifndef DESK_RESPONDER_SEND_H
#define DESK_RESPONDER_SEND_H

#include "flight.h"

/* Sends it as soon as its channel has a place; the outcome goes to outcome.c. */
void send_start(struct flight *flight);

/* Gives back what waits for a place longer than half a lease (all: whatever waits). */
void send_give_up_waiting(struct responder *responder, bool all);

#endif
