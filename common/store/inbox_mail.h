/* The claim of mails: as that of texts (store/inbox.h), but a mail is known by its content as well,
 * belongs to a thread, and is answered only if a person wrote it (docs/PROTOCOL.md, claim). Loop
 * thread. */
#ifndef DESK_STORE_INBOX_MAIL_H
#define DESK_STORE_INBOX_MAIL_H

#include "store/inbox.h"

/* What a mail has besides its event. Texts live until the unit is done. */
struct inbox_mail {
    const char *reason; /* "": a person wrote it; else the class, with which its event ends */
    struct uuid talk;   /* the conversation that our signed token in its address names; nil: none */
    struct uuid delivery; /* the newest mail of ours that it answers; nil: none */
    const char *ids;      /* JSON array: Message-IDs that it answers or refers to */
    const char *mail_id;  /* its own, without angles; "" */
    const char *chain;    /* JSON array: the references before it of an answer, oldest first */
    const char *subject, *from_name, *class, *rule;
    bool verified;     /* who is told as its sender is its sender */
    const char *whole; /* all of its text, with quotes; "": the same as the event's body */
};

/* Adds the claim's statements to an empty unit: as inbox_add_claim, of events whose channel is
 * "mail", whose sender is the mailbox's id, and whose session is the one that the mail would begin.
 * The session that it gets is, in this order: of the token's conversation the one of the mail that
 * it answers, or else the newest; that of the mail of ours, or of its sender's own, that it
 * answers; its own. None of another sender's. `mails` is as long as `events`, in the same order.
 * timing->loop_replies are those to one address within loop_window_ms over all threads, and three
 * times as many within seven of these. Read with inbox_read_claim: a mail that is known by its
 * content counts as known.
 *
 * A person's mail in the thread of a notice to the rota ends as 'rota'; one whose event has a code
 * accepts, and is answered (store/rota_reply.h). */
void inbox_mail_add_claim(struct pg_unit *unit, struct arena *arena, const char *worker,
                          const struct inbox_event *events, const struct inbox_mail *mails,
                          size_t count, const struct inbox_timing *timing);

/* Reads row `row` of what people of a rota are answered, as inbox_read_answer. */
bool inbox_mail_read_answer(const struct pg_answer *answer, int row, struct rota_answer *out);

/* Its frequent statements, NULL-terminated, for store/statements.h. */
extern const char *const inbox_mail_statements[];

#endif
