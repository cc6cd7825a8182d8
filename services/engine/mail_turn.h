/* What is a mail's own in a turn: how long its reply may be, and what a sender gets of whom nobody
 * has shown that he is who he says. Pure. Loop thread. */
#ifndef DESK_ENGINE_MAIL_TURN_H
#define DESK_ENGINE_MAIL_TURN_H

#include <stdbool.h>
#include <stddef.h>

struct session;

/* Our own instruction for mails of strangers: no reply may quote it. */
extern const char mail_turn_stranger_rules[];

/* What the model is told of this moment; NULL: nothing, no mail of a stranger is answered. */
const char *mail_turn_brief(const struct session *session);

/* Whether nobody has shown that what is answered is from whom it says: nothing of the account is
 * told or changed then. Never of calls and texts. */
bool mail_turn_is_stranger(const struct session *session);

/* How long the turn's reply may be, in UTF-16 units. */
size_t mail_turn_reply_units(const struct session *session);

#endif
