/* Checking the members of a JSON object against a table, for the formats that refuse unknown ones.
 */
#ifndef STANDS_MODEL_FIELDS_H
#define STANDS_MODEL_FIELDS_H

#include <stdbool.h>
#include <stddef.h>

struct cJSON;

enum field_kind {
    FIELD_ANY,
    FIELD_TEXT,
    FIELD_NUMBER,
    FIELD_INTEGER, /* of 32 bits */
    FIELD_BOOL,
    FIELD_LIST,
    FIELD_OBJECT,
    FIELD_KINDS
};

struct field {
    const char *name;
    enum field_kind kind;
};

/* The first member of `object` that is not in the table, which ends with a NULL name, or of another
 * kind; NULL when there is none. `*known` is its row, or NULL. A member that is null is absent, but
 * must be known. Names are compared as fields_get does. */
const struct cJSON *fields_wrong(const struct cJSON *object, const struct field *table,
                                 const struct field **known);

/* The member of this name, or NULL when it is absent or null. A name in camel case also finds the
 * same name in snake case (systemInstruction, system_instruction), as Google's JSON allows. */
const struct cJSON *fields_get(const struct cJSON *object, const char *name);

/* The text of this member, or NULL when it is absent or no text. */
const char *fields_text(const struct cJSON *object, const char *name);

#endif
