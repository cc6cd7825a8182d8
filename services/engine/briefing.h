/* What the model is told besides the rules and the conversation: the time at the business, the
 * customer's appointments, passages of its knowledge. Read once for each start of a turn, if the
 * assistant's workflow has anything of it, and then the same for all of the turn's rounds. */
#ifndef DESK_ENGINE_BRIEFING_H
#define DESK_ENGINE_BRIEFING_H

#include <stdbool.h>

#include "assistants.h"
#include "base/strbuf.h"

struct session;
struct sessions;

struct briefing {
    bool ready;
    bool timed;           /* the clock was asked in this run of the turn; `open` is its answer */
    int open;             /* workflow_is_open */
    const char *text;     /* lines for the prompt, in the turn's arena; NULL: none */
    const char *passages; /* JSON array of what was found; NULL: none */
    const char *answer;   /* the passage that may be quoted without a model; NULL: none */
    const char *quoted;   /* as `passages`, of the search that found `answer` */
};

/* Whether the assistant's prompts need one. */
bool briefing_is_needed(const struct assistant *assistant);

/* Whether the business is closed and its workflow says so and so of that. Before the clock was
 * asked, and for a business without hours, it is open. */
bool briefing_says(const struct briefing *briefing, const struct assistant *assistant,
                   enum workflow_closed mode);

/* Reads it for the session's turn, which thinks or acts and whose assistant is in memory;
 * think_briefed follows, never from inside. */
void briefing_read(struct session *session);

/* ---- ahead of a call's turn: briefing_ahead.c ---- */

/* What its start is expected to find. Texts are borrowed for the call. */
struct briefing_guess {
    struct uuid session, contact;
    const char *words; /* the caller's, of the claim */
    const char *assistant;
    int version;
    bool has_knowledge;
};

/* Reads the briefings of sessions that are starting, as far as units may be on their way; whoever
 * got none reads it behind the start as all others do. */
void briefing_ask_ahead(struct sessions *sessions, const struct briefing_guess *guesses,
                        size_t count);

/* Whether what was read ahead is there and is that of the turn as it was started: then the session
 * has it. */
bool briefing_take_ahead(struct session *session);

/* Forgets what was read ahead, if anything. */
void briefing_drop_ahead(struct session *session);

#endif
