/* What mail servers said, in sentences for the one who set a mailbox up: what is wrong, and what to
 * do. One thread. */
#ifndef DESKCTL_MAILBOX_WORDS_H
#define DESKCTL_MAILBOX_WORDS_H

#include "mail/imap_session.h"
#include "mail/smtp.h"
#include "store/mailbox_admin.h"

/* Why the session with the IMAP server ended; the code stays `why`'s. */
void mailbox_words_imap(const struct mailbox_admin_row *row, const struct err *why,
                        struct err *err);

/* Why the IMAP server did not do what it was asked. */
void mailbox_words_refusal(const struct mailbox_admin_row *row, const struct imap_answer *answer,
                           struct err *err);

/* Why the mail was not sent. The code is "smtp.*", or the server's own as "smtp.550". */
void mailbox_words_smtp(const struct mailbox_admin_row *row,
                        const struct mail_smtp_account *account,
                        const struct mail_smtp_result *result, struct err *err);

/* How an address with a token in it looks: "desk+...@clinic.example". */
#define MAILBOX_PLUS_SIZE 72
void mailbox_words_plus(const struct mailbox_admin_row *row, char form[MAILBOX_PLUS_SIZE]);

/* What the IMAP server is and can, of `capabilities`; in the arena. */
const char *mailbox_words_server(struct arena *arena, const struct mailbox_admin_row *row,
                                 const char *capabilities);

/* The folder, and how far it was read; in the arena. `highest` UID of its mails, for a server that
 * tells no UIDNEXT. */
const char *mailbox_words_folder(struct arena *arena, const struct mailbox_admin_row *row,
                                 const struct imap_selected *selected, uint32_t highest);

#endif
