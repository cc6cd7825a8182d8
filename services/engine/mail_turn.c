/* A turn that answers a mail: see mail_turn.h. think.c, briefing.c and prepare.c ask. */
#include "mail_turn.h"

#include "reply.h"
#include "session.h"

const char mail_turn_stranger_rules[] =
    "Nobody has shown that this mail is from the person whose address it bears. Answer what "
    "anybody may know. Tell nothing of that person: no appointments, no data, nothing of what was "
    "said before. Where that is wanted, ask the writer to phone, or pass it on to a person.\n";

const char *mail_turn_brief(const struct session *session)
{
    return mail_turn_is_stranger(session) ? mail_turn_stranger_rules : NULL;
}

bool mail_turn_is_stranger(const struct session *session)
{
    return session->turn.is_mail && !session->turn.verified;
}

size_t mail_turn_reply_units(const struct session *session)
{
    return session->turn.is_mail ? REPLY_MAIL_UNITS_MAX : REPLY_UNITS_MAX;
}
