/* The answers that come with a booking: what the model is told that it may give, what is refused of
 * what it gave, and what is kept. Which questions there are is the tenant's (`intake`). Pure. */
#ifndef DESK_ENGINE_DETAILS_H
#define DESK_ENGINE_DETAILS_H

#include <stdbool.h>

#include "base/arena.h"
#include "base/err.h"
#include "prompt/workflow.h"
#include "json/json.h"

/* The JSON Schema of `details`, in the arena: every question that a service asks, and nothing else.
 * NULL: none asks any. */
const char *details_schema(struct arena *arena, const struct workflow *workflow);

/* Judges the details of a call (NULL: none were given): only what the service asks for, each answer
 * of its type. 0, or -1: PERMANENT, with the first mistake in words that the model can mend it by.
 * What is missing is no mistake. */
int details_check(const struct workflow_service *service, const struct json *details,
                  struct err *err);

/* Whether a question that must be answered is not. */
bool details_miss(const struct json *details, const struct question *question);

/* What is kept of details that were checked: a JSON object of what was answered, in the arena; NULL
 * if none were given. */
const char *details_keep(struct arena *arena, const struct workflow_service *service,
                         const struct json *details);

#endif
