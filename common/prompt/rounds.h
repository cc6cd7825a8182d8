/* The rounds of a running turn in memory: what the model said and asked for before its last word,
 * and what its tools answered. They live in the turn's arena; the rows are the truth
 * (store/round.h). Loop thread. */
#ifndef DESK_PROMPT_ROUNDS_H
#define DESK_PROMPT_ROUNDS_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "base/arena.h"
#include "base/err.h"
#include "base/uuid.h"
#include "llm/llm.h"
#include "store/round.h"

/* Rounds that call tools in one turn; after these the model must answer. */
#define ROUNDS_MAX 6

struct rounds_call {
    struct uuid id;
    const char *provider_id, *name, *arguments, *signature; /* signature may be NULL */
    bool begun, done;
    const char *outcome, *result; /* once done; before: known, and its end not written yet */
};

struct rounds_round {
    int64_t number, after_position, claimed;
    const char *said;
    struct rounds_call calls[ROUND_CALLS_MAX];
    size_t call_count;
};

struct rounds {
    struct rounds_round *items[ROUNDS_MAX];
    size_t count;
    int64_t last_number; /* the highest one given */
};

/* Reads what a start found; "" are none. BUG "rounds.stored" if it is not what turn_add_start
 * makes.
 */
int rounds_read(struct arena *arena, const char *json, struct rounds *rounds, struct err *err);

/* What a new round is made of. */
struct rounds_said {
    const struct llm_result *result; /* with calls; copied */
    int64_t after_position, claimed;
};

/* Appends a round with fresh ids; NULL when there is no room. */
struct rounds_round *rounds_add(struct arena *arena, struct rounds *rounds,
                                const struct rounds_said *said);

/* The first call that is not done; NULL if none. One of a round older than `claimed` that has not
 * begun is passed over: it ends, in memory, as refused, since the customer wrote again. */
struct rounds_call *rounds_next(struct rounds *rounds, int64_t claimed);

/* The last earlier call of the turn that asked the same tool for the same and was done, or may have
 * been; NULL if none. */
const struct rounds_call *rounds_same(const struct rounds *rounds, const struct rounds_call *call);

/* Whether a call of that tool is done and went well, with nothing newer claimed since its round. */
bool rounds_have_done(const struct rounds *rounds, int64_t claimed, const char *tool);

/* Whether a call is left that is not done. */
bool rounds_have_open(const struct rounds *rounds);

/* Whether another round with tools may follow. */
bool rounds_have_room(const struct rounds *rounds);

#endif
