/* Our own instructions to the model, and whether words that are to leave tell them. think.c asks of
 * replies, voice.c of pieces, effects.c of what tools send. */
#ifndef DESK_ENGINE_RULES_H
#define DESK_ENGINE_RULES_H

#include <stdbool.h>

struct session;

/* True if the words, by themselves or with what the desk said earlier in the conversation, quote
 * the rules of the platform or what is said of our tools (quotes.h). Of the session's running turn.
 */
bool rules_are_told(struct session *session, const char *words);

#endif
