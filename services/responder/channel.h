/* Senders: their opened credentials and how many requests are under way for each. Loop thread. */
#ifndef DESK_RESPONDER_CHANNEL_H
#define DESK_RESPONDER_CHANNEL_H

#include "flight.h"

struct channel {
    struct uuid id;
    int64_t version;                /* of the credentials */
    struct secret *token;           /* NULL: of a mailbox, whose account the delivery names */
    int64_t most;                   /* requests at once */
    int64_t requests;               /* under way */
    struct flight *first, **behind; /* waiting for a place, in order */
};

/* None known yet. Returns owned; borrows the responder. */
struct channels *channels_new(struct responder *responder);

/* Wipes the credentials and frees; sets to NULL; accepts NULL. */
void channels_free(struct channels **channels);

/* The channel of the route, its token opened anew when its version changed; NULL (logged) when no
 * key opens it. */
struct channel *channels_get(struct channels *channels, const struct uuid *tenant,
                             const struct delivery_route *route);

/* A place for one more request; false puts the flight in line. */
bool channel_enter(struct channel *channel, struct flight *flight);

/* The request is over. Returns the flight whose turn it is, or NULL; its place is taken. */
struct flight *channel_leave(struct channel *channel);

/* Takes out what has waited since before `claimed_before_ms` (INT64_MAX: all), linked by next. */
struct flight *channels_give_up(struct channels *channels, int64_t claimed_before_ms);

#endif
