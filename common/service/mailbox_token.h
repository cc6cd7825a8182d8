/* A mailbox's new refresh token, which a token endpoint gave for the old one: the old one may be of
 * no use any more, so it is kept in the database, under the version that it replaces. Another
 * process may be given one at the same time; the first is kept. Loop thread only. */
#ifndef DESK_SERVICE_MAILBOX_TOKEN_H
#define DESK_SERVICE_MAILBOX_TOKEN_H

#include <stdint.h>

#include "base/secret.h"
#include "base/uuid.h"
#include "mail/oauth.h"
#include "pg/pg.h"

/* Wraps the login with `key` and stores it; says in the log what became of it. All arguments are
 * copied. */
void mailbox_token_keep(struct pg *pg, const struct secret *key, const struct uuid *tenant,
                        const struct uuid *mailbox, int64_t version,
                        const struct oauth_grant *grant);

#endif
