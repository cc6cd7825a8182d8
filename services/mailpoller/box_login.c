/* What a mailbox logs in with: a secret in a file or a variable, or a wrapped login in the database
 * (common/mail/login.h), which is a password or a grant for access tokens. box_session.c calls. */
#include "box_login.h"

#include <string.h>

#include "box_inside.h"
#include "mail/login.h"
#include "secret_of.h"
#include "service/log.h"
#include "service/mailbox_token.h"
#include "store/credential.h"

/* ---- tokens ---- */

static void on_token(void *arg, const struct secret *token, const struct err *err)
{
    struct box *box = arg;
    box->token_wait = NULL;
    if (token == NULL) {
        box->err = *err;
        box_happen(box, BOX_ON_FAILED);
        return;
    }
    box->secret = secret_new(secret_reveal(token), secret_length(token));
    box_open_session(box, IMAP_AUTH_XOAUTH2);
}

static int open_login(struct box *box, struct mail_login **login, struct err *err)
{
    const struct mailpoller_shared *shared = box->mailpoller->shared;
    const struct mailbox *mailbox = &box->mailbox;
    struct arena *arena = arena_new();
    const char *context = credential_mailbox_context(arena, &mailbox->tenant, &mailbox->id, "in");
    int rc = shared->credential_key_count == 0
                 ? err_set(err, ERR_FALL_BACK, "mailbox.secret",
                           "its login is wrapped, and credentials_key_file is not set")
                 : mail_login_open((const struct secret *const *)shared->credential_keys,
                                   shared->credential_key_count, context, mailbox->wrapped_hex,
                                   login, err);
    arena_free(&arena);
    return rc;
}

static void log_in_sealed(struct box *box)
{
    struct mail_login *login = NULL;
    if (open_login(box, &login, &box->err) != 0)
        return;
    if (login->password != NULL) {
        box->secret = login->password;
        login->password = NULL;
        box_open_session(box, IMAP_AUTH_PASSWORD);
    } else {
        mailbox_tokens_remember(box->mailpoller->tokens, &box->mailbox.tenant, &box->mailbox.id);
        box->token_wait = oauth_ask(box->mailpoller->oauth, &box->mailbox.id,
                                    box->mailbox.wrapped_version, &login->grant, on_token, box);
    }
    mail_login_free(&login);
}

void box_log_in(struct box *box)
{
    const struct mailbox *mailbox = &box->mailbox;
    if (strcmp(mailbox->secret_from, "sealed") == 0)
        log_in_sealed(box);
    else if (secret_of(mailbox->secret_from, mailbox->secret_name, &box->secret, &box->err) == 0)
        box_open_session(box, strcmp(mailbox->auth, "xoauth2") == 0 ? IMAP_AUTH_XOAUTH2
                                                                    : IMAP_AUTH_PASSWORD);
    if (box->session == NULL && box->token_wait == NULL)
        timer_start(box->timer, 0, 0); /* BOX_ON_FAILED */
}

/* ---- refusals ---- */

void box_login_refused(struct box *box)
{
    oauth_forget(box->mailpoller->oauth, &box->mailbox.id);
}

bool box_login_is_lost(const struct err *err)
{
    return strcmp(err->code, "oauth.refused") == 0;
}

bool box_login_is_refused(const struct err *err)
{
    static const char *const codes[] = {"imap.authentication", "imap.mechanism", "mail.login",
                                        "oauth.endpoint", "oauth.refused"};
    for (size_t i = 0; i < sizeof codes / sizeof *codes; i++)
        if (strcmp(err->code, codes[i]) == 0)
            return true;
    return false;
}

void box_login_rotated(void *arg, const struct uuid *owner, int64_t version,
                       const struct oauth_grant *grant)
{
    const struct mailpoller *mailpoller = arg;
    mailbox_tokens_keep(mailpoller->tokens, mailpoller->pg, mailpoller->shared->credential_keys[0],
                        owner, version, grant);
}
