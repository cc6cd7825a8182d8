/* Rounds of a turn and the calls of its tools (docs/PROTOCOL.md, rounds and tools).
 *
 * A round is stored before its calls have an effect. A call begins under worker, fence and epoch in
 * the unit that has its effect, or before it if the effect lies outside; it is done with its
 * result. Each adds its statements to an empty unit, locks first. Texts live until the unit is
 * done. Loop thread. */
#ifndef DESK_STORE_ROUND_H
#define DESK_STORE_ROUND_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "base/arena.h"
#include "base/uuid.h"
#include "pg/pg.h"
#include "store/calls.h"

#define ROUND_CALLS_MAX 16

struct round_call {
    struct uuid id; /* fresh; the idempotency key of its effect */
    const char *provider_id, *name, *arguments;
    const char *signature; /* or NULL */
};

/* The turn as its start gave it. */
struct round_turn {
    const char *tenant;
    struct uuid session, conversation, turn;
    int64_t fence, epoch, claimed;
    bool final; /* recomputed twice already: newer events do not matter */
};

struct round {
    struct round_turn of;
    int64_t number, after_position;
    const char *said; /* the model's text beside its calls */
    const struct round_call *calls;
    size_t call_count;                 /* 1 to ROUND_CALLS_MAX */
    const struct turn_llm_call *asked; /* calls of models by then that are not stored */
    size_t asked_count;
};

/* What a statement about a running turn was answered. */
enum round_kind {
    ROUND_OK,
    ROUND_NEWER, /* an event came after the prompt, and nothing has begun: recompute */
    ROUND_EPOCH, /* a person took or gave back: the session was given back */
    ROUND_LOST,  /* another worker or fence has the session */
};

/* Adds the storing of `count` rounds (at most 500), each of another session, and of the calls of
 * models that led to them (calls.h). Sent again after a lost answer it changes nothing. Rows:
 * round_read. */
void round_add_store(struct pg_unit *unit, struct arena *arena, const char *worker,
                     const struct round *rounds, size_t count);

/* Reads row `row`: the index into the rounds given, and what became of it; false when there is
 * none.
 */
bool round_read(const struct pg_answer *answer, int row, size_t *index, enum round_kind *kind);

/* Adds the begin of a call: it is `started` if nothing newer came. The statements of its effect
 * come behind it in the unit, and have one only for a call in that state whose row this very
 * transaction has written: a begin that is refused writes nothing, and the call may be `started`
 * from an earlier try. */
void round_add_begin(struct pg_unit *unit, struct arena *arena, const char *worker,
                     const struct round_turn *turn, const struct uuid *call);

/* Adds the end of a call with its outcome ("ok", "refused", "failed", or "unknown" where the effect
 * may have happened) and result. One that never
 * began (a question, or refused before any effect) is only done if nothing newer came. */
void round_add_finish(struct pg_unit *unit, struct arena *arena, const char *worker,
                      const struct round_turn *turn, const struct uuid *call, const char *outcome,
                      const char *result);

/* A turn whose commit is in front of it in the unit. */
struct round_over {
    const char *tenant;
    struct uuid turn;
};

/* Adds, behind the commit of these turns, the end of their calls that have begun and were not heard
 * of: `done`, with the outcome "ok" where a row of ours with the call's id shows the effect, else
 * "unknown". It does nothing for a turn that still runs. */
void round_add_unheard(struct pg_unit *unit, struct arena *arena, const struct round_over *turns,
                       size_t count);

/* The answer's word on a begin or a finish, which are the first in their unit. */
enum round_kind round_read_call(const struct pg_answer *answer);

/* Statements that a begin or finish puts in front: results of an effect start behind them. */
#define ROUND_CALL_STATEMENTS 3

/* Its frequent statements, NULL-terminated, for store/statements.h. */
extern const char *const round_statements[];
extern const char *const round_store_statements[];

#endif
