/* What is a mail's own in a turn: how long its reply may be. Pure. Loop thread. */
#ifndef DESK_ENGINE_MAIL_TURN_H
#define DESK_ENGINE_MAIL_TURN_H

#include <stddef.h>

struct session;

/* How long the turn's reply may be, in UTF-16 units. */
size_t mail_turn_reply_units(const struct session *session);

#endif
