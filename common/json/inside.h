/* Private to common/json: the strict scan that runs before cJSON, and what it shares with the
 * writer. */
#ifndef DESK_JSON_INSIDE_H
#define DESK_JSON_INSIDE_H

#include <stdbool.h>
#include <stddef.h>

#include "base/err.h"

/* The first character of `text` that a string of JSON does not hold as it is (control character,
 * quote, backslash), or `end`. Sets *beyond_ascii if a byte before it is above 0x7f. */
const char *json_plain_end(const char *text, const char *end, bool *beyond_ascii);

/* Checks that `length` bytes are one JSON value by the letter of RFC 8259, without recursion and in
 * one pass. Errors as json_parse, except duplicates, which need decoded names. */
int json_scan(const char *bytes, size_t length, struct err *err);

#endif
