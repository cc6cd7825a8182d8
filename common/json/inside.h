/* Private to common/json: the strict scan that runs before cJSON. */
#ifndef DESK_JSON_INSIDE_H
#define DESK_JSON_INSIDE_H

#include <stddef.h>

#include "base/err.h"

/* Checks that `length` bytes are one JSON value by the letter of RFC 8259, without recursion and in
 * one pass. Errors as json_parse, except duplicates, which need decoded names. */
int json_scan(const char *bytes, size_t length, struct err *err);

#endif
