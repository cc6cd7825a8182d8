/* What the model is told besides the rules and the conversation: the time at the business, the
 * customer's appointments, passages of its knowledge. Read once for each start of a turn, if the
 * assistant's workflow has anything of it, and then the same for all of the turn's rounds. */
#ifndef DESK_ENGINE_BRIEFING_H
#define DESK_ENGINE_BRIEFING_H

#include <stdbool.h>

#include "assistants.h"
#include "base/strbuf.h"

struct session;

struct briefing {
    bool ready;
    const char *text;     /* lines for the prompt, in the turn's arena; NULL: none */
    const char *passages; /* JSON array of what was found, for the record; NULL: none */
};

/* Whether the assistant's prompts need one. */
bool briefing_is_needed(const struct assistant *assistant);

/* Reads it for the session's turn; think_briefed follows, with false if the database did not
 * answer. Never from inside. */
void briefing_read(struct session *session, const struct assistant *assistant);

#endif
