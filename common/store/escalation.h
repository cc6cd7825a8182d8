/* What waits for a person (docs/PROTOCOL.md, escalations). Texts live until the unit is done. Loop
 * thread. */
#ifndef DESK_STORE_ESCALATION_H
#define DESK_STORE_ESCALATION_H

#include "base/arena.h"
#include "base/uuid.h"
#include "pg/pg.h"

struct escalation_opening {
    const char *tenant;
    struct uuid id; /* of the tool call that opens it, which must have begun */
    const char *reason, *summary;
    const char *caller, *call_back, *promised; /* or NULL */
};

/* Adds one statement, behind round_add_begin in the same unit: opens an escalation in the
 * conversation of the call's turn if the call has begun; once, however often it is repeated. */
void escalation_add_open(struct pg_unit *unit, struct arena *arena,
                         const struct escalation_opening *opening);

/* Its frequent statements, NULL-terminated, for store/statements.h. */
extern const char *const escalation_statements[];

#endif
