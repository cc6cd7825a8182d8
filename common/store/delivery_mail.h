/* What a delivery by mail needs besides its text: the account that sends it, its subject, and its
 * place in the thread. Adds to the unit of a claim (store/delivery.h). Loop thread. */
#ifndef DESK_STORE_DELIVERY_MAIL_H
#define DESK_STORE_DELIVERY_MAIL_H

#include "store/delivery.h"

/* The wrapped login of its mailbox for SMTP (mail/login.h, mail_credentials). */
struct delivery_mail_login {
    struct uuid mailbox; /* nil: the channel has none */
    const char *way;     /* "in" or "out"; "": there is none */
    const char *hex;
    int64_t version;
};

/* Texts are borrowed from the answer; "" where there is none. */
struct delivery_mail {
    struct delivery_ref ref;
    struct uuid conversation;
    const char *author;   /* ai, operator, system */
    int64_t created_ms;   /* its Date, of every copy */
    const char *language; /* the tenant's, when it was made */
    const char *url;      /* of the account: mail/smtp_account.h */
    const char *secret;   /* file:PATH, env:NAME; "sealed": what `login` opens; "": none */
    struct delivery_mail_login login;
    bool wants_copy;       /* in the mailbox's folder of sent mails */
    const char *from_name; /* beside the mailbox's address */
    bool plus_addresses;   /* its server takes mail for the address with a token in it */
    const char *subject;   /* of the mail that it answers; "" */
    const char *in_reply_to;
    const char *references; /* ids with one space between, the oldest first */
    const char *message_id; /* of every copy, without angles */
    const char *quoted;     /* of the mail that it answers: as much as is quoted, or more */
    const char *quoted_on;  /* when that came: mail/quote.h */
};

/* Adds, behind delivery_add_claim, the statement that reads the mails among those that `worker` has
 * claimed with it. The first time that one is claimed, its Message-ID becomes its token, "@" and
 * the mailbox's domain; it stays so. `tokens`: one text for each ref, borrowed. */
void delivery_mail_add(struct pg_unit *unit, struct arena *arena, const char *worker,
                       const struct delivery_ref *refs, const char *const *tokens, size_t count);

/* Reads the mail of a delivery claimed with it; false when it is none, or its row is missing. */
bool delivery_mail_find(const struct pg_answer *answer, const struct uuid *id,
                        struct delivery_mail *out);

/* A reply by mail that is being made. */
struct delivery_mail_of {
    const char *tenant;
    struct uuid delivery;
};

/* Adds, behind the statement that inserts the deliveries, the one that says where in their threads
 * they stand: behind the newest mail that their turn answers, else behind the thread's newest. That
 * is quoted by people, and by answers if it is verified who wrote it: else anybody could have us
 * send his words to a stranger. Does nothing for deliveries that were not made, or not by mail. */
void delivery_mail_add_made(struct pg_unit *unit, struct arena *arena,
                            const struct delivery_mail_of *mails, size_t count);

/* The same for one: $1 the tenant and $2 the delivery, as array literals of uuids. */
extern const char delivery_mail_made_sql[];

/* Its frequent statements, NULL-terminated, for store/statements.h. */
extern const char *const delivery_mail_statements[];

#endif
