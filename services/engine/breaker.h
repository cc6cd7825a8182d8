/* Circuit breakers: of models, one per tenant and entry of a chain, and of tools, one per tenant
 * and server. What keeps failing is left alone for a while, then tried with a single call. Only
 * troubled ones take memory. They belong to a loop and are used on its thread. Times are
 * clock_mono_ms. */
#ifndef DESK_ENGINE_BREAKER_H
#define DESK_ENGINE_BREAKER_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "base/arena.h"
#include "base/err.h"

struct breakers;

/* Returns owned; frees and sets to NULL. */
struct breakers *breakers_new(void);
void breakers_free(struct breakers **breakers);

/* The key of a model: of a tenant's assistant, and of an entry in its version's chain: a key that
 * was mended is tried at once. In the arena. */
const char *breaker_key_of(struct arena *arena, const char *tenant, const char *assistant,
                           int version, int entry);

/* How long it is left alone: 0 if it may be called now. *probe: the call is the only one
 * until it is reported, let go, or 2 min have passed. */
int64_t breaker_wait_ms(struct breakers *breakers, const char *key, int64_t now_ms, bool *probe);

/* Whether its probe is on its way: breaker_wait_ms then says when to look again, for nobody knows
 * how long that takes. */
bool breaker_is_tried(const struct breakers *breakers, const char *key);

/* Whether it is open: it is left alone, or was and no call has gone well since. */
bool breaker_is_open(const struct breakers *breakers, const char *key);

/* Tells how a call ended; NULL: well. What began before it opened says nothing of now, however long
 * it took: if it goes well it closes nothing, that is the probe's to do, and if it fails only a
 * longer wish to be left alone is new. What a failure counts is llm_health's word: one that no
 * model has is trouble. Returns for how long it is left alone because of this one, 0 if it is not.
 */
int64_t breaker_report(struct breakers *breakers, const char *key, bool probe,
                       const struct err *err, int64_t now_ms);

/* A probe was stopped and says nothing: the next call is one. */
void breaker_let_go(struct breakers *breakers, const char *key);

/* Forgets those that nobody has called for 10 min after their time, as when the assistant has a new
 * version: they would count as troubled for ever. */
void breakers_forget(struct breakers *breakers, int64_t now_ms);

/* How many are troubled. */
size_t breakers_count(const struct breakers *breakers);

#endif
