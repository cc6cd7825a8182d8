/* Conversations whose last answer was made without a model, and asking for a model's answer after
 * all (docs/RECEPTION.md, recovery): by deskctl for a person, or by the engine's job. Both make the
 * recovery's event with the same statement. */
#ifndef DESK_STORE_RECOVER_H
#define DESK_STORE_RECOVER_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "base/arena.h"
#include "base/err.h"
#include "base/uuid.h"
#include "pg/pg.h"

#define RECOVER_ROWS_MAX 1000

/* An inbox event of this id, and behind it the id of the turn without a model, asks the desk to
 * answer again. It is made once for a turn, so that nobody is answered twice. */
#define RECOVER_EVENT "recover:"

/* ---- for deskctl: blocking, inside a transaction that schema_begin_as_ops opened. Texts are in
 * the arena. One thread. ---- */

struct recover_row {
    const char *tenant, *conversation, *address;
    const char *outcome, *at, *answer_by; /* "fallback" or "degraded"; RFC 3339 UTC */
    const char *task;                     /* "open", "accepted"; NULL: people were given none */
    bool allowed;                         /* the tenant's file has `recover.answer: true` */
    const char *tenant_id, *session, *turn;
};

/* Those still within their answer-by time that nobody answered since on any number, that no person
 * holds or has closed the task of, whose customer has not opted out, and for which no earlier try
 * had effects: of a tenant (NULL: all), the oldest first, at most `limit` (1-RECOVER_ROWS_MAX). */
int recover_list(struct pg_session *session, struct arena *arena, const char *tenant, int64_t limit,
                 struct recover_row **rows, size_t *count, struct err *err);

/* Makes the session of the row due for one more turn, if all of the above still holds and the
 * tenant allows it; *armed tells. Writes the audit row as `actor`. */
int recover_answer(struct pg_session *session, const struct recover_row *row, const char *actor,
                   bool *armed, struct err *err);

/* ---- for the engine: units; texts live until they are done. Loop thread. ---- */

/* The tenant's job, made when a turn without a model is found and its file has `by_itself`. Its
 * `since` is the last try's time, or when it was woken since, `worker` who made it, `tries` how
 * many in a row found no model. */
struct recover_look {
    int64_t first_ms;  /* until a new job is due */
    int64_t within_ms; /* older turns are not looked at */
    int limit;         /* jobs in one look */
};

/* A due job, and the conversation that comes next. */
struct recover_due {
    struct uuid tenant;
    int tries;
    bool busy;                               /* it is not its time */
    struct uuid conversation, session, turn; /* nil: none is left */
    bool failed;                             /* in the last try no model answered, */
    int64_t failed_ms;                       /* so long ago, */
    bool no_model; /* and because none was there: not for closed hours or a budget */
};

/* Adds what makes jobs and reads the due ones. None are due while the installation is held. */
void recover_add_look(struct pg_unit *unit, struct arena *arena, const struct recover_look *look);

/* Reads row `row`; false: no more. */
bool recover_read_due(const struct pg_answer *answer, int row, struct recover_due *out);

/* What is done about it. */
struct recover_step {
    const char *worker; /* not NULL: the conversation is answered, in this worker's name */
    int64_t next_ms; /* until the job is due again; -1: when there is a new turn without a model */
    int tries;
};

/* Adds the step, to an empty unit: the job moves on if it is still due, so that one engine of many
 * takes it; then, as recover_answer does, the session is made due if all still holds. */
void recover_add_step(struct pg_unit *unit, struct arena *arena, const struct recover_due *due,
                      const struct recover_step *step);

/* Adds one statement: a model of the tenant's is back, so that its job, if there is one that pauses
 * (is due later than in `every_ms`), is due now, and what its tries found before says nothing. */
void recover_add_wake(struct pg_unit *unit, struct arena *arena, const char *tenant,
                      int64_t every_ms);

/* How many sessions the step made due: 0 or 1. */
int64_t recover_read_armed(const struct pg_answer *answer);

/* Its frequent statements, NULL-terminated, for store/statements.h. */
extern const char *const recover_statements[];

#endif
