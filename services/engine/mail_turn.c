/* A turn that answers a mail: see mail_turn.h. think.c, briefing.c and prepare.c ask. */
#include "mail_turn.h"

#include "reply.h"
#include "session.h"

static const char channel_rules[] =
    "This is an e-mail now, not a text message. Write the whole mail that the customer gets, and "
    "nothing else: a greeting, by the customer's name where you know it; the answer to everything "
    "that was asked, in short paragraphs of plain text, as long as it takes and no longer; a "
    "closing line and the name of the business. Write no subject line and no mark-up, and keep to "
    "the subject of the thread. Files that came with a mail are named to you, but you cannot read "
    "them: where the answer depends on one, say that a person will look at it.\n";

static const char stranger_rules[] =
    "Nobody has shown that this mail is from the person whose address it bears. Answer what "
    "anybody may know. Tell nothing of that person: no appointments, no data, nothing of what was "
    "said before. Where that is wanted, ask the writer to phone, or pass it on to a person.\n";

const char *mail_turn_brief(const struct session *session)
{
    if (!session->turn.is_mail)
        return NULL;
    if (!mail_turn_is_stranger(session))
        return channel_rules;
    return arena_printf(session->arena, "%s%s", channel_rules, stranger_rules);
}

bool mail_turn_is_stranger(const struct session *session)
{
    return session->turn.is_mail && !session->turn.verified;
}

size_t mail_turn_reply_units(const struct session *session)
{
    return session->turn.is_mail ? REPLY_MAIL_UNITS_MAX : REPLY_UNITS_MAX;
}
