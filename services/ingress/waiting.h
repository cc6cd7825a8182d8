/* Requests of webhook mode that wait for the answer to a step of their call: each holds its server
 * thread until the engine's frame comes, or a time that the caller's patience allows. Anybody may
 * ask for the same step at once (Twilio asks again when an answer was lost): all get the answer.
 * What is answered is not kept: who comes later asks the engine again. Any thread. */
#ifndef DESK_INGRESS_WAITING_H
#define DESK_INGRESS_WAITING_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "base/arena.h"
#include "contract/voice.h"

struct waiting;
struct waiter;

/* At most `most` wait at once. Returns owned; nobody may wait when it is freed. Sets to NULL;
 * accepts NULL. */
struct waiting *waiting_new(size_t most);
void waiting_free(struct waiting **waiting);

/* Which step is asked for; texts are borrowed until the end of the wait. */
struct waiting_for {
    const char *tenant, *call_sid;
    int64_t step;
};

/* Takes a place, before anything is told to the engine: its answer cannot be too early. NULL: too
 * many wait. waiting_end gives it back. */
struct waiter *waiting_begin(struct waiting *waiting, const struct waiting_for *wanted);

enum waiting_outcome {
    WAITING_ANSWERED,
    WAITING_LATE,   /* nothing came in time */
    WAITING_FAILED, /* Kafka does not take what the caller said */
};

/* Waits until that time (monotonic, ms; 0: not at all) and gives the place back: *waiter is NULL
 * then. Answered: *frame is the step's, its texts in the arena. */
enum waiting_outcome waiting_end(struct waiter **waiter, int64_t until_ms, struct arena *arena,
                                 struct voice_frame *frame);

/* A frame has come. True when somebody waits in its call: for its step, or (`stop`) for anything:
 * then no answer of an older epoch is taken any more. */
bool waiting_frame(struct waiting *waiting, const struct voice_frame *frame);

/* A record of the call was not taken. */
void waiting_fail(struct waiting *waiting, const char *call_sid);

#endif
