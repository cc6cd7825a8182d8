/* One mailbox in hand: connect, search above the cursor, and for some mails at a time fetch, keep
 * attachments, publish, move the cursor; then wait for news. What happens when is the table in
 * box_table.c. Loop thread. */
#ifndef DESK_MAILPOLLER_BOX_H
#define DESK_MAILPOLLER_BOX_H

#include <stdbool.h>
#include <sys/queue.h>

#include "base/arena.h"
#include "store/mailbox.h"

struct box;
struct mailpoller;

/* Where a box stands in its list. */
struct box_link {
    LIST_ENTRY(box_link) entry;
    struct box *box;
};

/* Takes up a mailbox that was claimed in the name of the present worker; takes `arena`, which holds
 * its texts. Ends by itself: boxes_gone tells. */
struct box *box_open(struct mailpoller *mailpoller, struct arena *arena,
                     const struct mailbox *mailbox);

/* Ends after the mails in hand, as friendly as the server lets us. */
void box_drain(struct box *box);

/* Ends at once and writes nothing; is gone when what it has in flight has come back. */
void box_drop(struct box *box);

/* True for one that was dropped, and waits for what it has in flight. */
bool box_is_gone(const struct box *box);

/* True for one of those that keep their connection while nothing comes (idle_max). */
bool box_keeps(const struct box *box);

/* Its mailbox, that one's id, and its place in the list. */
const struct mailbox *box_mailbox(const struct box *box);
const struct uuid *box_id(const struct box *box);
struct box_link *box_link(struct box *box);

#endif
