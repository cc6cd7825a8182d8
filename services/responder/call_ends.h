/* Calls that were placed and of whose end no word has come. Loop thread. */
#ifndef DESK_RESPONDER_CALL_ENDS_H
#define DESK_RESPONDER_CALL_ENDS_H

#include "responder.h"
#include "store/delivery_call.h"

/* Asks the provider about one that the poll has taken. */
void call_ends_ask(struct responder *responder, const struct delivery_call_open *open);

#endif
