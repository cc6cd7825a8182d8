/* How a turn of a call ends its relay session: what the ingress is to do with the call when the
 * turn's words have sounded (docs/VOICE.md, handoffs), and the words that go with it. Loop thread
 * only. */
#ifndef DESK_ENGINE_VOICE_END_H
#define DESK_ENGINE_VOICE_END_H

#include <stdbool.h>

#include "session.h"

struct assistant;

/* If the turn's tools have left nothing for a model to say (the call is put through), says our
 * words and ends the turn with them: true. `session` thinks. */
bool voice_end_says(struct session *session, const struct assistant *assistant);

/* The handoff of a turn that has its last words: JSON in its arena. NULL: the call goes on. */
const char *voice_end_handoff(struct session *session);

/* The language that the turn's tools have chosen; borrowed from its rounds' version. NULL: none. */
const char *voice_end_language(struct session *session);

#endif
