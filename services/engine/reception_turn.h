/* The reception without a model in a turn: from what the start read to what the commit says and
 * keeps. Texts are in the turn's arena. Loop thread. */
#ifndef DESK_ENGINE_RECEPTION_TURN_H
#define DESK_ENGINE_RECEPTION_TURN_H

#include <stdbool.h>

#include "assistants.h"
#include "store/reception_record.h"

struct session;

/* Whether nobody wrote: the turn is only there for a recovery. Without a model it says nothing but
 * what its tools have done. */
bool reception_turn_is_recovery(struct session *session);

/* Whether its tools have recorded a message or a wish for people. */
bool reception_turn_has_message(const struct session *session);

/* What a turn without a model's reply says. */
struct reception_reply {
    const char *body;                      /* "": nothing is sent */
    const struct reception_record *record; /* NULL: the notes stay as they are */
    const char *passages; /* JSON: what the knowledge held when one of it was quoted; NULL: none */
};

/* By the turn's outcome. "degraded": three workers died of this turn; its texts are not read, since
 * they may be why, and the tenant's degraded wording is said. "closed": the after-hours wording is
 * said in each reply, and nothing else unless the customer answers a question of ours. Else the
 * fallback. If the tools took a message or changed an appointment before the model went away, that
 * is told below the wording, and nothing is asked. */
void reception_turn_reply(struct session *session, const struct assistant *assistant,
                          const char *outcome, struct reception_reply *out);

/* A recovery without a model: no automatic text to who wrote none, whatever the reason. What its
 * tools have recorded or changed is told all the same, in the words that reception_turn_reply has
 * for it and without any wording around; "" if that is nothing, or nobody can word it (assistant
 * NULL). */
void reception_turn_facts(struct session *session, const struct assistant *assistant,
                          struct reception_reply *out);

/* What becomes of the notes when a model answers, or has taken the message itself: they stay for
 * the next time, and are no task by themselves any more; a finished message is behind us. NULL:
 * there are none, or nothing changes. */
const struct reception_record *reception_turn_answered(struct session *session);

/* What the model is told about questions that were put in its stead; NULL: nothing. It names what
 * is known; the customer's words stand in the conversation alone. */
const char *reception_turn_brief(struct session *session, const struct assistant *assistant);

#endif
