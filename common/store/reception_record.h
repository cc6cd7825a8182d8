/* What the reception without a model has noted (docs/RECEPTION.md): one row for each session of a
 * conversation, read with a turn's start (turn.h), written in the unit of its commit. Texts live
 * until the unit is done. Loop thread. */
#ifndef DESK_STORE_RECEPTION_RECORD_H
#define DESK_STORE_RECEPTION_RECORD_H

#include <stddef.h>
#include <stdint.h>

#include "base/arena.h"
#include "base/uuid.h"
#include "pg/pg.h"

#define RECEPTION_RECORD_AS_IT_WAS (-1) /* of due_ms */

/* The row as it is to be, whatever it was. */
struct reception_record {
    const char *asked; /* "nothing", "name", "reason", "call_back", "done" */
    int64_t tries;
    const char *caller, *reason, *call_back; /* or NULL */
    int64_t position;                        /* of the newest message that was read for it */
    const char *escalation;                  /* id of the task, as text; NULL: nothing is noted */
    const char *summary; /* not NULL: the task for people is made, or gets what is new */
    int64_t due_ms;      /* from now; 0: never; RECEPTION_RECORD_AS_IT_WAS */
};

/* Of which turn. */
struct reception_keep {
    const char *tenant;
    struct uuid session, conversation, turn;
    int64_t fence;
    struct reception_record record;
};

/* Adds one statement behind the commits of these turns, in their unit: writes the rows, and the
 * escalations of reason `message`, of those turns that are over under that fence; a commit that was
 * refused keeps nothing, one that is sent again writes the same. A task that was closed meanwhile
 * opens again: it says more now. */
void reception_record_add_keep(struct pg_unit *unit, struct arena *arena,
                               const struct reception_keep *rows, size_t count);

/* Adds the look for notes whose time has come: each becomes a task unless a person wrote in the
 * conversation since; while a person holds it, it waits `again_ms` more. At most `limit` rows, each
 * once. Rows: one count. */
void reception_record_add_overdue(struct pg_unit *unit, struct arena *arena, int limit,
                                  int64_t again_ms);

/* How many tasks the look made. */
int64_t reception_record_read_overdue(const struct pg_answer *answer);

/* Its frequent statements, NULL-terminated, for store/statements.h. */
extern const char *const reception_record_statements[];

#endif
