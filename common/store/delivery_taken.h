/* Mails of the AI that a takeover, a hand-back or a merge met while they were being sent: a server
 * may let one wait for minutes before its first byte. The responder that has it says of each either
 * that it has begun to leave, so that nobody waits for its end, or lets it go. Statements only;
 * texts live until the unit is done. Loop thread. */
#ifndef DESK_STORE_DELIVERY_TAKEN_H
#define DESK_STORE_DELIVERY_TAKEN_H

#include "store/delivery.h"

struct delivery_taken {
    struct delivery_ref ref;
    int attempt;
};

/* Adds the statement that finds those of the worker of which nothing was said yet. */
void delivery_taken_add(struct pg_unit *unit, const char *worker);

/* Reads row `row` of it, statement `statement`; false: no more. */
bool delivery_taken_read(const struct pg_answer *answer, int statement, int row,
                         struct delivery_taken *out);

/* Adds the statement that notes that the attempt had begun to leave before. */
void delivery_taken_add_began(struct pg_unit *unit, struct arena *arena,
                              const struct delivery_taken *taken);

/* Its frequent statements, NULL-terminated, for store/statements.h. */
extern const char *const delivery_taken_statements[];

#endif
