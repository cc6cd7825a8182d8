/* The producer of desk.voice.stream: frames leave at once or not at all (docs/VOICE.md, frames).
 * Not the engine's other producer: its records must not be lost and may wait for their batch. Loop
 * thread only. */
#ifndef DESK_ENGINE_VOICE_STREAM_H
#define DESK_ENGINE_VOICE_STREAM_H

#include "base/err.h"
#include "contract/voice.h"
#include "engine.h"

/* Opens it for engine->stream; BUG "bus.config". */
int voice_stream_open(struct engine *engine, struct err *err);

/* Sends the frame to the ingress that reads that partition; `frame->event` is filled here but for
 * its tenant. One that no broker takes is counted and lost: the ingress tells so (stall). */
void voice_stream_send(struct engine *engine, int partition, struct voice_frame *frame);

#endif
