/* Opening the wrapped logins of mailboxes: a password at once, an access token from the provider's
 * token endpoint. Loop thread. */
#ifndef DESK_RESPONDER_MAILBOX_LOGIN_H
#define DESK_RESPONDER_MAILBOX_LOGIN_H

#include "base/err.h"
#include "base/secret.h"
#include "mail/oauth.h"
#include "responder.h"
#include "store/delivery_mail.h"

struct mailbox_logins;

/* Without tokens yet. Returns owned; borrows the responder. */
struct mailbox_logins *mailbox_logins_new(struct responder *responder);

/* Ends what is in flight, wipes and frees; sets to NULL; accepts NULL. Who waits has ended before.
 */
void mailbox_logins_free(struct mailbox_logins **logins);

/* What became of asking. */
struct mailbox_key {
    struct secret *password; /* owned by the caller; NULL: `wait` */
    struct oauth_wait *wait; /* for a token; `done` follows, unless it is cancelled */
};

/* Opens the login. PERMANENT "mail.login" (logged and counted) when it has none that opens. */
int mailbox_login_open(struct mailbox_logins *logins, const struct uuid *tenant,
                       const struct delivery_mail_login *login, oauth_done *done, void *arg,
                       struct mailbox_key *key, struct err *err);

/* A server did not take the token: the next who asks gets a new one. */
void mailbox_login_refused(struct mailbox_logins *logins, const struct uuid *mailbox);

/* How many new refresh tokens are not in the database yet. */
size_t mailbox_logins_unkept(const struct mailbox_logins *logins);

#endif
