/* The two ways of a mailbox as one waits for them: each call blocks on a loop of its own until its
 * step is over. What failed is one sentence, with what to do. One thread. */
#ifndef DESKCTL_MAILBOX_PROBE_H
#define DESKCTL_MAILBOX_PROBE_H

#include <stdint.h>

#include "mailbox.h"

struct mailbox_probe;

/* Opens the logins of the row (borrowed). Returns owned. PERMANENT "mail.login",
 * "secret.reference", "desk.config" when a login does not open; "smtp.account"; "config.invalid"
 * when mail_networks are none. */
int mailbox_probe_new(struct desk *desk, const struct mailbox_admin_row *row,
                      struct mailbox_probe **probe, struct err *err);

/* Closes what is open; sets to NULL; accepts NULL. */
void mailbox_probe_free(struct mailbox_probe **probe);

/* Whether tokens are bought, and buys one. A new refresh token that comes with it is kept;
 * PERMANENT "oauth.not_kept" when the database does not take it within a minute. */
bool mailbox_probe_wants_token(const struct mailbox_probe *probe);
int mailbox_probe_token(struct mailbox_probe *probe, struct err *err);

/* Logs in over IMAP; *said (in the desk's arena) is what the server can do. */
int mailbox_probe_log_in(struct mailbox_probe *probe, const char **said, struct err *err);

/* Looks into the folder; *said is how many mails it has and how far it was read. */
int mailbox_probe_folder(struct mailbox_probe *probe, const char **said, struct err *err);

/* Sends a mail from the mailbox to itself, by an address as customers answer to. */
int mailbox_probe_send(struct mailbox_probe *probe, const char **said, struct err *err);

/* Waits until that mail is in the folder. RETRY_LATER "mailbox.not_arrived". */
int mailbox_probe_receive(struct mailbox_probe *probe, int64_t wait_s, const char **said,
                          struct err *err);

#endif
