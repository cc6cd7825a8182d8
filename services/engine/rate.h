/* Limits per minute of models, one per tenant and model of an endpoint: requests and tokens. A
 * bucket whose content comes back a minute after it was taken: in no 60 s does more leave than its
 * limit, and after a quiet minute all of it may leave at once. Who finds it empty takes the next
 * place that will be free, behind all who took one before: first come, first served.
 *
 * They belong to a loop and are used on its thread; each of the loops that share a tenant's account
 * gets its part of the limits. Only limited models take memory. Times are clock_mono_ms. */
#ifndef DESK_ENGINE_RATE_H
#define DESK_ENGINE_RATE_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "base/arena.h"

struct rates;

/* A minute's; 0: not limited. */
struct rate_limits {
    int64_t requests, tokens;
};

/* What was taken for one call. `key` NULL: nothing. */
struct rate_place {
    const char *key; /* borrowed from the caller of rate_take */
    int64_t second, tokens;
};

/* Returns owned: each limit is divided by `parts` (1 or more), but a loop always has one request
 * a minute. Frees and sets to NULL. */
struct rates *rates_new(int64_t parts);
void rates_free(struct rates **rates);

/* What a model is counted under: the account is the tenant's, whatever assistant or version asks.
 * In the arena. */
const char *rate_key(struct arena *arena, const char *tenant, const char *base_url,
                     const char *model);

/* In how many ms a call of so many tokens may leave: 0 at once, INT64_MAX not within the next
 * minute. If that is at most `most_ms` its place is taken and *place filled, which must be nothing
 * before. A call of more tokens than a minute has takes a whole minute. */
int64_t rate_take(struct rates *rates, const char *key, const struct rate_limits *limits,
                  int64_t tokens, int64_t now_ms, int64_t most_ms, struct rate_place *place);

/* The call is not made: its place is free again. *place becomes nothing; may be nothing. */
void rate_give_back(struct rates *rates, struct rate_place *place);

/* The call has ended, and its provider counted so many tokens; -1: it did not say, what was taken
 * stays. *place becomes nothing; may be nothing. */
void rate_settle(struct rates *rates, struct rate_place *place, int64_t tokens);

/* Forgets what nobody has used for two minutes. */
void rates_forget(struct rates *rates, int64_t now_ms);

#endif
