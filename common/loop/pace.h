/* When the next batch of a kind of work may go. A statement costs the database about as much for
 * one row as for ten, so what comes while a batch is on its way goes together when that is over; a
 * lone piece never waits. A batch that takes long, as when somebody's lock holds it up, does not
 * hold up the others: behind PACE_LONG_MS a second one may go. Every function belongs to the loop's
 * thread. */
#ifndef DESK_LOOP_PACE_H
#define DESK_LOOP_PACE_H

#include <stdbool.h>

#include "loop/loop.h"

#define PACE_LONG_MS 250

struct pace;

/* Returns an owned pace; again(arg) is called from the loop when one that was not allowed would be.
 */
struct pace *pace_new(struct loop *loop, void (*again)(void *arg), void *arg);

/* Sets *pace to NULL; accepts NULL. */
void pace_free(struct pace **pace);

/* Whether a batch may go now; if not, again() comes, or pace_over must be followed by a new look.
 * An urgent one may be the second at once. */
bool pace_allows(struct pace *pace, bool urgent);

/* A batch went; and one came back, whatever became of it. */
void pace_sent(struct pace *pace);
void pace_over(struct pace *pace);

/* How many are on their way: 0 to 2. */
int pace_in_flight(const struct pace *pace);

#endif
