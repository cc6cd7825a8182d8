/* The states of a delivery, what may happen in each and what comes of it: one table, which prints
 * itself (docs/DELIVERY.md). What a provider or a receipt says goes through it row by row; a
 * statement that moves many rows takes the event's set of states from here. Status never moves
 * backwards. Any thread, no state. */
#ifndef DESK_STORE_DELIVERY_STATE_H
#define DESK_STORE_DELIVERY_STATE_H

#include <stdbool.h>

#include "base/strbuf.h"

/* Sets of states as text[] literals, for the table and for SQL. */
#define DELIVERY_WAITING   "{pending,deferred}"                      /* claim, refuse, park */
#define DELIVERY_UNSENT    "{pending,deferred,held}"                 /* take_over */
#define DELIVERY_UNPROVEN  "{pending,deferred,unknown,held}"         /* reconcile */
#define DELIVERY_IN_FLIGHT "{sending,unknown}"                       /* may be leaving */
#define DELIVERY_UNSETTLED "{pending,sending,deferred,unknown,held}" /* later ones wait for it */

enum delivery_event {
    DELIVERY_CLAIM,     /* a responder takes it */
    DELIVERY_WAIT,      /* a call outside the hours in which that may be */
    DELIVERY_REFUSE,    /* a claim is not allowed: opt-out, too late, channel gone, old epoch */
    DELIVERY_TAKE_OVER, /* a person takes the conversation */
    DELIVERY_RECONCILE, /* after a restore: the provider has sent an answer already */
    DELIVERY_PARK,      /* waited too long */
    DELIVERY_ACCEPTED,  /* the provider took it */
    DELIVERY_DECLINED,  /* the provider said no for good */
    DELIVERY_DEFER,     /* nothing left, or the provider said later */
    DELIVERY_NO_ANSWER, /* the first byte left and no answer came */
    DELIVERY_EXPIRE,    /* its worker died while sending */
    DELIVERY_NOT_FOUND, /* the provider knows nothing of it */
    DELIVERY_GIVE_UP,   /* the same, too often */
    DELIVERY_SEEN,      /* a receipt or look-up: on its way */
    DELIVERY_ARRIVED,   /* delivered */
    DELIVERY_LOST,      /* failed or undelivered */
    DELIVERY_BOUNCED,   /* a mail came back */
    DELIVERY_EVENTS,
};

/* The one state that the event leads to, as its row says it. */
const char *delivery_target(enum delivery_event event);

/* The states in which the event changes something, as a text[] literal; static. */
const char *delivery_sources(enum delivery_event event);

/* True when the event counts only from the newest attempt, or on the message that the delivery is
 * known by: a no of an older one says nothing about the one in flight. A yes of an older attempt
 * settles the delivery unless a newer one is just being sent. */
bool delivery_latest_only(enum delivery_event event);

/* Appends the table and its diagram as Markdown. */
void delivery_state_print(struct strbuf *out);

#endif
