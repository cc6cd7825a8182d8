/* A conversation that a person has taken, or that has grown while he holds it: the calls in it are
 * told, and nothing of the assistant's is on its way any more. One thread. */
#ifndef DESKCTL_YOURS_H
#define DESKCTL_YOURS_H

#include "desk.h"
#include "store/conversation.h"

/* Tells each call that callers hear nothing more of the assistant. Fails with Kafka's errors if one
 * of them could not be told. */
int yours_stop_calls(struct desk *desk, const struct conversation_ref *ref,
                     const struct conversation_takeover *taken, struct err *err);

/* Returns when no reply of the assistant can start to leave any more, in transactions of its own.
 * If not all calls were told, an engine that has the database stops by itself, since its renewal
 * tells it, and one that has not speaks until its lease is over: that is waited for. *begun: mails
 * that had begun to leave before, and may still arrive.
 * RETRY_LATER "conversation.in_flight" after 15 s. */
int yours_wait(struct desk *desk, const struct conversation_ref *ref, bool are_told, int64_t *begun,
               struct err *err);

#endif
