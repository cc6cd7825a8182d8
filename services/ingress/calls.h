/* The phone calls that this process holds: each has a state machine (call.h), and here are its
 * socket, its timer, its place in Kafka and its business's words. All that happens to a call comes
 * in here and what the call asks for is done: frames go out, records to the engines. Loop thread.
 */
#ifndef DESK_INGRESS_CALLS_H
#define DESK_INGRESS_CALLS_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "call.h"
#include "contract/call_token.h"
#include "contract/relay.h"
#include "loop/loop.h"
#include "news.h"

struct calls;

/* How the calls write to their sockets (lines.c). */
struct calls_wire {
    bool (*say)(void *arg, uint64_t socket, bool may_drop, const char *frame, size_t length);
    void (*drop)(void *arg, uint64_t socket);
    void (*close)(void *arg, uint64_t socket);
    void *arg;
};

/* Opens the producer for the calls' records. BUG "bus.config". Returns owned. */
int calls_open(struct ingress *ingress, struct loop *loop, struct calls **calls, struct err *err);

/* Forgets all calls without a word, and flushes for at most flush_ms; sets to NULL; accepts NULL.
 */
void calls_close(struct calls **calls, int64_t flush_ms);

/* The wire; before the first socket. */
void calls_set_wire(struct calls *calls, const struct calls_wire *wire);

/* What identifies a socket: `socket` for the wire, `serial` rises with each. */
struct calls_socket {
    uint64_t socket, serial;
    const struct call_token *token; /* verified */
};

/* A socket's setup frame: its call is found, or begins. NULL, or why the socket is to be closed. */
const char *calls_setup(struct calls *calls, const struct calls_socket *socket,
                        const struct relay_setup *setup);

/* Another frame of a socket that was set up, or its end. False: it means nothing (call.h). */
bool calls_relay(struct calls *calls, const char *call_sid, const struct call_relay *event);

/* A frame for a call. False if this process does not hold it, or it is another tenant's. */
bool calls_frame(struct calls *calls, const struct voice_frame *frame);

/* News from a webhook; borrowed. */
void calls_hear(struct calls *calls, struct news *news);

/* Every call moves to another process as soon as nobody speaks; `gone` is called, from the loop,
 * when there is none left. */
void calls_drain(struct calls *calls, void (*gone)(void *arg), void *arg);

/* Whether Kafka is known to be away. */
bool calls_are_mute(const struct calls *calls);

#endif
