/* The rows of model calls (llm_calls), and what they add to a tenant's usage: a call is counted by
 * the unit that stores its row, and by no other (docs/PROTOCOL.md, budgets). Loop thread. */
#ifndef DESK_STORE_CALLS_H
#define DESK_STORE_CALLS_H

#include <stddef.h>

#include "base/arena.h"
#include "base/uuid.h"
#include "pg/pg.h"
#include "store/turn.h"

/* Calls that were made for one turn. */
struct calls_of_turn {
    const char *tenant;
    struct uuid turn;
    const struct turn_llm_call *calls;
    size_t count; /* at most TURN_CALLS_MAX */
};

/* Adds, behind the rounds of these turns (round.h), the storing and counting of the calls that they
 * made so far, whatever became of the rounds: who dies behind it loses none of them. Of a turn that
 * still runs under `worker` its reservation is less by what is counted. Sent again it changes
 * nothing. */
void calls_add_of_rounds(struct pg_unit *unit, struct arena *arena, const char *worker,
                         const struct calls_of_turn *turns, size_t count);

/* Adds to an empty unit the storing and counting of calls whose turn will not commit them: a person
 * or another worker has it. Nobody's turn, worker or fence is asked: the calls were made. Rows that
 * are there already, and turns that were erased, count nothing, so the unit may be sent again. No
 * rows come back. Texts live until the unit is done. */
void calls_add_left(struct pg_unit *unit, struct arena *arena, const struct calls_of_turn *turns,
                    size_t count);

/* Its frequent statements, NULL-terminated, for store/statements.h. */
extern const char *const calls_statements[];
extern const char *const calls_store_statements[];

#endif
