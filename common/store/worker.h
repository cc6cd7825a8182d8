/* A worker: one loop's name in the database, with a lease.
 *
 * Each process start registers a new id per loop; the lease is renewed by one unit on a connection
 * of its own, four times per lease. The database's clock alone judges the lease; the worker counts
 * its own copy from before it sent the renewal, so its copy always ends first. Whoever acts on a
 * lapsed lease marks that worker dead in the same transaction; a dead worker cannot renew: it drops
 * its work and registers under a new id (docs/PROTOCOL.md, workers). Loop thread only. */
#ifndef DESK_STORE_WORKER_H
#define DESK_STORE_WORKER_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "base/arena.h"
#include "base/uuid.h"
#include "loop/loop.h"
#include "pg/pg.h"

struct worker;

struct worker_options {
    struct loop *loop;
    const char *database_url; /* copied */
    const char *kind;         /* "engine" or "responder"; static */
    const char *process;      /* instance and loop, for people; copied */
    int64_t lease_ms;         /* 4,000 in production */
    /* Adds statements to the renewal (the sessions in hand, to learn which moved); may be NULL. */
    void (*extend)(void *arg, struct arena *arena, struct pg_unit *unit);
    /* The renewal's answer; statements of `extend` start at `first`. May be NULL. */
    void (*extended)(void *arg, const struct pg_answer *answer, int first);
    /* A new id is registered: work may be claimed in its name. */
    void (*on_registered)(void *arg);
    /* The id was marked dead: drop all work in memory, without giving it back. */
    void (*on_lost)(void *arg);
    void *arg;
};

/* Returns an owned worker that registers itself as soon as the database answers. */
struct worker *worker_new(const struct worker_options *options);

/* Stops renewing and frees, without telling the database; sets to NULL; accepts NULL. */
void worker_free(struct worker **worker);

/* The id as text; "" until registered and after a loss. Borrowed until the next callback. */
const char *worker_id(const struct worker *worker);

/* What is left of the lease by our own copy; <= 0: others may act on our work, nothing may be sent.
 */
int64_t worker_lease_left_ms(const struct worker *worker);

/* True after one lease of renewals without a gap: so that after a database outage all workers renew
 * before any adopts. */
bool worker_may_adopt(const struct worker *worker);

/* Until when, in ms from now, some worker of the kind has the lease that it has now. Later each has
 * renewed, and been told what was committed before this call, or may not act any more. Waits for
 * renewals under way. Blocking, in a transaction of the caller. */
int worker_leases_left(struct pg_session *session, const char *kind, int64_t *left_ms,
                       struct err *err);

/* Adds the statement that marks workers of the kind dead whose lease lapsed: first statement of
 * every unit that looks for work of the dead (worker_may_adopt). It marks nobody unless the worker
 * `id` itself has half of its lease of lease_ms left by then. Texts are borrowed until the unit is
 * done. */
void worker_add_mark_dead(struct pg_unit *unit, struct arena *arena, const char *kind,
                          const char *id, int64_t lease_ms);

/* Adds the statement that marks a worker dead after its work was given back (drain). */
void worker_add_retire(struct pg_unit *unit, const char *id);

/* Its frequent statements, NULL-terminated, for store/statements.h. */
extern const char *const worker_statements[];

#endif
