/* SMTP's reply codes, and what else can go wrong on the way, with what we do about each: data, not
 * code. Sources: RFC 5321 4.2 and 4.5.3, RFC 3463, RFC 4954, RFC 3207, RFC 1870, and the refusals
 * that Gmail and Exchange Online document. Any thread. */
#ifndef DESK_MAIL_SMTP_CODES_H
#define DESK_MAIL_SMTP_CODES_H

#include <stdbool.h>

#include "mail/smtp_dialogue.h"

enum smtp_action {
    SMTP_FINAL,      /* this mail will never be taken */
    SMTP_NO_ADDRESS, /* final, and no other mail to that address will be */
    SMTP_BACK_OFF,   /* not taken now: again soon, then more seldom */
    SMTP_HOLD_OFF,   /* a person must mend something: again, seldom */
    SMTP_ASK_NOBODY, /* unknown: the same mail again, later, at most a few times */
};

/* What is done about a reply or an error, and what the operator is told. */
struct smtp_judgement {
    enum smtp_action action;
    bool alert; /* the operator of the installation must know */
    const char *meaning;
};

/* Judges a reply of 400-599 by its stage, its code and its enhanced code; the most special row of
 * the table wins. A code that has no business there (1xx, 2xx, 3xx) is a back-off. */
struct smtp_judgement smtp_codes_judge(enum smtp_stage stage, const struct smtp_reply *reply);

/* Judges an error of our own side of the session: "smtp.timeout" and the like. An unknown one is a
 * back-off. */
struct smtp_judgement smtp_codes_judge_error(const char *error);

#endif
