/* JSON in one spelling, so that two texts of the same value are equal. Any thread. */
#ifndef DESKCTL_CANONICAL_H
#define DESKCTL_CANONICAL_H

#include "base/arena.h"
#include "json/json.h"

/* The value without spaces and with the members of each object sorted by name, in the arena. */
const char *canonical_json(struct arena *arena, const struct json *value);

#endif
