/* Deliveries in hand: from the claim (or the taking for a look-up) until the outcome is committed.
 * Loop thread. */
#ifndef DESK_RESPONDER_FLIGHT_H
#define DESK_RESPONDER_FLIGHT_H

#include <stdbool.h>

#include "responder.h"
#include "rest.h"
#include "store/delivery.h"
#include "store/delivery_mail.h"

struct channel;
struct mail_smtp_account;
struct mail_smtp_transfer;
struct oauth_wait;

struct flight {
    struct responder *responder;
    struct arena *arena; /* all its texts */
    struct delivery_ref ref;
    char id[UUID_TEXT_SIZE];
    int attempt;
    const char *body, *traceparent;
    struct delivery_call call; /* where the route is a call's */
    struct delivery_route route;
    struct channel *channel; /* borrowed; NULL when its credentials cannot be read */
    uint64_t generation;
    int64_t claimed_ms; /* clock_lease_ms, from before the claim was sent */
    struct http_transfer *transfer;
    const struct delivery_mail *mail;        /* NULL: a text */
    const struct mail_smtp_account *account; /* of a mail that is being sent */
    struct mail_smtp_transfer *mail_transfer;
    struct oauth_wait *token_wait; /* for the token that its account logs in with */
    bool token_used, token_renewed;
    bool began;                    /* its first byte was allowed to leave */
    struct delivery_change change; /* once settling */
    bool alone;                    /* a unit with its outcome failed: it is written by itself */
    struct flight *next;           /* in a queue of its channel or of the outcomes */
    struct rest_wanted wanted;     /* of a look-up */
    const char *worker;            /* that took the look-up */
    struct rest_page *page;
    int64_t unknowns;
    int pages;
    const char *call_sid; /* of a call whose end is asked about */
    int64_t age_ms;       /* of that call */
};

/* None in hand yet. Returns owned; borrows the responder. */
struct flights *flights_new(struct responder *responder);

/* Frees all, cancelling their requests; sets to NULL; accepts NULL. */
void flights_free(struct flights **flights);

/* The delivery in hand, or NULL. */
struct flight *flights_find(struct flights *flights, const struct uuid *id);

/* Takes a delivery into hand; texts of the route and body are copied. */
struct flight *flights_add(struct flights *flights, const struct delivery_ref *ref,
                           const struct delivery_route *route, const char *body);

/* Lets go of it: its outcome is committed, or somebody else's to find out. */
void flights_remove(struct flight *flight);

/* How many, of texts or of mails; of both; and their ids appended to the array. */
size_t flights_of(const struct flights *flights, bool mails);
size_t flights_count(const struct flights *flights);
void flights_list(struct flights *flights, struct pg_array *ids);

/* Every mail that is with its server now, or waits for a token for it, in turn. It must not be
 * removed, nor another added. */
void flights_each_mail(struct flights *flights, void (*each)(struct flight *flight));

#endif
