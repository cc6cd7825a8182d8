/* The claim of what a caller says in a call that goes on: one event, where nothing is to be looked
 * at but the call itself (docs/PROTOCOL.md, claim). Anything else is left to the whole claim of
 * inbox.h, in a unit of its own: this one then leaves nothing behind. Loop thread. */
#ifndef DESK_STORE_INBOX_CALL_H
#define DESK_STORE_INBOX_CALL_H

#include "store/inbox.h"

struct inbox_call {
    const struct inbox_event *event; /* without a word of consent or a code */
    const char *call_sid;
    int64_t partition; /* of desk.voice.stream */
    int64_t answer_within_ms, quiet_ms;
};

/* Adds the claim to an empty unit, with where the call is now; INBOX_CALL_STATEMENTS. Returns its
 * id, in the arena, with which turn_add_fresh must follow: a row of that tells that the event was
 * claimed, and without one the event may be claimed or not, and the whole claim follows. Texts live
 * until the unit is done; others are made in the arena. */
const char *inbox_call_add(struct pg_unit *unit, struct arena *arena, const char *worker,
                           const struct inbox_call *call);

#define INBOX_CALL_STATEMENTS 2

/* Its frequent statements, NULL-terminated, for store/statements.h. */
extern const char *const inbox_call_statements[];

#endif
