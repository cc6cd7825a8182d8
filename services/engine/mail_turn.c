/* A turn that answers a mail: see mail_turn.h. prepare.c asks. */
#include "mail_turn.h"

#include "reply.h"
#include "session.h"

size_t mail_turn_reply_units(const struct session *session)
{
    return session->turn.is_mail ? REPLY_MAIL_UNITS_MAX : REPLY_UNITS_MAX;
}
