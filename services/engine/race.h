/* A race to the first word. On a call somebody listens to the silence while a model is slow to
 * begin, so the next model of the chain that can be asked at once is asked too: whoever has the
 * first word, be it text or a call of a tool, gives the answer, and the other is cancelled. Two at
 * most at a time, one race a call. What comes before the race is decided is nobody's: no text of a
 * loser is ever told. think.c calls it; loop thread. */
#ifndef DESK_ENGINE_RACE_H
#define DESK_ENGINE_RACE_H

#include <stdbool.h>
#include <stdint.h>

#include "asking.h"
#include "assistants.h"
#include "llm/llm.h"

struct session;

/* A model of the chain that a turn asks, and all that goes with this one call. */
struct ask {
    struct llm_call *call; /* NULL: none is at work */
    int model_index;
    struct asking_hold hold;
    int64_t queue_ms;          /* what the call had to wait */
    int64_t call_started_ms;   /* wall clock */
    int64_t prompt_position;   /* of the newest message that the model was told */
    int64_t prompt_tokens;     /* by our estimate */
    int64_t left_out;          /* messages below this position are not in the prompt; 0: all are */
    const char *prompt_record; /* what is kept of the last prompt; NULL: there was none */
    const char *prompt_passages; /* JSON: those that it held; NULL: none */
    bool is_first; /* by it nobody had said anything to the customer in the conversation */
};

/* How long the first word of that model is waited for before the next one is asked too; 0: it is
 * not raced. */
int64_t race_after_ms(const struct assistant_model *model);

/* Whether the session's turns are raced: only where somebody waits in silence, since the loser is
 * billed, too. */
bool race_is_wanted(const struct session *session, const struct assistant *assistant);

/* The session's model was asked: if it is slow, EVENT_DUE will come. */
void race_plan(struct session *session, const struct assistant *assistant);

/* It is slow: the next one is asked, if one can be asked at once. */
void race_start(struct session *session);

/* The session's own call has its first word (arg: the session): its rival, if any, has lost. */
void race_won(void *arg);

/* The session's own call has failed with *err. True: its rival is the session's own from now on.
 * A refusal ends the race: what it would not read or write is not asked of another. */
bool race_goes_on(struct session *session, const struct err *err);

/* The turn needs no answer any more: the rival, if any, is stopped. */
void race_stop(struct session *session);

#endif
