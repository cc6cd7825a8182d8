/* Dead letters: records of ours that cannot be read. Loop thread. */
#ifndef DESK_RESPONDER_LETTERS_H
#define DESK_RESPONDER_LETTERS_H

#include "responder.h"

struct letter_report {
    bus_report_fn *fn;
    void *arg;
};

/* Sends the record to desk.dlq; the report comes once, later, without an error when the brokers
 * have it: only then may its offset be stored. -1 when it was not even queued (bus_produce): then
 * no report comes. */
int letters_send(struct responder *responder, const struct bus_record *record, const char *code,
                 const struct letter_report *report, struct err *err);

#endif
