/* Calls that the desk places, once they are taken (docs/CALLING.md): /twilio/voice/back/..., the
 * Url of a call to a customer; /asked/..., of one to somebody of the business, and /key/..., what
 * they press. The words stand in the URL, which Twilio signed as the responder wrote it. Server
 * threads. */
#ifndef DESK_INGRESS_VOICE_PLACED_H
#define DESK_INGRESS_VOICE_PLACED_H

#include "voice_step_inside.h"

/* A person is greeted and goes on as any caller; a machine hears `leave`. */
void voice_placed_back(struct step *step);

/* A person hears what it is about and is asked for a key; a machine hears nothing. */
void voice_placed_asked(struct step *step);

/* 1: they take it, and hear from the engine whether it is theirs; 2: they do not; another key: they
 * are asked once more. */
void voice_placed_key(struct step *step);

#endif
