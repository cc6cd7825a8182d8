/* What the mailbox's own server found out about a mail's sender: Authentication-Results (RFC 8601).
 * Anybody can write such a header; only the topmost of a server that the business named counts.
 * Pure, any thread. */
#ifndef DESK_MAIL_AUTHRES_H
#define DESK_MAIL_AUTHRES_H

#include <stdbool.h>
#include <stddef.h>

#include "base/arena.h"
#include "mail/parse.h"

enum mail_auth_result {
    MAIL_AUTH_NONE, /* not checked, or nothing there to check */
    MAIL_AUTH_PASS,
    MAIL_AUTH_FAIL,
    MAIL_AUTH_UNSURE, /* softfail, neutral, policy, a temporary or permanent error */
};

struct mail_auth {
    enum mail_auth_result spf, dkim, dmarc;
    bool found; /* a trusted server said something */
    /* The domain of From is the sender's: DMARC passed for it; or no DMARC result is told, and DKIM
     * or SPF passed for exactly that domain. False for a mail whose From is odd. */
    bool verified;
};

/* Reads the results of the topmost field whose server is one of `trusted` (any case). "" in the
 * list stands for fields without a server's name, as Microsoft 365 writes them. With none trusted,
 * nothing is found. A field with a comment or a quoted text that does not end, or that is longer
 * than what is read, says nothing: servers write into it what a stranger told them. Two results of
 * DMARC are no pass. `arena` is for working memory. */
void mail_auth_read(struct arena *arena, const struct mail *mail, const char *const *trusted,
                    size_t trusted_count, struct mail_auth *out);

/* "none", "pass", "fail", "unsure". */
const char *mail_auth_name(enum mail_auth_result result);

#endif
