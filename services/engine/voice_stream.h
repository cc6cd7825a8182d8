/* The producer of desk.voice.stream: frames leave at once or not at all (docs/VOICE.md, frames).
 * Not the engine's other producer: its records must not be lost and may wait for their batch. Loop
 * thread only. */
#ifndef DESK_ENGINE_VOICE_STREAM_H
#define DESK_ENGINE_VOICE_STREAM_H

#include <stdbool.h>

#include "base/err.h"
#include "base/uuid.h"
#include "contract/voice.h"
#include "engine.h"

/* Opens it for engine->stream; BUG "bus.config". */
int voice_stream_open(struct engine *engine, struct err *err);

/* Sends the frame to the ingress that reads that partition; `frame->event` is filled here but for
 * its tenant. One that no broker takes is counted and lost: the ingress tells so (stall). */
void voice_stream_send(struct engine *engine, int partition, struct voice_frame *frame);

/* The same for a frame of a session's turn, whose commit waits for it (voice_landed). True: it is
 * on its way, and voice_landed is called once, later. False: it is lost already. */
bool voice_stream_send_of(struct engine *engine, int partition, struct voice_frame *frame,
                          const struct uuid *session);

#endif
