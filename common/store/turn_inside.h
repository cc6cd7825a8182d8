/* What the statements of turns and of their rounds share. Private to common/store. */
#ifndef DESK_STORE_TURN_INSIDE_H
#define DESK_STORE_TURN_INSIDE_H

#include "store/calls.h"
#include "store/columns.h"

/* The author of a message `m` to a prompt. Of what the desk itself says, the model is told that
 * nobody took a wish (rota.c): the customer may answer to it. */
#define TURN_AUTHOR_SQL                                                                            \
    "CASE WHEN m.author = 'system' AND m.direction = 'out' AND EXISTS (SELECT FROM escalations x"  \
    " WHERE x.tenant_id = m.tenant_id AND x.id = m.id OFFSET 0) THEN 'ai' ELSE m.author END"

extern const char turn_commit_sql[]; /* turn_commit.c */

/* Adds the locks of a turn's unit: conversations FOR SHARE, then sessions, each in id order. The
 * columns are the row's tenant, session and conversation. */
void turn_add_locks(struct pg_unit *unit, struct arena *arena, const struct column_rows *rows,
                    const struct column columns[3]);

/* Adds the storing of a commit's model calls; the next statements count those that are new. */
void calls_add_store(struct pg_unit *unit, struct arena *arena, const struct calls_of_turn *turns,
                     size_t count);

/* The index of a word in a NULL-terminated list; the last one must match. */
int turn_word_index(const char *const *words, const char *word);

#endif
