/* Before and after a call of a model of a chain, whoever makes it: whether the model can be asked
 * now (its breaker, the calls at once, the limits per minute), and what the call's end tells these.
 * think.c asks for turns, summary.c for summaries. Loop thread. */
#ifndef DESK_ENGINE_ASKING_H
#define DESK_ENGINE_ASKING_H

#include <stdbool.h>
#include <stdint.h>

#include "crowd.h"
#include "engine.h"
#include "rate.h"

struct assistant_model;
struct llm_result;

/* A model that a tenant's chain names. Texts live as long as what is held. */
struct asking_model {
    const char *tenant, *breaker; /* breaker_key_of */
    const char *account;          /* rate_key */
    int index;                    /* in the chain */
    const struct assistant_model *model;
};

/* What a call of it, to come or at work, has of these; all zero: nothing. */
struct asking_hold {
    bool is_probe;          /* of the breaker */
    struct rate_place rate; /* waited for, or the call's */
    struct crowd_place crowd;
};

/* In the arena. `model` NULL: not known any more, then it can only be ended, cut or given back. */
struct asking_model asking_model(struct arena *arena, const char *tenant, const char *assistant,
                                 int version, int index, const struct assistant_model *model);

/* Whether it is something. */
bool asking_holds(const struct asking_hold *hold);

struct asking_wish {
    int64_t tokens;  /* that the call may take of a minute's */
    int64_t most_ms; /* that its place within the minute is waited for */
    bool may_probe;  /* it may be the only call of a model that is troubled */
};

enum asking_answer {
    ASKING_TAKEN,
    ASKING_LEFT_ALONE, /* by its breaker */
    ASKING_CROWDED,    /* it has as many calls as it may: nobody knows for how long */
    ASKING_LATE        /* no place within the minute comes soon enough */
};

/* Takes for a call what it needs; *wait_ms: until its place within the minute, or, if it is not
 * taken, for how long it cannot be asked (INT64_MAX: not known). `hold` is nothing before, but
 * perhaps for a place among the calls at once; where nothing is taken it is nothing behind. */
enum asking_answer asking_take(struct engine *engine, const struct asking_model *which,
                               const struct asking_wish *wish, struct asking_hold *hold,
                               int64_t *wait_ms);

/* Gets in line behind the calls at once of that model (crowd.h). */
bool asking_wait(struct engine *engine, const struct asking_model *which,
                 struct crowd_entry *entry);

/* The call has ended, well or not: breaker, log and limits are told, and a tenant's recovery if its
 * model is back. */
void asking_ended(struct engine *engine, const struct asking_model *which, struct asking_hold *hold,
                  const struct llm_result *result);

/* It was cut: that says neither good nor bad of the model, and what it took of its limits stays
 * taken. */
void asking_cut(struct engine *engine, const struct asking_model *which, struct asking_hold *hold);

/* It is not made: all is free again. May be nothing. */
void asking_give_back(struct engine *engine, const struct asking_model *which,
                      struct asking_hold *hold);

#endif
