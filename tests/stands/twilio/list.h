/* GET /2010-04-01/Accounts/{AC}/Messages.json */
#ifndef STANDS_TWILIO_LIST_H
#define STANDS_TWILIO_LIST_H

#include "stands/twilio/twilio.h"

/* Answers one page of the account's messages, newest first: filters To, From, DateSent, DateSent<,
 * DateSent> (a day or a moment, GMT; an inclusive bound), PageSize 1..1000, PageToken. Messages
 * younger than the index delay are not in it yet. */
void list_messages(struct twilio *twilio, struct stand_call *call, const struct account *account);

/* Reads a day, or a moment as YYYY-MM-DDThh:mm:ssZ, as the span of epoch ms that it means. Returns
 * 0 or -1. */
int list_parse_date(const char *text, int64_t *from_ms, int64_t *until_ms);

#endif
