/* application/x-www-form-urlencoded, strictly and bounded. Any thread. */
#ifndef DESK_BASE_FORM_H
#define DESK_BASE_FORM_H

#include <stdbool.h>
#include <stddef.h>

#include "base/arena.h"
#include "base/err.h"

#define FORM_PAIRS_MAX 256 /* a Twilio webhook has about 30 */

struct form_pair {
    const char *name, *value; /* decoded, NUL-terminated */
    size_t name_length, value_length;
};

struct form {
    struct form_pair *pairs; /* in order of arrival, repeats kept */
    size_t count;
};

/* Parses `length` bytes (a body, or a query without its "?") into *form; all memory is the arena's.
 * "+" is a space. PERMANENT: "form.pairs" more than FORM_PAIRS_MAX, "form.escape" a bad %XX,
 * "form.nul" a NUL byte (raw or %00), "form.name" an empty name. Does not judge UTF-8. */
int form_parse(struct arena *arena, const char *bytes, size_t length, struct form *form,
               struct err *err);

/* The first value of the name (case-sensitive), or NULL. Borrowed from the form. */
const char *form_get(const struct form *form, const char *name);

/* How often the name occurs. */
size_t form_count(const struct form *form, const char *name);

#endif
