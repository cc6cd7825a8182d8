/* Receipts: the provider's words on a delivery, applied by rank and never backwards
 * (docs/PROTOCOL.md, delivery). Loop thread. */
#ifndef DESK_STORE_RECEIPT_H
#define DESK_STORE_RECEIPT_H

#include <stdbool.h>
#include <stddef.h>

#include "store/delivery.h"

struct receipt {
    struct delivery_ref ref;
    int attempt;                           /* DELIVERY_ATTEMPT_ANY of a mail */
    const char *sid, *status, *error_code; /* sid NULL of a mail; error_code "" if none */
    enum delivery_event event;             /* that the status means */
    const char *reason;                    /* of a mail that came back; else NULL */
    bool by_mail, complaint;               /* complaint: its recipient wants no more of ours */
    const void *origin;                    /* the caller's */
};

/* The event that a provider's status word means; false for a word that says nothing about an
 * outbound message. Source: Twilio's "Message status" values. */
bool receipt_event(const char *status, enum delivery_event *event);

/* What a mail server's report means for the delivery, as a receipt without ref and origin; false:
 * it says nothing that counts. Texts are those of common/contract/mail.h. */
bool receipt_of_report(const char *action, const char *fault, const char *status,
                       const char *feedback, struct receipt *out);

/* Adds the statements that apply up to 500 reports of different mails, each from receipt_of_report:
 * the conversation of one that came back, or was complained of, is flagged for a person, and who
 * complained gets nothing more from that mailbox. Read the answer with the _behind functions of
 * delivery.h, and this `first`. */
#define RECEIPT_REPORTS_FIRST 1
void receipt_add_reports(struct pg_unit *unit, struct arena *arena, const struct receipt *receipts,
                         size_t count);

/* Adds the statements that apply up to 500 receipts of different deliveries, all with known words;
 * read the answer with delivery_read_changed and delivery_read_next. A receipt that names an
 * attempt of a delivery without a sid settles it: a late yes, also of an attempt that the row has
 * lost. */
void receipt_add_apply(struct pg_unit *unit, struct arena *arena, const struct receipt *receipts,
                       size_t count);

#endif
