/* The mailpoller: what its loops share and what one loop owns. A loop shares nothing with another.
 */
#ifndef DESK_MAILPOLLER_MAILPOLLER_H
#define DESK_MAILPOLLER_MAILPOLLER_H

#include <stdbool.h>

#include "base/secret.h"
#include "bus/bus.h"
#include "crypto/tls.h"
#include "http/address.h"
#include "loop/loop.h"
#include "mail/oauth.h"
#include "pg/pg.h"
#include "service/service.h"
#include "settings.h"
#include "store/worker.h"

#define MAILPOLLER_KEYS_MAX 8

struct box;
struct boxes;

/* Read-only after start. */
struct mailpoller_shared {
    struct mailpoller_settings settings;
    struct secret *token_keys[MAILPOLLER_KEYS_MAX];
    size_t token_key_count;
    struct secret *credential_keys[MAILPOLLER_KEYS_MAX];
    size_t credential_key_count;
    struct address_list *networks;
    struct crypto_trust *trust;                  /* who may vouch for mail servers */
    int ready_database, ready_bus, ready_worker; /* readiness conditions */
};

/* One loop's mailpoller. */
struct mailpoller {
    struct mailpoller_shared *shared;
    struct service_loop *self;
    struct loop *loop;
    struct pg *pg;
    struct worker *worker;
    struct bus_producer *producer;
    struct http_client *http; /* to token endpoints */
    struct oauth *oauth;
    struct mailbox_tokens *tokens; /* new refresh tokens, on their way into the database */
    struct boxes *boxes;
    size_t kept;         /* mailboxes that keep their connection while nothing comes */
    struct box *large;   /* that has a large mail in hand: one at a time, for the memory's sake */
    struct box *reading; /* that has a file in a child: one at a time, too */
    struct timer *tick, *late_timer;
    char life[UUID_TEXT_SIZE]; /* begun mails name it (store/mailbox.h) */
    size_t owes;   /* it outlived so many mails that it began, and the rows may not say so yet */
    char *last_id; /* of the unit that retires the worker */
    bool draining, late;    /* late: what is in hand is given up */
    bool retiring, retired; /* the unit is in flight; no further one */
};

/* Runs the process; returns its exit code. */
int mailpoller_main(int argc, char **argv);

/* Called when a mailbox went: goes on with the drain. */
void mailpoller_step(struct mailpoller *mailpoller);

#endif
