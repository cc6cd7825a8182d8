/* The tokens of this loop's mailboxes, and whose they are. A claim brings the login as it is now,
 * so that one which was mended counts with the next mail; a refresh token that the endpoint gives
 * for the old one is kept in the database, under the version that it replaces: the mailpoller may
 * be given one at the same time. */
#include "mailbox_login.h"

#include <stdlib.h>

#include "base/mem.h"
#include "counters.h"
#include "mail/login.h"
#include "service/log.h"
#include "service/mailbox_token.h"
#include "store/credential.h"

struct mailbox_logins {
    struct responder *responder;
    struct oauth *oauth;
    struct mailbox_tokens *tokens;
};

static void on_rotated(void *arg, const struct uuid *owner, int64_t version,
                       const struct oauth_grant *grant)
{
    struct mailbox_logins *logins = arg;
    const struct responder *responder = logins->responder;
    mailbox_tokens_keep(logins->tokens, responder->pg, responder->shared->credential_keys[0], owner,
                        version, grant);
}

/* ---- opening ---- */

static int unwrap(struct mailbox_logins *logins, const struct uuid *tenant,
                  const struct delivery_mail_login *login, struct mail_login **opened,
                  struct err *err)
{
    const struct responder_shared *shared = logins->responder->shared;
    if (login->way[0] == '\0')
        return err_set(err, ERR_PERMANENT, "mail.login",
                       "the mailbox has no login; add it with --replace");
    struct arena *arena = arena_new();
    int rc = mail_login_open((const struct secret *const *)shared->credential_keys,
                             shared->credential_key_count,
                             credential_mailbox_context(arena, tenant, &login->mailbox, login->way),
                             login->hex, opened, err);
    arena_free(&arena);
    return rc;
}

int mailbox_login_open(struct mailbox_logins *logins, const struct uuid *tenant,
                       const struct delivery_mail_login *login, oauth_done *done, void *arg,
                       struct mailbox_key *key, struct err *err)
{
    struct mail_login *opened = NULL;
    char id[UUID_TEXT_SIZE];
    *key = (struct mailbox_key){0};
    if (unwrap(logins, tenant, login, &opened, err) != 0) {
        metric_add(counters.credentials_bad, 1);
        log_error("mailbox.login_unreadable", LOG_TEXT("mailbox", uuid_format(&login->mailbox, id)),
                  LOG_ERR(err));
        return -1;
    }
    if (opened->password != NULL) {
        key->password = opened->password;
        opened->password = NULL;
    } else {
        mailbox_tokens_remember(logins->tokens, tenant, &login->mailbox);
        key->wait =
            oauth_ask(logins->oauth, &login->mailbox, login->version, &opened->grant, done, arg);
    }
    mail_login_free(&opened);
    return 0;
}

void mailbox_login_refused(struct mailbox_logins *logins, const struct uuid *mailbox)
{
    oauth_forget(logins->oauth, mailbox);
}

size_t mailbox_logins_unkept(const struct mailbox_logins *logins)
{
    return mailbox_tokens_count(logins->tokens);
}

/* ---- life ---- */

struct mailbox_logins *mailbox_logins_new(struct responder *responder)
{
    struct mailbox_logins *logins = xcalloc(1, sizeof *logins);
    logins->responder = responder;
    logins->tokens = mailbox_tokens_new(responder->loop);
    logins->oauth = oauth_new(&(struct oauth_options){.loop = responder->loop,
                                                      .client = responder->http,
                                                      .on_rotated = on_rotated,
                                                      .arg = logins});
    return logins;
}

void mailbox_logins_free(struct mailbox_logins **logins)
{
    if (*logins == NULL)
        return;
    oauth_free(&(*logins)->oauth);
    mailbox_tokens_free(&(*logins)->tokens);
    free(*logins);
    *logins = NULL;
}
