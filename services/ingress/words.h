/* What a business says by itself in a call, from the directory's record of its number. Pure. */
#ifndef DESK_INGRESS_WORDS_H
#define DESK_INGRESS_WORDS_H

#include "base/arena.h"
#include "call.h"
#include "contract/directory_voice.h"

/* What Twilio says when a call is answered: the line about consent, if there is one, and the
 * greeting, or `say` in its place where that is not NULL. In the arena. */
const char *words_greeting(struct arena *arena, const struct directory_voice *voice,
                           const char *say);

/* A call's words, in the arena but for what is borrowed from `voice`. `greeted`: Twilio greets;
 * `turn`: the fillers are taken in turn from this one on, whatever the number. */
const struct call_words *words_make(struct arena *arena, const struct directory_voice *voice,
                                    bool greeted, size_t turn);

#endif
