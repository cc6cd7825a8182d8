/* Events of mail (docs/MAIL.md): what the mailpoller tells of a mail on desk.inbound.email, and of
 * a report on a mail of ours on desk.receipts. As contract/event.h: texts of a decoded event live
 * in the arena, decoding fails with PERMANENT "event.*", any thread.
 *
 * An encoder asserts that texts are UTF-8 and within the bounds below, and that all together fits
 * into a record: whoever writes one cuts before. */
#ifndef DESK_CONTRACT_MAIL_H
#define DESK_CONTRACT_MAIL_H

#include <stdbool.h>
#include <stdint.h>

#include "contract/event.h"

#define EVENT_MAIL_RECEIVED "desk.mail.received.v1"
#define EVENT_MAIL_REPORTED "desk.mail.reported.v1"

#define MAIL_EVENT_ADDRESS_MAX    254
#define MAIL_EVENT_NAME_MAX       200
#define MAIL_EVENT_ADDRESSES_MAX  20 /* in to, and in cc */
#define MAIL_EVENT_ID_MAX         500
#define MAIL_EVENT_IDS_MAX        20
#define MAIL_EVENT_SUBJECT_MAX    500
#define MAIL_EVENT_TEXT_MAX       (64 * 1024)  /* bytes of what is new */
#define MAIL_EVENT_BODY_MAX       (256 * 1024) /* bytes of the whole text */
#define MAIL_EVENT_FILES_MAX      50
#define MAIL_EVENT_FILE_TEXT_MAX  (16 * 1024) /* bytes of what a file says; 32 kB of all */
#define MAIL_EVENT_TYPE_MAX       127
#define MAIL_EVENT_DIAGNOSTIC_MAX 500
#define MAIL_EVENT_RECIPIENTS_MAX 20

/* The word of `class` for a person's mail: the only one that may ever be answered. */
#define MAIL_EVENT_PERSON "person"

/* What is not text of a mail. Its bytes are in the table `attachments`, by ce_id and number. */
struct mail_event_file {
    int number;
    const char *kind;   /* "file", "inline", "calendar", "tnef", "sealed", "message" */
    const char *name;   /* "" if it has none */
    const char *type;   /* "image/png" */
    int64_t size_bytes; /* 0 for one that is empty, or cut with a mail that was too large */
    bool stored;        /* false: it was too large, or of a mail that was too large */
    const char *text;   /* what it says, if it is text or a PDF of text; "" */
    bool text_cut;
};

/* A mail came in. ce_id: mailbox:uid_validity:uid. ce_time: when the mailbox got it. Key:
 * tenant:from. */
struct mail_received {
    struct event event;
    struct uuid mailbox;
    int64_t uid_validity, uid;
    const char *from;      /* the correspondent: a plain address, lower-case */
    const char *from_name; /* "" if none is told */
    const char *reply_to;  /* where an answer goes if not to `from`; "" */
    const char *to[MAIL_EVENT_ADDRESSES_MAX];
    size_t to_count;
    const char *cc[MAIL_EVENT_ADDRESSES_MAX];
    size_t cc_count;
    const char *message_id; /* without angles; "" if it has none */
    const char *in_reply_to[MAIL_EVENT_IDS_MAX];
    size_t in_reply_to_count;
    const char *references[MAIL_EVENT_IDS_MAX]; /* the first and the last of a long list */
    size_t reference_count;
    const char *subject;            /* "" if it has none */
    int64_t sent_ms;                /* by the sender's clock; 0: not told */
    const char *class;              /* MAIL_EVENT_PERSON, "auto_reply", "list", "bounce", ... */
    const char *rule;               /* that said so; "" for a person */
    const char *spf, *dkim, *dmarc; /* "none", "pass", "fail", "unsure" */
    bool verified;                  /* the domain of `from` is the sender's */
    struct uuid conversation; /* that the address it was sent to names, signed by us; nil: none */
    struct uuid delivery;     /* the newest mail of ours that it answers; nil: none */
    const char *text;         /* what is new */
    const char *body;         /* all of it, with quotes; "" if it is the same as `text` */
    const char *shape;        /* of the answer: "whole", "top", "bottom", "interleaved" */
    bool cut;                 /* something was left out of text, body, lists or files */
    const char *content_hash; /* 64 hexadecimal digits: the same mail in whatever mailbox */
    struct mail_event_file files[MAIL_EVENT_FILES_MAX];
    size_t file_count;
};
void mail_received_encode(struct arena *arena, const char *prefix, const struct mail_received *in,
                          struct bus_record *record);
int mail_received_decode(struct arena *arena, const struct bus_record *record,
                         struct mail_received *out, struct err *err);

/* A server's word on a mail that we sent, for one recipient. ce_id:
 * mailbox:uid_validity:uid:number. Key: tenant:delivery. */
struct mail_reported {
    struct event event;
    struct uuid mailbox;
    int64_t uid_validity, uid;
    int number; /* of the recipient in the report, from 0 */
    struct uuid delivery;
    const char *action;     /* "failed", "delayed", "delivered", ...; "unknown" of a complaint */
    const char *fault;      /* "none", "address", "full", "policy", ... */
    const char *status;     /* "5.1.1"; "" if none is told */
    const char *recipient;  /* "" if it is not told */
    const char *diagnostic; /* what the server said, one line; "" */
    const char *feedback;   /* of a complaint: "abuse"; "" */
};
void mail_reported_encode(struct arena *arena, const char *prefix, const struct mail_reported *in,
                          struct bus_record *record);
int mail_reported_decode(struct arena *arena, const struct bus_record *record,
                         struct mail_reported *out, struct err *err);

/* The ce_id of a mail, in the arena. */
const char *mail_event_id(struct arena *arena, const struct uuid *mailbox, int64_t uid_validity,
                          int64_t uid);

#endif
