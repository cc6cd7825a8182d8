/* What a mailbox logs in with: a password, or what access tokens are bought with. It is kept as a
 * small text of lines "name value", wrapped under the credentials key (crypto_wrap) and bound to
 * its row. deskctl wraps, mailpoller and responder open. Any thread; a login belongs to one at a
 * time. */
#ifndef DESK_MAIL_LOGIN_H
#define DESK_MAIL_LOGIN_H

#include <stddef.h>

#include "base/arena.h"
#include "base/err.h"
#include "base/secret.h"
#include "base/strbuf.h"
#include "mail/oauth.h"

#define MAIL_LOGIN_MAX ((size_t)16 * 1024) /* bytes of one, wrapped */

struct mail_login {
    struct secret *password; /* owned, as all below; NULL: `grant` is what counts */
    struct oauth_grant grant;
    /* What `grant` points into; NULL where it says nothing. */
    char *token_url, *client_id, *scope;
    struct secret *client_secret, *refresh_token;
};

/* Appends the login, wrapped for `context` (store/credential.h), in hexadecimal, as a column takes
 * it. Of `login` password and grant are read. PERMANENT "mail.login" when a value has a line's end
 * or all is too long. */
int mail_login_wrap(const struct mail_login *login, const struct secret *key, const char *context,
                    struct strbuf *hex, struct err *err);

/* The same as a text in the arena; NULL when it fails. */
const char *mail_login_wrap_text(struct arena *arena, const struct mail_login *login,
                                 const struct secret *key, const char *context, struct err *err);

/* Opens what was wrapped, with whichever of the keys it was. Returns owned. PERMANENT "mail.login"
 * when no key fits, it was wrapped for another row, or is none. */
int mail_login_open(const struct secret *const *keys, size_t count, const char *context,
                    const char *hex, struct mail_login **login, struct err *err);

/* Wipes and frees; sets to NULL; accepts NULL. */
void mail_login_free(struct mail_login **login);

#endif
