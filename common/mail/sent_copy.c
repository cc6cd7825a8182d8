/* A session for one APPEND: find the folder, append, say goodbye. */
#include "mail/sent_copy.h"

#include <stdlib.h>
#include <string.h>

#include "base/mem.h"

struct mail_sent_copy {
    struct mail_sent_copy_options options;
    struct imap_session *session;
    char *folder;
    struct err err; /* why it failed; code "": it did not */
    bool asked;     /* to keep it, and it did not say no */
    bool kept;      /* the server said so */
};

static void destroy(struct mail_sent_copy *copy)
{
    imap_session_close(&copy->session);
    free(copy->folder);
    free(copy);
}

static void fail(struct mail_sent_copy *copy, const struct imap_answer *answer)
{
    bool no_folder =
        strcmp(answer->code, "TRYCREATE") == 0 || strcmp(answer->code, "NONEXISTENT") == 0;
    if (no_folder)
        err_set(&copy->err, ERR_FALL_BACK, "sent.folder",
                "the mailbox has no folder %.80s for sent mails", copy->folder);
    else
        err_set(&copy->err, ERR_RETRY_LATER, "sent.refused",
                "the mail server keeps no copy of the sent mail (%s)",
                answer->code[0] != '\0' ? answer->code : "no reason given");
}

static bool append(struct mail_sent_copy *copy)
{
    const char *folder = copy->folder[0] != '\0' ? copy->folder : NULL;
    copy->asked =
        imap_session_append(copy->session, folder, copy->options.message, copy->options.length);
    if (copy->asked)
        return true;
    err_set(&copy->err, ERR_FALL_BACK, "sent.folder",
            "the folder for sent mails has no possible name, or the mail is none");
    return false;
}

static void on_ready(void *arg)
{
    struct mail_sent_copy *copy = arg;
    if (imap_session_can(copy->session, "X-GM-EXT-1")) { /* Gmail: it has the mail from SMTP */
        err_set(&copy->err, ERR_FALL_BACK, "sent.own",
                "the server keeps copies of sent mails by itself");
        imap_session_logout(copy->session);
    } else if (copy->folder[0] == '\0')
        imap_session_find_sent(copy->session);
    else if (!append(copy))
        imap_session_logout(copy->session);
}

static void on_answer(void *arg, const struct imap_answer *answer)
{
    struct mail_sent_copy *copy = arg;
    if (!answer->ok) {
        copy->asked = false;
        fail(copy, answer);
    } else if (answer->ask == IMAP_ASK_APPEND) {
        copy->kept = true;
    } else if (!answer->found) {
        err_set(&copy->err, ERR_FALL_BACK, "sent.folder",
                "the server marks no folder as the one of sent mails; name it");
    } else if (append(copy)) {
        return;
    }
    imap_session_logout(copy->session);
}

static void on_end(void *arg, const struct err *err)
{
    struct mail_sent_copy *copy = arg;
    struct mail_sent_copy_options options = copy->options;
    struct err why = copy->err;
    if (err != NULL && why.code[0] == '\0')
        why = *err;
    bool kept = copy->kept, perhaps = copy->asked;
    destroy(copy);
    options.on_done(options.arg, kept ? NULL : &why, perhaps);
}

struct mail_sent_copy *mail_sent_copy_start(const struct mail_sent_copy_options *options)
{
    struct mail_sent_copy *copy = xcalloc(1, sizeof *copy);
    struct imap_session_options session = options->session;
    copy->options = *options;
    copy->folder = xstrdup(options->folder);
    session.on_ready = on_ready;
    session.on_answer = on_answer;
    session.on_alert = NULL;
    session.on_end = on_end;
    session.arg = copy;
    copy->session = imap_session_open(&session);
    return copy;
}

void mail_sent_copy_cancel(struct mail_sent_copy **copy)
{
    if (*copy == NULL)
        return;
    destroy(*copy);
    *copy = NULL;
}
