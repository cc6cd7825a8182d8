/* Dead letters: records of ours that cannot be read. Loop thread. */
#ifndef DESK_RESPONDER_LETTERS_H
#define DESK_RESPONDER_LETTERS_H

#include "responder.h"

/* Sends the record to desk.dlq; `report` is called once, never from inside, with NULL when the
 * brokers have it: only then may its offset be stored. */
void letters_send(struct responder *responder, const struct bus_record *record, const char *code,
                  bus_report_fn *report, void *arg);

#endif
