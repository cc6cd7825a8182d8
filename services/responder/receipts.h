/* Receipts: the consumer of desk.receipts. Loop thread. */
#ifndef DESK_RESPONDER_RECEIPTS_H
#define DESK_RESPONDER_RECEIPTS_H

#include "responder.h"

/* Opens the consumer. Returns owned. */
int receipts_open(struct responder *responder, struct receipts **receipts, struct err *err);

/* Closes; sets to NULL; accepts NULL. */
void receipts_close(struct receipts **receipts);

/* Looks for records, tries again what the database did not take; and: no batch is in hand. */
void receipts_look(struct receipts *receipts);
bool receipts_idle(const struct receipts *receipts);

#endif
