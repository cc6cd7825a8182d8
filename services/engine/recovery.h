/* Answering after an outage by itself (docs/RECEPTION.md, recovery): conversations that were last
 * answered without a model get a model's answer, where the tenant's file has `recover: {by_itself:
 * true}`. One conversation of a tenant at a time: the first is also the test whether a model is
 * there. Each tenant's job is a row (store/recover.h); any engine may take it. Loop thread. */
#ifndef DESK_ENGINE_RECOVERY_H
#define DESK_ENGINE_RECOVERY_H

#include "engine.h"
#include "store/recover.h"

struct recovery;

/* Starts looking. Returns owned; frees and sets to NULL, accepts NULL (after pg_free, which ends
 * what is on its way). */
struct recovery *recovery_new(struct engine *engine);
void recovery_free(struct recovery **recovery);

/* A model that was left alone has answered the tenant: what its recovery waits for is there. Of any
 * loop. Bounded: a breaker closes once for each time that it opened, and the job moves on no faster
 * than its pace. */
void recovery_wake(struct engine *engine, const char *tenant);

/* What comes next for a tenant whose job is due, with `every_ms` between two answers. Pure; the
 * worker is borrowed. */
void recovery_plan(const struct recover_due *due, int64_t every_ms, const char *worker,
                   struct recover_step *out);

/* Until a new job is due, and after a try that found no model: it doubles with each. */
int64_t recovery_pause_ms(int64_t every_ms, int tries);

#endif
