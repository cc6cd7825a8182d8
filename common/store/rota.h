/* Telling the rota of an escalation, one after another (docs/PROTOCOL.md, escalations). Who is next
 * is the caller's to say; here every step is one transaction that checks, behind the escalation's
 * lock, that the timer is still the worker's and that nobody has accepted or stepped meanwhile.
 * Texts live until the unit is done. Loop thread. */
#ifndef DESK_STORE_ROTA_H
#define DESK_STORE_ROTA_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "base/arena.h"
#include "base/uuid.h"
#include "pg/pg.h"
#include "store/job.h"

/* A timer: the job of kind JOB_ESCALATION. */
struct rota_job {
    struct uuid tenant, id, escalation;
    int64_t tries; /* claims since its last good step, this one included */
};

/* Adds the statement that takes up to `limit` due timers in the worker's name, fair by tenant and
 * then by due time: those without a live worker, and those that name it, so that it must have none
 * in hand. None while the installation is held. */
void rota_add_claim(struct pg_unit *unit, struct arena *arena, const char *worker, int limit);

/* Reads row `row` of the claim, which is statement 0; false: no more. */
bool rota_read_claimed(const struct pg_answer *answer, int row, struct rota_job *out);

/* Adds the statement that reads what the next step of these escalations is decided by. */
void rota_add_read(struct pg_unit *unit, struct arena *arena, const struct rota_job *jobs,
                   size_t count);

/* An escalation whose timer is due; texts are borrowed from the answer. */
struct rota_due {
    struct uuid tenant, job, escalation;
    bool runs; /* it is open and the rota is being told; false: only the timer is left */
    int steps;
    const char *reason, *summary, *caller; /* caller "" if not known */
    const char *customer;                  /* the address that they write from; "" if not known */
    const char *business;                  /* display name */
    const char *policy;                    /* the version's `escalation`: JSON, "" if none */
    struct uuid channel;                   /* that a text leaves by; nil: there is none */
    const char *number;                    /* its address, "" */
    struct uuid mail_channel;              /* that a mail leaves by; nil: there is none */
    const char *mailbox;                   /* its address, "" */
    struct uuid call_channel;              /* that is called from; nil: there is none */
    const char *day, *time, *weekday;      /* by the tenant's clock: 2026-12-01, 09:00, tue */
    const char *opted_out; /* JSON array of numbers and mail addresses, "" if none */
    const char *language;  /* the tenant's tag */
    const char *reception; /* the version's `reception`: JSON, "" if none */
};

/* Reads row `row` of statement 0; false when there is none. */
bool rota_read_due(const struct pg_answer *answer, int row, struct rota_due *out);

/* ---- steps ---- */

struct rota_step {
    const char *worker;
    struct uuid tenant, job, escalation;
    int steps; /* as read */
};

struct rota_notice {
    struct rota_step of;
    struct uuid notice, message, delivery; /* fresh ids; the notice's is its session's too */
    /* Keyed hashes: of the address as anybody's, and of the conversation that only notices use. */
    struct uuid contact, address_hash, conversation;
    struct uuid channel;
    const char *name, *address, *code, *body;
    bool by_mail;         /* the address is a mail address; else a number */
    bool by_call;         /* that number is called */
    int ring_s;           /* so long; of a call */
    const char *subject;  /* of a mail */
    int steps_now, round; /* steps with this one; the round that it belongs to, from 1 */
    int64_t accept_ms;    /* it may be accepted for so long, and leaves no later */
};

/* Adds the step that tells one of the rota: notice, message and delivery, the timer set to its
 * end. rota_read_done of the answer: false when nothing was written, because of what happened
 * meanwhile or since the address had this code before: rota_add_failed then. */
void rota_add_notice(struct pg_unit *unit, struct arena *arena, const struct rota_notice *notice);
bool rota_read_done(const struct pg_answer *answer);

enum rota_pause {
    ROTA_AT,     /* at `time` of the day that is `days` after `day`, by the tenant's clock */
    ROTA_NOBODY, /* all rounds are over, or there is nobody: it stays open, untold */
};

struct rota_rest {
    struct rota_step of;
    enum rota_pause pause;
    const char *day, *time; /* for ROTA_AT */
    int days;
    const char *tell; /* for ROTA_NOBODY: what the customer is told then; NULL: nothing */
};

/* Adds the step that tells nobody of the rota. What is not open any more loses its timer; while the
 * turn that opened it still works, ROTA_NOBODY waits for its end.
 *
 * With ROTA_NOBODY the customer is told, once for an escalation, if its turn told them that people
 * are asked, in a text or mail: not on a call, not who has opted out, not while a person holds the
 * conversation. A mail goes on with the thread. The message and its delivery have the escalation's
 * id; it is suppressed if somebody accepts or closes the escalation before it leaves
 * (escalation_admin_step). */
void rota_add_rest(struct pg_unit *unit, struct arena *arena, const struct rota_rest *rest);

struct rota_rested {
    bool nobody;         /* the rota is over with it */
    struct uuid session; /* in which the customer is told, by the delivery of the escalation's id;
                          * nil: they are not */
    bool by_mail;        /* by a mail, not by a text */
};

/* What came of it, from an answer without an error. */
void rota_read_rested(const struct pg_answer *answer, struct rota_rested *out);

struct rota_failed {
    const char *worker;
    struct rota_job job;
    const char *error; /* for people, at most JOB_ERROR_MAX bytes */
    int64_t again_ms;  /* tried again after so long; < 0: parked, for a person */
};

/* Adds the statements that put a timer off which could not take its step. */
void rota_add_failed(struct pg_unit *unit, struct arena *arena, const struct rota_failed *failed);

/* Its frequent statements, NULL-terminated, for store/statements.h. */
extern const char *const rota_statements[];

#endif
