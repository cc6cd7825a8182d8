/* The responder: what its loops share and what one loop owns. A loop shares nothing with another.
 */
#ifndef DESK_RESPONDER_RESPONDER_H
#define DESK_RESPONDER_RESPONDER_H

#include <stdbool.h>

#include "base/secret.h"
#include "bus/bus.h"
#include "http/client.h"
#include "loop/loop.h"
#include "pg/pg.h"
#include "service/service.h"
#include "settings.h"
#include "store/worker.h"

#define RESPONDER_KEYS_MAX 8

struct flights;
struct claims;
struct outcomes;
struct channels;
struct wake;
struct receipts;
struct poll;
struct gap_audits;
struct recordings;
struct bring_backs;
struct mail_smtp;
struct mailbox_logins;
struct sent_copies;
struct address_list;

/* Read-only after start. */
struct responder_shared {
    struct responder_settings settings;
    struct secret *credential_keys[RESPONDER_KEYS_MAX];
    size_t credential_key_count;
    struct secret *mail_keys[RESPONDER_KEYS_MAX]; /* sign what mails carry; the first is current */
    size_t mail_key_count;
    struct address_list *networks; /* that mailboxes may be in; NULL: public addresses only */
    int ready_database, ready_bus, ready_worker; /* readiness conditions */
};

/* One loop's responder. */
struct responder {
    struct responder_shared *shared;
    struct service_loop *self;
    struct loop *loop;
    struct pg *pg;
    struct worker *worker;
    struct bus_producer *producer; /* dead letters, and texts that no webhook brought */
    struct http_client *http;
    struct mail_smtp *mail; /* NULL: no mail is sent */
    struct mailbox_logins *logins;
    struct sent_copies *copies;
    struct flights *flights;
    struct claims *claims, *mail_claims;
    struct outcomes *outcomes;
    struct channels *channels;
    struct wake *wake, *mail_wake, *call_wake;
    struct receipts *receipts;
    struct poll *poll;
    struct gap_audits *audits;
    struct recordings *recordings;
    struct bring_backs *bring_backs;
    struct timer *tick;
    struct timer *mail_patience; /* of a drain: with servers that do not answer */
    uint64_t generation; /* rises with each worker id: what was claimed under another is not sent */
    char *last_id;       /* of the unit that retires the worker */
    bool draining, retiring, fenced;
};

/* Runs the process; returns its exit code. */
int responder_main(int argc, char **argv);

/* True when work may be taken: registered with a lease by our own clock (the gate would refuse what
 * is claimed without), database up, not draining. */
bool responder_can_claim(const struct responder *responder);

/* True when records may be taken: the database is up, and a dead letter could be sent, not
 * draining. Sending, look-ups and adoption need no Kafka. */
bool responder_can_consume(const struct responder *responder);

/* When a unit of statements that failed so, so many times in a row (from 1 on), goes out again: at
 * once what the database wants repeated, else 50 ms doubling to 1.6 s. */
int64_t responder_again_ms(const struct err *err, int failures);

/* Called when something ended: goes on with what waited for room, or with the drain. */
void responder_step(struct responder *responder);

/* A consumer is dead for good: drains the loop, which ends the process with 1, to be started anew.
 */
void responder_give_up(struct responder *responder);

#endif
