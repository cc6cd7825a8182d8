/* Periodic work: rows in `jobs`, adopted like everything else that is due, none with an owner
 * process (docs/PROTOCOL.md, jobs). A job runs again when its worker died in the middle of it, so
 * what it does must be harmless to do twice. Loop thread, but for job_put. */
#ifndef DESK_STORE_JOB_H
#define DESK_STORE_JOB_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "base/arena.h"
#include "base/err.h"
#include "base/uuid.h"
#include "pg/pg.h"

/* Kinds; the subject's meaning. */
#define JOB_GAP_AUDIT  "gap_audit"  /* a channel's id */
#define JOB_ESCALATION "escalation" /* the escalation whose rota is to be told (store/rota.h) */
#define JOB_RECORDING                                                                              \
    "recording" /* the task whose recording is to be fetched (store/recording.h) */
#define JOB_TRANSFER_BACK                                                                          \
    "transfer_back"               /* the transfer whose caller has a machine at the other end */
#define JOB_CALL_BACK "call_back" /* the task that a customer is to be called back about */
#define JOB_RECOVERY  "recovery"  /* the tenant's own id (store/recover.h) */

/* A gap audit looks so far behind the last good one, because Twilio lists a message a little after
 * its time; a reconcile of what went back must look as far, or the next audit finds more. */
#define JOB_GAP_AUDIT_OVERLAP_MS 600000

/* The same of a number for calls: a call is listed by its begin, and nothing tells of it before its
 * end, which is 4 h later at most (Twilio's limit). */
#define JOB_CALL_AUDIT_OVERLAP_MS 15000000

#define JOB_ERROR_MAX 200

struct job {
    struct uuid tenant, id, subject;
    int64_t tries;    /* runs since the last good one, this one included */
    int64_t done_ms;  /* wall clock at which the last good run began; 0: never */
    int64_t since_ms; /* what came before is not the job's business */
    int64_t now_ms;   /* the database's clock */
};

/* Adds the statement that takes up to `limit` due jobs of the kind in the worker's name, fair by
 * due time: those without a live worker, and those that name it but are not in `held` (array
 * literal of ids). None while the installation is held. Texts are borrowed until the unit is done.
 */
void job_add_claim(struct pg_unit *unit, struct arena *arena, const char *kind, const char *worker,
                   const char *held, int limit);

/* Reads row `row` of the claim, which is statement `statement` of its unit; false: no more. */
bool job_read_claimed(const struct pg_answer *answer, int statement, int row, struct job *out);

/* Adds the statement that ends a run, if the worker still has the job. `error` NULL: it was good,
 * and began at done_ms; else at most JOB_ERROR_MAX bytes for people. next_in_ms < 0: not again
 * until somebody makes it due. */
struct job_end {
    const char *worker, *error;
    int64_t done_ms, next_in_ms;
};
void job_add_end(struct pg_unit *unit, struct arena *arena, const struct job *job,
                 const struct job_end *end);

/* Adds the statement that gives back all jobs of the worker (drain). */
void job_add_release(struct pg_unit *unit, const char *worker);

/* Makes the job exist and be due, from now on. One that is going to run anyway stays as it is,
 * unless `anew`: what came before now is not its business any more, and a run of it that has not
 * ended says nothing. Blocking (deskctl). */
int job_put(struct pg_session *session, const struct uuid *tenant, const char *kind,
            const struct uuid *subject, bool anew, struct err *err);

/* Its frequent statements, NULL-terminated, for store/statements.h. */
extern const char *const job_statements[];

#endif
