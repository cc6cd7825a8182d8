/* What the files of `deskctl mailbox` share. One thread. */
#ifndef DESKCTL_MAILBOX_H
#define DESKCTL_MAILBOX_H

#include "command.h"
#include "store/mailbox_admin.h"

/* Finds the one mailbox of that address. PERMANENT "mailbox.not_found" with what to do. */
int mailbox_find(struct desk *desk, struct pg_session *session, const char *address,
                 struct mailbox_admin_row *row, struct err *err);

/* How it stands, as a word: "new", "connecting", "reading", "waiting", "failing", "paused". */
const char *mailbox_state(const struct mailbox_admin_row *row);

/* Why it is so, one sentence in the arena; NULL when there is nothing to say. */
const char *mailbox_said(struct arena *arena, const struct mailbox_admin_row *row);

/* `mailbox add` and `mailbox check`. */
int mailbox_add(struct desk *desk, const struct words *words);
int mailbox_check(struct desk *desk, const struct words *words);

#endif
