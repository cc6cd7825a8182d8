/* Twilio's lists of calls and of recordings as JSON, and the events that a lost webhook of theirs
 * would have been: for deskctl reconcile and the responder's gap audit. No network. Any thread.
 * Source: Twilio's "Call resource" and "Recordings resource". */
#ifndef DESK_CONTRACT_TWILIO_CALLS_H
#define DESK_CONTRACT_TWILIO_CALLS_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "base/arena.h"
#include "base/err.h"
#include "bus/bus.h"

/* TWILIO_PLACED: the calls that left from the number, whatever came of them. */
enum twilio_calls_kind { TWILIO_CALLS, TWILIO_RECORDINGS, TWILIO_PLACED };

/* A call that came in and is over, a message that was left in one, or a call that was placed. */
struct twilio_listed {
    enum twilio_calls_kind kind;
    const char *sid, *call_sid; /* the same of a call */
    const char *event_id;       /* of the event that tells of it */
    int64_t began_ms, at_ms;    /* at_ms: the event's time; of a call its end. Of one that was
                                   placed began_ms is when it was ordered: it has no other yet */
    const char *from, *to;      /* of a call; of one that was placed as its events tell it: from the
                                   person, to our number */
    const char *status;         /* of a call that came in one after which nothing comes */
    int64_t duration_s;
    const char *error; /* why it cannot be an event: "" if it can */
    struct twilio_listed *next;
};

struct twilio_calls_page {
    struct twilio_listed *first; /* in the order of the list: the newest first */
    const char *next;            /* path of the next page, starting with "/", NULL at the end */
};

/* Address of the first page since the day of since_ms: calls to the number; recordings of the whole
 * account, for Twilio knows no other filter. Calls from the number have no filter by date, for one
 * that waits to be placed has none: twilio_calls_read ends their list. In the arena. */
struct twilio_calls_query {
    const char *base, *account_sid, *number;
    enum twilio_calls_kind kind;
    int64_t since_ms;
};
const char *twilio_calls_url(struct arena *arena, const struct twilio_calls_query *query);

/* Reads a page: of calls those that came in to the number and are over, also of whom hung up while
 * it rang; of recordings those that Record made and that can be fetched; of placed calls those that
 * our REST requests made, to a number; what began before since_ms is left out. A page of placed
 * calls that are all older is the last. PERMANENT "twilio.page" if it is none, or if its next page
 * is outside the account. */
int twilio_calls_read(struct arena *arena, const char *bytes, size_t length,
                      const struct twilio_calls_query *query, struct twilio_calls_page *page,
                      struct err *err);

/* The same entries the other way round, relinked; returns the one that was the last. Accepts NULL.
 */
struct twilio_listed *twilio_calls_turned(struct twilio_listed *list);

/* What is published of it: `desk.voice.ended` (found; outbound, if it was placed) of a call;
 * `desk.voice.recorded` of a recording of that call. Under the id that the webhook's event had. */
void twilio_calls_encode(struct arena *arena, const char *prefix, const char *tenant,
                         const char *account_sid, const struct twilio_listed *call,
                         const struct twilio_listed *recording, struct bus_record *record);

#endif
