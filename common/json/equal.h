/* Whether two JSON values say the same. Any thread. */
#ifndef DESK_JSON_EQUAL_H
#define DESK_JSON_EQUAL_H

#include <stdbool.h>

#include "json/json.h"

/* Whether two values (not NULL) are equal: members of objects in any order, elements of arrays in
 * theirs, numbers by value. */
bool json_equal(const struct json *a, const struct json *b);

#endif
