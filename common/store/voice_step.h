/* What a call in webhook mode writes and asks besides what all calls do (store/voice.h): which
 * request of which step is the newest, and what a step was answered. As there. */
#ifndef DESK_STORE_VOICE_STEP_H
#define DESK_STORE_VOICE_STEP_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "base/arena.h"
#include "base/uuid.h"
#include "pg/pg.h"

/* A request of a step, as its record tells. */
struct voice_step {
    const char *tenant;
    struct uuid session;
    const char *call_sid;
    int64_t partition; /* of desk.voice.stream, that its ingress reads */
    int64_t step;      /* from 1 */
    int64_t wait;      /* for how many times it is waited for; 0: its first request */
};

/* Adds that the newest of them names where the call is now, behind the claim and its locks and in
 * front of a start: an older one changes nothing. A step after the last one proves that all which
 * was said before was heard. 1 statement, no rows. */
void voice_step_add(struct pg_unit *unit, struct arena *arena, const struct voice_step *steps,
                    size_t count);

/* Adds the question what they were answered, if they were, also what was said to a caller who came
 * back from a transfer; 1 statement. */
void voice_step_add_answers(struct pg_unit *unit, struct arena *arena,
                            const struct voice_step *steps, size_t count);

/* What a step was answered; texts are borrowed from the answer. */
struct voice_step_answer {
    size_t index; /* into the steps given */
    struct uuid turn;
    int64_t number, fence, epoch; /* of the turn */
    const char *text;
    const char *handoff, *lang; /* "" if none */
};

/* Reads row `row` of statement `s`; false when there is none. Not answered any more is what a
 * person took over since, or a call that is over. */
bool voice_step_read_answer(const struct pg_answer *answer, int s, int row,
                            struct voice_step_answer *out);

/* What goes with a call's reply besides its words. */
struct voice_step_way {
    const char *tenant;
    struct uuid turn;
    int64_t fence, sockets; /* of the commit */
    const char *handoff;    /* to a step; NULL: none */
    const char *lang;       /* that the call is held in from there on; NULL: as before */
};

/* Adds, behind the statement that commits the turns, that they have it, if they were committed, and
 * that their calls are held in that language, unless another socket begins in the usual one; 1
 * statement, no rows. */
void voice_step_add_ways(struct pg_unit *unit, struct arena *arena,
                         const struct voice_step_way *ways, size_t count);

/* Its frequent statements, NULL-terminated, for store/statements.h. */
extern const char *const voice_step_statements[];

#endif
