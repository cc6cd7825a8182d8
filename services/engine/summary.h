/* Summaries of what no longer fits into prompts, made after commits and beside the turns: nothing
 * waits for one, and if none is made, the oldest messages are left out as before. Loop thread. */
#ifndef DESK_ENGINE_SUMMARY_H
#define DESK_ENGINE_SUMMARY_H

#include "engine.h"

struct session;
struct summaries;

/* Returns owned, empty. */
struct summaries *summaries_new(struct engine *engine);

/* Stops what is left of them, without a trace; frees; sets to NULL; accepts NULL. After pg_free. */
void summaries_free(struct summaries **summaries);

/* The session's turn was committed, and is still in memory: summarises what its prompt left out,
 * or all of a conversation that ended with it; with the first reply of a conversation, what the
 * contact's last one has been. One at a time for a contact's conversation, few of a tenant and few
 * in all, within the tenant's budgets, by the first model of the chain that is not in trouble, and
 * when it fails by the next. */
void summaries_after(struct summaries *summaries, struct session *session);

/* Drain: no new ones, and calls of models are stopped, which is written. */
void summaries_stop(struct summaries *summaries);

/* Units on their way that would write. */
bool summaries_in_flight(const struct summaries *summaries);

#endif
