/* Building one action out of named texts, for faults.c and its directive reader. */
#ifndef STANDS_LIB_ACTION_H
#define STANDS_LIB_ACTION_H

#include "stands/lib/faults.h"

/* An action with every part unset and one reference. Returns owned. */
struct stand_action *stand_action_new(void);

/* Sets one part by its name; "type" and "action" set the type. Returns 0, or -1 when the name or
 * the value is not understood. `len` bytes of `value`. */
int stand_action_set(struct stand_action *action, const char *key, const char *value, size_t len);

/* Whether the type was set. */
bool stand_action_ready(const struct stand_action *action);

/* The name of a type. */
const char *stand_action_name(enum stand_action_type type);

#endif
