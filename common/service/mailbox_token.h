/* Mailboxes' new refresh tokens, which a token endpoint gave for the old ones: an old one may be of
 * no use any more, and the new one is in this process's memory alone until it is in the database,
 * under the version that it replaces, or in place of what this process wrote before. So that is
 * tried until it is done, also while the service drains. Another process may be given one at the
 * same time; the first is kept. Loop thread only.
 */
#ifndef DESK_SERVICE_MAILBOX_TOKEN_H
#define DESK_SERVICE_MAILBOX_TOKEN_H

#include <stddef.h>
#include <stdint.h>

#include "base/secret.h"
#include "base/uuid.h"
#include "loop/loop.h"
#include "mail/oauth.h"
#include "pg/pg.h"

struct mailbox_tokens; /* one per loop */

/* Returns owned. */
struct mailbox_tokens *mailbox_tokens_new(struct loop *loop);

/* Forgets, with a line in the log, what could not be kept. After pg_free; sets to NULL; accepts
 * NULL. */
void mailbox_tokens_free(struct mailbox_tokens **tokens);

/* Whose the mailbox is; to be told before a token of it is bought. Copied. */
void mailbox_tokens_remember(struct mailbox_tokens *tokens, const struct uuid *tenant,
                             const struct uuid *mailbox);

/* Wraps the login of a mailbox that is remembered with `key` and stores it; says in the log what
 * became of it. `pg` is borrowed, all else is copied. What waits to be kept for the same mailbox is
 * void by that, and dropped; what is being written is written first. */
void mailbox_tokens_keep(struct mailbox_tokens *tokens, struct pg *pg, const struct secret *key,
                         const struct uuid *mailbox, int64_t version,
                         const struct oauth_grant *grant);

/* How many are not kept yet. */
size_t mailbox_tokens_count(const struct mailbox_tokens *tokens);

#endif
