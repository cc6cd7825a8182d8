/* Logging in to a mailbox: where its secret comes from, and what that opens. Loop thread. */
#ifndef DESK_MAILPOLLER_BOX_LOGIN_H
#define DESK_MAILPOLLER_BOX_LOGIN_H

#include "base/err.h"
#include "base/uuid.h"
#include "mail/oauth.h"

struct box;

/* Gets the secret that the box's row names, at once or from a token endpoint, and then opens the
 * session (box_open_session). BOX_ON_FAILED follows on the loop's next pass if there is none, with
 * box->err: secret_of's, "mail.login", or what mail/oauth.h says. */
void box_log_in(struct box *box);

/* The session was refused: a token that was kept is not used again. */
void box_login_refused(struct box *box);

/* Whether a person must mend it before any further try can help. */
bool box_login_is_lost(const struct err *err);

/* Whether trying again soon can do harm or no good. */
bool box_login_is_refused(const struct err *err);

/* Keeps a refresh token that the endpoint gave for the old one; `arg` is the mailpoller. */
void box_login_rotated(void *arg, const struct uuid *owner, int64_t version,
                       const struct oauth_grant *grant);

#endif
