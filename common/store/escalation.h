/* What waits for a person (docs/PROTOCOL.md, escalations). Texts live until the unit is done. Loop
 * thread. */
#ifndef DESK_STORE_ESCALATION_H
#define DESK_STORE_ESCALATION_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "base/arena.h"
#include "base/uuid.h"
#include "pg/pg.h"

struct escalation_opening {
    const char *tenant;
    struct uuid id; /* of the tool call that opens it, which must have begun */
    const char *reason, *summary;
    const char *caller, *call_back, *promised; /* or NULL */
    bool calls;                                /* the rota is told: its timer starts */
};

/* Adds two statements, behind round_add_begin in the same unit: opens an escalation in the
 * conversation of the call's turn if the call has begun; once, however often it is repeated, and
 * not, unless it is a message, where one is enough, be it of another session at this moment. */
void escalation_add_open(struct pg_unit *unit, struct arena *arena,
                         const struct escalation_opening *opening);

enum escalation_opened {
    ESCALATION_OPENED, /* now, or by an earlier try of the call */
    ESCALATION_LISTED, /* another one waits for people who look, */
    ESCALATION_ASKED,  /* people are being asked about another one, */
    ESCALATION_TAKEN,  /* somebody has accepted another one: it is enough */
};

/* What came of it, from those statements, which begin at `first`, of an answer whose call has
 * begun.
 */
enum escalation_opened escalation_read_opened(const struct pg_answer *answer, int first);

/* Reasons of tasks of their own, no wishes for a person: a message, and what a tenant's tool was to
 * do. In SQL. */
#define ESCALATION_TASKS "('message', 'tool_outage')"

/* What a turn opens by its commit, without being asked to. */
struct escalation_trigger {
    const char *reason;  /* policy_word, provider_outage, tool_outage; NULL: none */
    bool if_repeated;    /* or repeated_failure, if the turn before this one had no answer either */
    struct uuid id;      /* the same for the same cause */
    const char *summary; /* for somebody who has read nothing */
    const char *promised; /* what the customer is told; or NULL */
    const char *if_taken; /* the whole reply where somebody has accepted one already; or NULL */
    bool calls;           /* the rota is told */
};

struct escalation_of_turn {
    const char *tenant;
    struct uuid turn;
    int64_t fence;
    struct escalation_trigger trigger;
};

/* Adds two statements, behind turn_add_commit's in the same unit: opens what the turns that it
 * committed under this worker and fence opened; one for a conversation, and nothing where the
 * conversation has an escalation, no message, that somebody accepted (the reply is then if_taken,
 * unless a send of it has begun) or that the rota is being told of. Of an outage of a tenant's
 * models the rota is told once an hour; the others are only listed. A conversation has one
 * tool_outage at a time. */
void escalation_add_of_turns(struct pg_unit *unit, struct arena *arena, const char *worker,
                             const struct escalation_of_turn *rows, size_t count);

/* Its frequent statements, NULL-terminated, for store/statements.h. */
extern const char *const escalation_statements[];

#endif
