/* Copies of sent mails in their mailboxes' folders: whether one is wanted yet, and where it goes.
 * Statements only. Loop thread. */
#ifndef DESK_STORE_MAIL_COPY_H
#define DESK_STORE_MAIL_COPY_H

#include "store/delivery_mail.h"

/* The IMAP account of the mailbox; texts are borrowed from the answer. */
struct mail_copy {
    struct delivery_mail_login login; /* way "in" */
    const char *host;
    int port;
    const char *security, *auth; /* as of struct mailbox (store/mailbox.h) */
    const char *user;
    const char *secret_from, *secret_name; /* "sealed": `login` */
    const char *folder;                    /* UTF-8; "": the one that the server calls its own */
};

/* Adds the statement that notes that a copy of the delivery is tried now: one row, once. None if it
 * was before, or if its mailbox wants none. */
void mail_copy_add(struct pg_unit *unit, struct arena *arena, const struct delivery_ref *ref);

/* Adds the statement that takes the note back: that try has not left a copy, and there may be
 * another one. Only for whom mail_copy_add noted it. */
void mail_copy_add_put_back(struct pg_unit *unit, struct arena *arena,
                            const struct delivery_ref *ref);

/* Reads the row of statement 0; false if there is none. */
bool mail_copy_read(const struct pg_answer *answer, struct mail_copy *out);

/* Its statement, NULL-terminated, for store/statements.h. */
extern const char *const mail_copy_statements[];

#endif
