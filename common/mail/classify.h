/* Who wrote a mail: a person, who may get an answer, or a program, which must not. A table of
 * rules, the first that fits decides and says why. Pure, any thread.
 *
 * A program that hides what it is gets through; that is why the engine limits answers to each
 * correspondent as well. */
#ifndef DESK_MAIL_CLASSIFY_H
#define DESK_MAIL_CLASSIFY_H

#include <stddef.h>

#include "mail/authres.h"
#include "mail/parse.h"
#include "mail/token.h"

enum mail_class {
    MAIL_CLASS_PERSON,
    MAIL_CLASS_OWN,    /* our own mail came back */
    MAIL_CLASS_BOUNCE, /* a report on a mail of ours, or what looks like one: report.h reads it */
    MAIL_CLASS_COMPLAINT,  /* a recipient called a mail of ours spam */
    MAIL_CLASS_RECEIPT,    /* "your mail was displayed" */
    MAIL_CLASS_AUTO_REPLY, /* out of office, vacation, acknowledgement */
    MAIL_CLASS_LIST,       /* a mailing list, a newsletter */
    MAIL_CLASS_ROBOT,      /* a notification, a shop's confirmation, a monitor */
    MAIL_CLASS_SPAM,       /* the mailbox's own server says so, or that its sender is another one */
};

/* What is known of the mailbox. */
struct mail_house {
    const char *const *addresses; /* that the tenant's mailboxes have, without tokens */
    size_t address_count;
    const struct mail_signer *signer; /* whose Message-IDs are ours */
};

struct mail_verdict {
    enum mail_class class;
    const char *rule; /* its name for logs and counters: "auto_submitted"; "" for a person */
    const char *why;  /* a sentence for the console; "" for a person */
};

/* Judges a mail by its headers, its report type, its subject, what a trusted server found out about
 * its sender and, for qmail's bounces, the beginning of its text. */
void mail_classify(const struct mail *mail, const char *text, const struct mail_auth *auth,
                   const struct mail_house *house, struct mail_verdict *out);

/* "person", "own", "bounce", ... */
const char *mail_class_name(enum mail_class class);

#endif
