/* Which version of an assistant answers the calls of a number: what the last turn of a call there
 * was started with. A guess that a start confirms or not, so that what its prompt needs is asked of
 * the database before the start's answer is there (briefing.h). One entry for each number that was
 * called. Loop thread only. */
#ifndef DESK_ENGINE_ANSWERING_H
#define DESK_ENGINE_ANSWERING_H

#include <stdbool.h>

#include "base/uuid.h"
#include "store/turn.h"

struct answering;

struct answering_version {
    char assistant[UUID_TEXT_SIZE];
    int version;
    bool has_knowledge; /* the tenant has documents */
};

/* Returns owned; and frees, accepting NULL. */
struct answering *answering_new(void);
void answering_free(struct answering **answering);

/* A turn of a call to the number was started with that. */
void answering_note(struct answering *answering, const char *tenant, const char *number,
                    const struct turn_started *started);

/* Borrowed until the next note; NULL: nothing is known of the number. */
const struct answering_version *answering_look(const struct answering *answering,
                                               const char *tenant, const char *number);

#endif
