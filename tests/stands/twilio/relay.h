/*
 * Connect with ConversationRelay: the session over a WebSocket that Twilio opens to the server.
 * What the person says goes out as frames, what the server sends is spoken.
 */
#ifndef STANDS_TWILIO_RELAY_H
#define STANDS_TWILIO_RELAY_H

#include "stands/twilio/verbs.h"

/* The row of the verb. */
extern const struct verb connect_verb;

/* Whether a session is being opened or open; whether it is open; frames it has got so far. */
bool relay_begun(const struct call *call);
bool relay_open(const struct call *call);
uint64_t relay_frames(const struct call *call);

/* Sends a frame of the script, right or wrong, in so many fragments. Nothing without a session. */
void relay_send(struct call *call, int opcode, const char *data, size_t len, size_t fragments);

/* Sends the last prompt again. */
void relay_again(struct call *call);

/* Breaks the socket without a close frame (RST when `reset`), or closes it with `code`. The session
 * fails as after any broken socket. */
void relay_cut(struct call *call, bool reset);
void relay_close(struct call *call, int code);

#endif
