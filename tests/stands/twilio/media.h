/* Media of messages: their sids and types as Twilio tells them. There are no bytes behind them. */
#ifndef STANDS_TWILIO_MEDIA_H
#define STANDS_TWILIO_MEDIA_H

#include "stands/twilio/twilio.h"

/* What media_form lends to a form; lives as long as that. */
struct media_texts {
    char count[16];
    char names[MEDIA_MAX][2][32];
    char urls[MEDIA_MAX][256];
};

/* Appends NumMedia and each medium's MediaUrlN and MediaContentTypeN, borrowing from both. */
void media_form(const struct twilio *twilio, const struct message *message,
                struct media_texts *texts, struct stand_form *form);

/* Answers GET .../Messages/{sid}/Media.json: one page with all of them. */
void media_list(struct stand_call *call, const struct message *message);

#endif
