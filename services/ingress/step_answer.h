/* TwiML of webhook mode: what is said, and the Gather whose result is the call's next step. What a
 * step must know of those before it stands in its URL, which Twilio signs: any ingress may get it.
 * As answer.h. Server threads. */
#ifndef DESK_INGRESS_STEP_ANSWER_H
#define DESK_INGRESS_STEP_ANSWER_H

#include <stdbool.h>
#include <stdint.h>

#include "answer.h"
#include "base/form.h"

#define STEP_QUIET_S                                                                               \
    3 /* without a word that end a Gather; as long, keys that end no number wait                   \
       */

/* What a step is told by its URL. */
struct step_told {
    int64_t silent_ms; /* for so long the caller has said nothing since anybody spoke */
    int asked;         /* so often in a row he was asked whether he is there */
    bool unclear;      /* he was just asked to say it again */
    int crowded;       /* of the requests for an answer so far, those that found no place to wait */
    const char *lang;  /* that the call is held in; "" the number's */
};

/* Reads it from a URL's query; what is missing or not as it should be counts as none. Texts are
 * borrowed. */
struct step_told step_answer_read(const struct form *query);

/* Says the words (NULL: none) and takes what the caller says or presses as that step. */
void step_answer_gather(const struct answer *answer, int64_t step, const struct step_told *told,
                        const char *words);

/* How long ago the caller fell silent when a Gather's result is there, ms. */
int64_t step_answer_delay_ms(const struct directory_voice *voice, bool keys);

/* Says the filler and comes back for the answer to that step: for the `wait`th time. */
void step_answer_wait(const struct answer *answer, int64_t step, int wait,
                      const struct step_told *told);

/* Says the words and does what the handoff says; never HANDOFF_RELAY. */
void step_answer_hand_off(const struct answer *answer, const struct handoff *handoff,
                          const char *words);

#endif
