/* The secret of a mailbox, read where its row says, at each login: so a token that somebody renews
 * in a file, or a password that was mended, is taken without a restart. */
#ifndef DESK_MAILPOLLER_SECRET_OF_H
#define DESK_MAILPOLLER_SECRET_OF_H

#include "base/err.h"
#include "base/secret.h"

#define SECRET_OF_MAX (16 * 1024) /* bytes */

/* Reads the secret that `from` ("file", "env") and `name` (an absolute path, a variable) name,
 * without the line ends behind it; owned. FALL_BACK "mailbox.secret" if there is none; the message
 * has its name, never its text. */
int secret_of(const char *from, const char *name, struct secret **secret, struct err *err);

#endif
