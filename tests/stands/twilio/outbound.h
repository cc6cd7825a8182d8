/*
 * Calls that REST asks for: they wait their turn (--calls-per-second), ring at a callee
 * (callees.h), are listened to by the answering machine detection, and then ask their TwiML.
 */
#ifndef STANDS_TWILIO_OUTBOUND_H
#define STANDS_TWILIO_OUTBOUND_H

#include "stands/twilio/call.h"

struct queue;

/* An empty queue on a loop. Owned. */
struct queue *outbound_queue_new(uv_loop_t *loop);

/* Forgets who waits. */
void outbound_queue_clear(struct queue *queue);

/* Queues a call; it is dialled as soon as the rate allows. */
void outbound_place(struct call *call, double timeout_ms);

#endif
