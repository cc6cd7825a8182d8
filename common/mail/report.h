/* Reports on mail that we sent: delivery status notifications (RFC 3464), bounces of servers that
 * do not write them, complaints (ARF, RFC 5965). Pure, any thread. */
#ifndef DESK_MAIL_REPORT_H
#define DESK_MAIL_REPORT_H

#include <stdbool.h>
#include <stddef.h>

#include "base/arena.h"
#include "mail/parse.h"

#define MAIL_REPORT_RECIPIENTS_MAX 20
#define MAIL_REPORT_STATUS_SIZE    12  /* "5.7.999" and a NUL have room */
#define MAIL_REPORT_TEXT_MAX       500 /* bytes of a diagnostic */

enum mail_report_action {
    MAIL_ACTION_UNKNOWN,
    MAIL_ACTION_FAILED,
    MAIL_ACTION_DELAYED, /* still being tried: not a bounce */
    MAIL_ACTION_DELIVERED,
    MAIL_ACTION_RELAYED,
    MAIL_ACTION_EXPANDED,
};

/* What a failure means for us. */
enum mail_fault {
    MAIL_FAULT_NONE,
    MAIL_FAULT_ADDRESS,   /* nobody is there: do not send to it again */
    MAIL_FAULT_FULL,      /* the mailbox takes nothing now */
    MAIL_FAULT_SIZE,      /* the mail is too large */
    MAIL_FAULT_CONTENT,   /* the mail's form is not understood */
    MAIL_FAULT_POLICY,    /* we are refused: our name, our records, our content; for the operator */
    MAIL_FAULT_NETWORK,   /* no way to the server, or too late */
    MAIL_FAULT_TEMPORARY, /* class 4 without a reason that has a row */
    MAIL_FAULT_OTHER,
};

struct mail_report_recipient {
    const char *address; /* "" if it is not told */
    enum mail_report_action action;
    char status[MAIL_REPORT_STATUS_SIZE]; /* "5.1.1"; "" if none is told */
    enum mail_fault fault;                /* of a failure or a delay */
    const char *diagnostic;               /* what the server said, one line; "" */
};

struct mail_report {
    const struct mail_report_recipient *recipients; /* at least one in a bounce */
    size_t recipient_count;
    const char *original_id; /* Message-ID of our mail, without angles; "" if it is not told */
    const char *envelope_id; /* Original-Envelope-Id; "" */
    const char *feedback;    /* Feedback-Type of a complaint, lower-case: "abuse"; "" */
};

/* Reads a delivery-status or feedback report (mail->report_type), or else what can be found in the
 * headers and the text of a bounce of another form. `text` is the mail's whole text. A mail that is
 * no report at all gives unknown actions: classify.h says which mails are. All memory in the arena.
 */
void mail_report_read(struct arena *arena, const struct mail *mail, const char *text,
                      struct mail_report *out);

/* What an enhanced status code (RFC 3463) means, the most exact row first; a mere SMTP code (3
 * digits) by its first digit; MAIL_FAULT_OTHER for what is neither. */
enum mail_fault mail_report_fault(const char *status);

/* "failed", "delayed", ...; "address", "full", ... */
const char *mail_report_action_name(enum mail_report_action action);
const char *mail_fault_name(enum mail_fault fault);

#endif
