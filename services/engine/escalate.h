/* What a turn opens by its commit without being asked to: its texts hold a word that the tenant
 * looks for, no model answered, or a tool of the tenant's was away and nobody would see it. */
#ifndef DESK_ENGINE_ESCALATE_H
#define DESK_ENGINE_ESCALATE_H

#include "assistants.h"
#include "session.h"

/* Fills the trigger of session->commit, and adds to a model's reply what the customer is told of
 * it: reply and escalation are committed together, so it is true when it is read. Behind the rest
 * of prepare_commit. */
void escalate_prepare(struct session *session, const struct assistant *assistant);

#endif
