/* A mail's bytes as what is published of it: who wrote it, what is new in it, what it belongs to.
 * No state, no I/O; one thread at a time per arena. */
#ifndef DESK_MAILPOLLER_MAIL_EVENT_H
#define DESK_MAILPOLLER_MAIL_EVENT_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "base/arena.h"
#include "bus/bus.h"
#include "contract/mail.h"
#include "mail/classify.h"
#include "mail/imap_cursor.h"
#include "store/mailbox.h"

/* Where a mail was found. All borrowed. */
struct mail_source {
    const char *prefix; /* topic_prefix */
    const struct mailbox *mailbox;
    const struct secret *const *keys; /* of tokens, the current one first */
    size_t key_count;
    uint32_t uid;
    int64_t internal_ms; /* when it came; 0: not known */
    int64_t now_ms;
    const char *bytes; /* the whole mail, or its headers and the beginning of its body */
    size_t length;
    bool cut; /* the latter */
    /* Then all its parts, as of struct imap_mail; NULL: not known. */
    const char *outline;
    size_t outline_length;
};

/* What an attachment says. */
struct mail_file_text {
    bool is_pdf;      /* a program can tell */
    const char *text; /* NULL: none */
    bool cut;
};

/* What is to be done with it. All in the arena. */
struct mail_outcome {
    const char *id;   /* ce_id */
    const char *skip; /* mailbox_add_skip's reason; NULL: there are records */
    enum mail_class class;
    const char *rule;
    bool reported;               /* records are reports on a mail of ours */
    int64_t sent_ms;             /* by the sender's clock, or when a server got it;
                                  * IMAP_CURSOR_UNDATED: the mail does not tell */
    struct mail_received *event; /* of a customer's mail, not encoded yet; NULL: there is none */
    struct bus_record *records;  /* as many as there are */
    size_t record_count;
    struct attachment attachments[MAIL_EVENT_FILES_MAX]; /* to be kept first */
    struct mail_file_text texts[MAIL_EVENT_FILES_MAX];   /* of the same places */
    size_t attachment_count;
};

/* Reads and judges the mail; reports are encoded. Never fails: what cannot be read is skipped. */
void mail_event_make(struct arena *arena, const struct mail_source *source,
                     struct mail_outcome *out);

/* The first attachment from `from` on whose text a program is to make, before the event is sealed:
 * mail_files_read takes it. attachment_count: there is none. */
size_t mail_event_to_read(const struct mail_outcome *out, size_t from);

/* Encodes the event, if there is one. */
void mail_event_seal(struct arena *arena, const char *prefix, struct mail_outcome *out);

#endif
