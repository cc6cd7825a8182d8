/* Deliveries: claim and change, in batches (docs/PROTOCOL.md, delivery).
 *
 * Each adds its statements to an empty unit: first the locks in id order (conversation FOR SHARE,
 * session, delivery), then, with a snapshot of its own, the statement that compares and writes.
 * Arrays are made in the arena; texts live until the unit is done. Loop thread. At most 500 items
 * each, none twice. */
#ifndef DESK_STORE_DELIVERY_H
#define DESK_STORE_DELIVERY_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "base/arena.h"
#include "base/uuid.h"
#include "pg/pg.h"
#include "store/delivery_state.h"

struct delivery_ref {
    struct uuid tenant, id;
};

/* ---- claim ---- */
struct delivery_timing {
    int64_t lookup_after_ms; /* from the claim until a send whose worker died is looked up */
    int64_t park_after_ms;   /* from the first attempt until it parks */
    int64_t mail_again_after_ms, mail_park_after_ms; /* the same of mails */
};

/* Adds the claim of `count` deliveries by `worker`: state, epoch, author, consent, answer-by time
 * and order are checked, the attempt is recorded before anything is sent. */
void delivery_add_claim(struct pg_unit *unit, struct arena *arena, const char *worker,
                        const struct delivery_timing *timing, const struct delivery_ref *refs,
                        size_t count);

enum delivery_claim_kind {
    DELIVERY_CLAIMED,      /* ours to send: the attempt is recorded */
    DELIVERY_NOT_DUE,      /* in another state, or its back-off is not over */
    DELIVERY_NOT_RELEASED, /* the installation is held: left as it is */
    DELIVERY_OUT_OF_HOURS, /* a call: put off to the next calling hours */
    DELIVERY_NOT_IN_ORDER, /* an earlier one of the session is not settled: left as it is */
    DELIVERY_REFUSED,      /* suppressed or parked by this claim, for `reason` */
};

/* How to reach the provider for one delivery; borrowed from the answer. */
struct delivery_route {
    struct uuid channel;
    const char *from, *to, *account_sid, *service_sid; /* service_sid "" if none */
    const char *credentials_hex;                       /* the wrapped token */
    int64_t credentials_version;
    bool is_call; /* of a number for calls */
    bool is_mail; /* account_sid, service_sid and credentials are empty: store/delivery_mail.h */
};

/* What a call is besides its words; borrowed from the answer. */
struct delivery_call {
    const char
        *purpose; /* "rota": a person of the business is asked; "back": a customer; "": none */
    int ring_s;
    const char *leave; /* for an answering machine; "": nothing */
};

struct delivery_claimed {
    struct delivery_ref ref;
    enum delivery_claim_kind kind;
    const char *reason; /* of a refusal: epoch, opt_out, late, channel, waiting, blocked, closed */
    int attempt;
    const char *body, *traceparent;
    struct delivery_route route;
    struct delivery_call call;
};

/* Reads row `row` of a claim's answer; false when there is none. Ids without a row have no
 * delivery: the wake-up is dropped. */
bool delivery_read_claimed(const struct pg_answer *answer, int row, struct delivery_claimed *out);

/* ---- change ---- */
/* All copies of a mail are one: the newest attempt is meant, or, while that one is being sent, the
 * newest of those before it that may have left. */
#define DELIVERY_ATTEMPT_ANY (-1)

struct delivery_change {
    struct delivery_ref ref;
    int attempt; /* or DELIVERY_ATTEMPT_ANY, of a mail */
    enum delivery_event event;
    const char *reason, *error_code, *sid, *provider_status; /* NULL: not known */
    const char *encoding;                                    /* with segments > 0 */
    int segments;
    int64_t next_in_ms;  /* due again; -1: as it was */
    const char *outcome; /* of the attempt: accepted, refused, deferred, unknown, not_sent */
    int http_status;     /* 0: none */
    bool of_call;        /* of a call: what waits for its end goes on */
    bool opted_out;      /* the provider says that the customer opted out: recorded as consent */
};

/* Applies what the table of states allows, no more. A change with a sid may name an attempt that
 * the row has lost (fail-over, restore): it is recorded then. */
void delivery_add_change(struct pg_unit *unit, struct arena *arena,
                         const struct delivery_change *changes, size_t count);

enum delivery_change_kind {
    DELIVERY_CHANGED,
    DELIVERY_UNCHANGED,     /* its state does not allow it any more, or a newer attempt counts */
    DELIVERY_MISSING,       /* no such delivery */
    DELIVERY_BAD_ATTEMPT,   /* an attempt that never was, or that cannot be told from another */
    DELIVERY_OTHER_MESSAGE, /* it is known under another sid */
};

struct delivery_changed {
    size_t index; /* into the changes given */
    enum delivery_change_kind kind;
};
/* Reads row `row`; false when there is none. */
bool delivery_read_changed(const struct pg_answer *answer, int row, struct delivery_changed *out);

/* After a claim or a change: deliveries of the same sessions that are first in line now, and
 * whether they are mails. */
bool delivery_read_next(const struct pg_answer *answer, int row, struct delivery_ref *out,
                        bool *is_mail);

/* The same of a unit in which the change's statements begin with number `first`. */
bool delivery_read_changed_behind(const struct pg_answer *answer, int first, int row,
                                  struct delivery_changed *out);
bool delivery_read_next_behind(const struct pg_answer *answer, int first, int row,
                               struct delivery_ref *out, bool *is_mail);

/* ---- channels ---- */

/* Adds the statement that reads how to reach the provider for one channel, and reads its answer
 * (statement 0; `to` is ""): false if there is no such channel any more. */
void delivery_add_channel(struct pg_unit *unit, struct arena *arena, const struct uuid *tenant,
                          const struct uuid *channel);
bool delivery_read_channel(const struct pg_answer *answer, struct delivery_route *out);

/* Its frequent statements, NULL-terminated, for store/statements.h. */
extern const char *const delivery_statements[];

#endif
