/* A tenant's budgets: what a turn may use at most, reserved before its model is asked, and who is
 * told that a budget nears its end (docs/PROTOCOL.md, budgets). Tenants without budgets never come
 * here. */
#ifndef DESK_ENGINE_BUDGET_H
#define DESK_ENGINE_BUDGET_H

#include <stdbool.h>
#include <stdint.h>

#include "prompt/rounds.h"
#include "store/usage.h"
#include "json/json.h"

struct assistant;

/* Reads the member `budgets` of a version's config; NULL: none. Loop thread, pure. */
struct usage_limits budget_read(const struct json *budgets);

/* Of a tenant's limits those that hold for a turn: segments only where the reply is a text. Pure.
 */
struct usage_limits budget_of_turn(const struct usage_limits *limits, bool by_text);

/* Whether any limit is set. */
bool budget_is_set(const struct usage_limits *limits);

/* What a call of that model costs at most that reads and writes so many tokens. A model without
 * prices costs nothing. Pure. */
struct assistant_model;
struct usage_amounts budget_of_call(const struct assistant_model *model, int64_t in, int64_t out);

/* What a turn may use at most from a prompt of so many tokens on, tools included: as many rounds as
 * it has room for, each with an answer of the greatest length and results of some length, by the
 * dearest model of the chain. No segments. Where each model is raced (race.h), also the
 * prompts of those that lose, of whose answers nothing counts. Pure. */
struct usage_amounts budget_worst(const struct assistant *assistant, int64_t prompt_tokens,
                                  const struct rounds *rounds, bool raced);

/* The segments of the longest reply, where it is a text. Pure. */
int64_t budget_segments(bool by_text);

/* The length that an answer of that model is asked to keep to: its own, else, of a tenant with a
 * budget, what the worst case holds of it; 0: none. Pure. */
int budget_answer_tokens(const struct assistant *assistant, const struct assistant_model *model);

struct session;

/* Puts the session in line for the reservation of `most` within its limits; think_reserved follows,
 * never from inside. */
void budget_reserve(struct session *session, const struct usage_limits *limits);

/* Logs and counts, once per period and process, that 80 % or all of a tenant's budget is spent. Any
 * thread. */
void budget_tell(const char *tenant, const struct usage_reserved *reserved);

#endif
