/* What merge and split have in common: parameters by letter, and what moves with a conversation's
 * sessions. Included by merge*.c only. One thread. */
#ifndef DESK_STORE_MERGE_INSIDE_H
#define DESK_STORE_MERGE_INSIDE_H

#include "store/merge.h"

/* The parameters of all steps, by letter; NULL is SQL NULL. */
struct merge_words {
    const char *tenant;    /* t */
    const char *kept;      /* k: contact */
    const char *gone;      /* g: contact */
    const char *from, *to; /* f, o: conversations */
    const char *sessions;  /* s: uuid[], NULL: all */
    const char *merge;     /* m: its id */
    const char *epoch;     /* e */
    const char *actor;     /* c */
    const char *audit;     /* i: a fresh id */
    const char *held;      /* h: boolean */
    const char *kept_talk; /* a: open conversation of kept, or NULL */
    const char *gone_talk; /* b: of gone, or NULL */
};

struct merge_step {
    const char *sql, *params; /* letters, in the order of $1, $2, … */
};

/* Runs one step; *result (if not NULL) is owned by the caller. */
int merge_step(struct pg_session *session, const char *sql, const char *params,
               const struct merge_words *words, struct pg_result **result, struct err *err);

/* Runs steps in order. */
int merge_steps(struct pg_session *session, const struct merge_step *steps, size_t count,
                const struct merge_words *words, struct err *err);

/* Moves what belongs to the sessions from one conversation (f) to the other (o); *messages counts.
 * Both are locked, and the sessions and unsettled deliveries of the first. */
int merge_move(struct pg_session *session, const struct merge_words *words, int64_t *messages,
               struct err *err);

/* In the arena. */
const char *merge_text(struct arena *arena, const struct uuid *id);

#define MERGE_COUNT(array) (sizeof(array) / sizeof((array)[0]))

/* Of contacts k ($2) and g ($3). */
#define MERGE_LOCK_CONTACTS_SQL                                                                    \
    "SELECT 1 FROM contacts WHERE tenant_id = $1::uuid AND id = ANY (ARRAY[$2::uuid, $3::uuid])"   \
    " ORDER BY id FOR NO KEY UPDATE"

#endif
