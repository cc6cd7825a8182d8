/* Puts a copy of a mail that was sent into its mailbox's folder of sent mails, by IMAP, marked as
 * seen: what people of the business look for there. Providers that do so themselves would show it
 * twice: Gmail is known by its X-GM-EXT-1 and gets none, for others the mailbox says so. All on the
 * loop's thread. */
#ifndef DESK_MAIL_SENT_COPY_H
#define DESK_MAIL_SENT_COPY_H

#include <stddef.h>

#include "base/err.h"
#include "mail/imap_session.h"

struct mail_sent_copy;

struct mail_sent_copy_options {
    /* Where to and who: as for a session, whose callbacks and arg are ours. `session.secret` is
     * borrowed until on_done. */
    struct imap_session_options session;
    const char *folder;  /* UTF-8, copied; "": the one that the server calls \Sent, or that is named
                            as usual */
    const char *message; /* as it was sent; borrowed until on_done */
    size_t length;
    /* Once, unless cancelled: NULL, the server has it. Else FALL_BACK "sent.folder" (there is no
     * such folder) or "sent.own" (it keeps copies itself), RETRY_LATER "sent.refused" (no room, for
     * example), or what the session says. `perhaps`: it may be there all the same, as the server
     * was asked to keep it and did not say no. */
    void (*on_done)(void *arg, const struct err *err, bool perhaps);
    void *arg;
};

/* Starts. Returns owned until on_done. Never calls back from inside. */
struct mail_sent_copy *mail_sent_copy_start(const struct mail_sent_copy_options *options);

/* Gives up, without a callback; sets to NULL; accepts NULL. Not inside on_done. */
void mail_sent_copy_cancel(struct mail_sent_copy **copy);

#endif
