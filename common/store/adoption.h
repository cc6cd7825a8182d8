/* Adoption of sessions that are due and have nobody alive, fair by tenant (docs/PROTOCOL.md,
 * workers). Texts live until the unit is done. Loop thread. */
#ifndef DESK_STORE_ADOPTION_H
#define DESK_STORE_ADOPTION_H

#include <stdbool.h>
#include <stdint.h>

#include "base/arena.h"
#include "base/uuid.h"
#include "pg/pg.h"

struct adoption {
    const char *worker;
    int64_t lease_ms;
    const char *held; /* array literal of the session ids in memory */
    const char *full; /* array literal of the tenants that get no more room in memory */
    int limit;
};

/* Marks lapsed engines dead and frees their sessions, then names the worker on up to `limit` due
 * sessions that nobody owns, and lists as many of those already ours that are not `held`; both
 * fair by tenant, and none of those that are `full`. */
void adoption_add(struct pg_unit *unit, struct arena *arena, const struct adoption *adoption);

enum adopted_kind { ADOPTED_CALL, ADOPTED_TEXT, ADOPTED_MAIL };

struct adopted {
    struct uuid session, conversation;
    char tenant[UUID_TEXT_SIZE];
    int64_t claimed;
    enum adopted_kind kind;
};

/* Reads row `row` over both lists; false when there is none. */
bool adoption_read(const struct pg_answer *answer, int row, struct adopted *out);

/* Its frequent statements, NULL-terminated, for store/statements.h. */
extern const char *const adoption_statements[];

#endif
