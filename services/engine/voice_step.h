/* What of a call a turn answers: its prompt, or in webhook mode the step, and the frame that
 * carries the answer to a step (docs/VOICE.md, webhook mode). Loop thread. */
#ifndef DESK_ENGINE_VOICE_STEP_H
#define DESK_ENGINE_VOICE_STEP_H

#include <stdint.h>

#include "session.h"
#include "store/voice_step.h"

/* The newest step among the events (text[] literal of provider ids) of that call; 0: none of them
 * is one, the call is in streaming mode. */
int64_t voice_step_of(const char *events, const char *call_sid);

/* The highest number of a prompt of streaming mode among them, whichever relay session it is of; 0:
 * there is none. */
int64_t voice_prompt_of(const char *events, const char *call_sid);

/* Sends what the step was answered to the ingress of that request. */
void voice_step_answer(struct engine *engine, const struct voice_step *step,
                       const struct voice_step_answer *answer);

/* The tag of the language in which the session's caller is spoken to when he is back from a
 * transfer: another socket begins in the usual one, in webhook mode it stays. */
const char *voice_step_language(struct session *session);

/* What of the turn's end belongs to its commit, when that is made. */
void voice_step_prepare(struct session *session);

/* The turn is committed with a reply: in webhook mode that leaves now, in one piece. True: it is a
 * call's, whatever its mode. */
bool voice_step_committed(struct session *session);

/* A request asks for the answer to a step: it goes there if the turn that is at work here is that
 * step's. */
void voice_step_asked(struct sessions *sessions, const struct voice_step *step);

#endif
