/*
 * What happened in a call, one object per event in the order of happening; never merged, never
 * left out. An event is started, filled and ended; `kind` and names are static texts.
 */
#ifndef STANDS_TWILIO_EVENTS_H
#define STANDS_TWILIO_EVENTS_H

#include "stands/twilio/call.h"

struct event {
    struct call *call;
    const char *kind;
    struct stand_buf members;
};

/* Starts an event of a call. */
void event_start(struct event *event, struct call *call, const char *kind);

/* Adds a member. A text may be NULL; of a very long one 64 kB are kept and `truncated` is added. */
void event_text(struct event *event, const char *name, const char *text);
void event_bytes(struct event *event, const char *name, const char *text, size_t len);
void event_number(struct event *event, const char *name, double number);
void event_flag(struct event *event, const char *name, bool flag);

/* Records it. */
void event_end(struct event *event);

/* Records an error as Twilio's error notification would tell it. */
void event_error(struct call *call, int code, const char *message);

/* Appends an event of the ledger as JSON: {"seq","time","call","kind", and its members}. */
void event_json(const struct stand_ledger *ledger, size_t seq, struct stand_buf *out);

#endif
