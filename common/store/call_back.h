/* Calling customers back about a task (an escalation): who orders it, what is decided by, and the
 * call as a delivery (docs/CALLING.md). The job of kind JOB_CALL_BACK, whose subject is the task,
 * does it. Texts live until the unit is done. Loop thread, but for call_back_order. */
#ifndef DESK_STORE_CALL_BACK_H
#define DESK_STORE_CALL_BACK_H

#include <stdbool.h>
#include <stdint.h>

#include "base/arena.h"
#include "base/err.h"
#include "base/uuid.h"
#include "pg/pg.h"
#include "store/job.h"

/* Orders it as `actor`, once more if it was called about before, and writes the audit row.
 * Blocking, inside a transaction that schema_begin_as_ops opened. PERMANENT "escalation.not_found",
 * "escalation.taken" (it is closed), "call.nobody" (its contact has no telephone number),
 * "call.no_number" (the tenant has none to call from), "call.opt_out", "call.held" (a person has
 * the conversation), "call.ordered" (a call is on its way). */
int call_back_order(struct pg_session *session, const struct uuid *escalation, const char *actor,
                    struct err *err);

/* Adds the order that a task gives by itself where its tenant's file says `calls: back: auto`; 1
 * statement, no rows. Behind the statement that opened it. */
void call_back_add_auto(struct pg_unit *unit, struct arena *arena, const char *tenant,
                        const struct uuid *escalation);

/* Adds the statement that reads what a job's next step is decided by; 1 row. */
void call_back_add_read(struct pg_unit *unit, struct arena *arena, const struct job *job);

struct call_back {
    bool wanted;         /* the task is open; of one that ordered itself: nobody has accepted it */
    bool held;           /* a person has the conversation */
    int64_t calls;       /* placed since it was ordered */
    const char *state;   /* of the newest one's delivery; "": none */
    const char *word;    /* the provider's of it; "" */
    const char *address; /* whom; "": nobody */
    struct uuid channel; /* from; nil: none */
    struct uuid conversation;
    const char *business, *language;
    const char *calls_section; /* the version's `calls`: JSON, "" if none */
};

/* Reads it; texts are borrowed from the answer. False: there is no such task. */
bool call_back_read(const struct pg_answer *answer, struct call_back *out);

struct call_back_call {
    const char *worker;
    struct job job;
    struct uuid session, message, delivery; /* fresh */
    struct uuid channel, conversation;
    const char *address, *body, *leave;
    int ring_s;
    int64_t after_ms; /* not before */
};

/* Adds the call: session, message, delivery, and the job's next look when it is over. The last
 * statement has a row if it was written: the job was still the worker's and nobody had taken the
 * conversation. */
void call_back_add_call(struct pg_unit *unit, struct arena *arena,
                        const struct call_back_call *call);
bool call_back_read_called(const struct pg_answer *answer);

#endif
