/* Budgets: what running turns may use at most is reserved before their models are asked
 * (docs/PROTOCOL.md, budgets). What they used is counted by their commit (store/turn.h). Used by
 * the engine, for tenants that have budgets. Loop thread. */
#ifndef DESK_STORE_USAGE_H
#define DESK_STORE_USAGE_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "base/arena.h"
#include "base/uuid.h"
#include "pg/pg.h"

/* Model tokens, both ways; billionths of a US dollar; segments of text messages. */
struct usage_amounts {
    int64_t tokens, cost, segments;
};

/* A tenant's budgets; -1: none. */
struct usage_limits {
    struct usage_amounts day, month;
};

struct usage_wish {
    const char *tenant;
    struct uuid turn;
    int64_t fence;             /* of the turn's start */
    struct usage_amounts most; /* that the turn may use, 0 or more each */
    struct usage_amounts used; /* of that already, by tokens and cost */
    struct usage_limits limits;
};

/* Adds to an empty unit the reservations of `count` (1-500) turns of `worker`: each is judged after
 * those before it. A turn that has as much keeps it; one that needs more is judged anew, and while
 * it must wait only what it has used stays reserved. Rows: usage_read_reserved. */
void usage_add_reserve(struct pg_unit *unit, struct arena *arena, const char *worker,
                       const struct usage_wish *wishes, size_t count);

/* Adds, last of all locks, that on the tenant's reservations: what the next statement of the unit
 * finds spent and reserved stays so until its end. */
void usage_add_lock(struct pg_unit *unit, struct arena *arena, const char *tenant);

enum usage_kind {
    USAGE_RESERVED, /* the turn may go on */
    USAGE_FULL,     /* what is left is reserved by other turns: come again */
    USAGE_SPENT,    /* a budget is spent, with what waiting turns have used */
    USAGE_LOST,     /* the turn is not running under that worker and fence any more */
    USAGE_AGAIN,    /* somebody is at the turn's row at this moment: come again */
};

struct usage_reserved {
    size_t index; /* into the wishes given */
    enum usage_kind kind;
    int64_t day_per_cent,
        month_per_cent;      /* spent, of the budget that is nearest its end; 0: none */
    const char *day, *month; /* their first days, "2026-11-28"; "" for USAGE_LOST */
};

/* Reads row `row`, texts borrowed from the answer; false when there is none. */
bool usage_read_reserved(const struct pg_answer *answer, int row, struct usage_reserved *out);

/* Its frequent statements, NULL-terminated, for store/statements.h. */
extern const char *const usage_statements[];

#endif
