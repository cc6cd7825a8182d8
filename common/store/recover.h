/* Conversations whose last answer was made without a model, and asking for a model's answer after
 * all (docs/RECEPTION.md, recovery). For deskctl: blocking, inside a transaction that
 * schema_begin_as_ops opened. Texts are in the arena. One thread. */
#ifndef DESK_STORE_RECOVER_H
#define DESK_STORE_RECOVER_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "base/arena.h"
#include "base/err.h"
#include "pg/pg.h"

#define RECOVER_ROWS_MAX 1000

/* An inbox event of this id, and behind it the id of the turn without a model, asks the desk to
 * answer again. It is made once for a turn, so that nobody is answered twice. */
#define RECOVER_EVENT "recover:"

struct recover_row {
    const char *tenant, *conversation, *address;
    const char *outcome, *at, *answer_by; /* "fallback" or "degraded"; RFC 3339 UTC */
    const char *task;                     /* "open", "accepted"; NULL: people were given none */
    bool allowed;                         /* the tenant's file has `recover.answer: true` */
    const char *tenant_id, *session, *turn;
};

/* Those still within their answer-by time that nobody answered since, that no person holds or has
 * closed the task of, and whose customer has not opted out: of a tenant (NULL: all), the oldest
 * first, at most `limit` (1-RECOVER_ROWS_MAX). */
int recover_list(struct pg_session *session, struct arena *arena, const char *tenant, int64_t limit,
                 struct recover_row **rows, size_t *count, struct err *err);

/* Makes the session of the row due for one more turn, if all of the above still holds and the
 * tenant allows it; *armed tells. Writes the audit row as `actor`. */
int recover_answer(struct pg_session *session, const struct recover_row *row, const char *actor,
                   bool *armed, struct err *err);

#endif
