/* Private to the files that answer with TwiML (answer.c, step_answer.c): what their documents have
 * in common. */
#ifndef DESK_INGRESS_ANSWER_INSIDE_H
#define DESK_INGRESS_ANSWER_INSIDE_H

#include "answer.h"
#include "contract/twiml.h"

/* Ends the document and answers with it; gives its memory back. */
void answer_finish(struct webhook *webhook, struct twiml *twiml);

/* The absolute URL of a step, with a query of NAME, VALUE pairs (ended by NULL) behind it; `query`
 * may be NULL. In the request's arena. */
const char *answer_url(const struct webhook *webhook, const char *kind, const char *tenant,
                       int number, const char *const *query);

/* The voice as Say names it: by its provider. What the relay alone has (ElevenLabs) is left out. */
struct twiml_voice answer_voice(struct arena *arena, const struct directory_language *language);

/* The words to expect, one by one. */
struct twiml_hints answer_hints(struct arena *arena, const char *text);

#endif
