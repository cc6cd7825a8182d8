/* The mailboxes that a loop has in hand: takes those that are due and have no live owner, gives all
 * back at the end. Loop thread. */
#ifndef DESK_MAILPOLLER_BOXES_H
#define DESK_MAILPOLLER_BOXES_H

#include <stddef.h>

#include "base/uuid.h"

struct box;
struct boxes;
struct mailpoller;

/* Starts looking. Returns owned. */
struct boxes *boxes_new(struct mailpoller *mailpoller);

/* Drops all that is in hand, without telling anybody, and frees; no unit and no record may be in
 * flight. Sets to NULL; accepts NULL. */
void boxes_free(struct boxes **boxes);

/* Lets every mailbox end what it has in hand, say goodbye and be given back. */
void boxes_drain(struct boxes *boxes);

/* The worker is dead: others have its mailboxes. Drops them all. */
void boxes_drop(struct boxes *boxes);

/* The box of a mailbox that is in hand, or NULL. */
struct box *boxes_find(const struct boxes *boxes, const struct uuid *id);

/* How many are in hand. */
size_t boxes_count(const struct boxes *boxes);

/* Whether some may be claimed at this moment: a drain gives those back, too. */
bool boxes_in_flight(const struct boxes *boxes);

/* A box is gone; it frees itself. */
void boxes_gone(struct boxes *boxes, struct box *box);

#endif
