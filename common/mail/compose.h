/* Mails that we send, as the bytes that SMTP takes: plain text and simple HTML, threaded, marked as
 * automatic, ASCII only. The same input gives the same bytes, so that a second try is the same
 * mail. Pure, any thread. */
#ifndef DESK_MAIL_COMPOSE_H
#define DESK_MAIL_COMPOSE_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "base/err.h"
#include "base/strbuf.h"
#include "mail/address.h"

#define MAIL_COMPOSE_RECIPIENTS_MAX 100
#define MAIL_COMPOSE_REFERENCES_MAX 20            /* of a longer chain the first and the last */
#define MAIL_COMPOSE_TEXT_MAX       (256u * 1024) /* bytes of the answer; as many of the quote */
#define MAIL_COMPOSE_MAX            (4u * 1024 * 1024) /* bytes that can come out */

/* Who speaks (RFC 3834). */
enum mail_compose_author {
    MAIL_AUTHOR_PERSON, /* an operator typed it: no mark */
    MAIL_AUTHOR_ANSWER, /* the desk answers: auto-replied */
    MAIL_AUTHOR_NOTICE, /* the desk writes by itself: auto-generated */
};

/* A mail to be written. Texts are UTF-8, NULL or "" where they are left out; all are borrowed. */
struct mail_draft {
    struct mail_address from;      /* the mailbox; its bare address is in X-Loop as well */
    const char *reply_to;          /* address with the conversation's token */
    struct mail_addresses to, cc;  /* at least one `to` */
    const char *message_id;        /* without angles */
    const char *in_reply_to;       /* id of the mail that is answered, without angles */
    const char *const *references; /* its own references, the oldest first, without it */
    size_t reference_count;
    const char *subject; /* whole: mail_subject_reply makes an answer's */
    int64_t date_ms;     /* UTC */
    enum mail_compose_author author;
    const char *text;        /* the answer, with greeting and signature */
    const char *quote_intro; /* mail/quote.h */
    const char *quote;       /* the mail that is answered: its new text alone keeps threads short */
    const char *language;    /* for HTML: "de"; letters and hyphens */
};

/* Appends the mail to `out`, CRLF everywhere, no line over 78 bytes but for ids and addresses, of
 * which none is over 998. Nothing of a draft can begin a header or a part. PERMANENT, nothing
 * appended: "mail.address" (an address to which mail cannot be sent, none at all, or too many),
 * "mail.id" (a Message-ID of ours with other characters), "mail.text" (no text, or too long, or not
 * UTF-8). Foreign ids that no header can take are left out. */
int mail_compose(const struct mail_draft *draft, struct strbuf *out, struct err *err);

#endif
