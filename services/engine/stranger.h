/* Who is answered may not be who he says: a mail that no server has verified, a call whose number
 * the carrier has found not to be the caller's, or does not vouch for where the tenant wants that
 * (docs/adr/0010). Nothing of the account is told to him or changed for him. Never of texts, whose
 * answer goes to the number that they bear. Pure. Loop thread. */
#ifndef DESK_ENGINE_STRANGER_H
#define DESK_ENGINE_STRANGER_H

#include <stdbool.h>
#include <stddef.h>

struct assistant;
struct session;

/* Our own instructions for them: no reply may quote them. */
#define STRANGER_RULES 2
extern const char *const stranger_rules[STRANGER_RULES];

/* Whether the turn answers such a one, by what the version wants of callers. */
bool stranger_is(const struct session *session, const struct assistant *assistant);

/* What the model is told of him at this moment; NULL: nothing, it is none. */
const char *stranger_brief(const struct session *session, const struct assistant *assistant);

#endif
