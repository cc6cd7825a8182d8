/* The file of `deskctl mailbox add` (docs/MAIL.md): a mailbox, its servers and what it logs in
 * with. One thread. */
#ifndef DESKCTL_MAILBOX_FILE_H
#define DESKCTL_MAILBOX_FILE_H

#include <stdint.h>

#include "fields.h"
#include "mail/login.h"
#include "mail/smtp_account.h"

struct mailbox_file {
    const char *tenant, *address, *name; /* the address in lower case */
    struct mail_smtp_account imap, smtp;
    const char *smtp_url;             /* with auth=xoauth2 where tokens are used */
    const char *folder, *sent_folder; /* sent_folder NULL: no copies, "": the server's own */
    const char *trusted_servers;      /* JSON array */
    int64_t per_minute, per_day;      /* 0: not known */
    bool plus_addresses;
    struct mail_login in, out; /* out counts if has_out; parts owned */
    bool has_out;
};

/* Reads a file; what is wrong is in `problems`. `given` is the password, or with a grant the
 * refresh token, if it came another way (NULL: it did not); taken. mailbox_file_fini in any case.
 */
void mailbox_file_read(struct problems *problems, const char *path, struct secret *given,
                       struct mailbox_file *file);

/* Wipes and frees the secrets. */
void mailbox_file_fini(struct mailbox_file *file);

#endif
