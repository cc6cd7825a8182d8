/* Sending a claimed delivery by mail. Loop thread. */
#ifndef DESK_RESPONDER_MAIL_SEND_H
#define DESK_RESPONDER_MAIL_SEND_H

#include "flight.h"

/* The tokens of the Message-IDs that the deliveries would get, in their order, in the arena; ""
 * each when no key signs. */
const char *const *mail_send_tokens(const struct responder *responder, struct arena *arena,
                                    const struct delivery_ref *refs, size_t count);

/* A copy in the arena; NULL stays NULL. */
const struct delivery_mail *mail_send_copy(struct arena *arena, const struct delivery_mail *mail);

/* Appends the mail as it leaves, each time the same. As mail_compose. */
int mail_send_compose(const struct flight *flight, struct strbuf *out, struct err *err);

/* Composes and sends it; the outcome goes to outcome.c. It has a place in its channel. */
void mail_send_start(struct flight *flight);

/* Its conversation was taken over while it was being sent: notes that it had begun to leave before,
 * or sees to it that it does not begin any more. */
void mail_send_taken(struct flight *flight);

/* Drain: of mails whose servers do not answer the outcome is unknown from now on. */
void mail_send_give_up(struct responder *responder);

#endif
