/* A conversation that a person has taken, or that has grown while he holds it: the calls in it are
 * told, and nothing of the assistant's is on its way any more. One thread. */
#ifndef DESKCTL_YOURS_H
#define DESKCTL_YOURS_H

#include "desk.h"
#include "store/conversation.h"

/* Callers hear nothing more of the assistant. Without it the engine stops within a second, since
 * its renewal tells it. Fails with Kafka's errors. */
int yours_stop_calls(struct desk *desk, const struct conversation_ref *ref,
                     const struct conversation_takeover *taken, struct err *err);

/* Returns when no reply of the assistant can start to leave any more, in transactions of its own.
 * *begun: mails that had begun to before, and may still arrive.
 * RETRY_LATER "conversation.in_flight" after 15 s. */
int yours_wait(struct desk *desk, const struct conversation_ref *ref, int64_t *begun,
               struct err *err);

#endif
