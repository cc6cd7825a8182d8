/* Inside of tenant_plan: what its files share while a plan is made. */
#ifndef DESKCTL_TENANT_MAKER_H
#define DESKCTL_TENANT_MAKER_H

#include "tenant_plan.h"

#include "base/strbuf.h"
#include "json/json.h"

struct maker {
    struct arena *arena;
    const struct tenant_file *file;
    const struct tenant_row *existing;
    const struct tenant_keys *keys;
    struct tenant_plan *plan;
    struct tenant_changes changes;
};

/* Adds a change to the plan; texts are borrowed. */
void maker_note(struct maker *m, enum tenant_action action, const char *what, const char *field,
                const char *const pair[2]);

/* Notes the difference of one field; true if there is one. NULL is "absent". */
bool maker_differs(struct maker *m, const char *what, const char *field, const char *before,
                   const char *after);

/* The bytes as base64 or hexadecimal, in the arena. */
const char *maker_encode(struct arena *arena, const struct strbuf *bytes, bool base64);

/* A member of the assistant's config as text, in the spelling in which it is compared. */
struct maker_field {
    const char *name;
    const char *value; /* NULL: absent */
    bool raw;          /* JSON already: a number, a truth, an array, an object */
};

/* The number as text, in the arena. */
const char *maker_number(struct arena *arena, int64_t value);

/* "0.30" for 30, in the arena; NULL for a negative one, which is "absent". */
const char *maker_hundredths(struct arena *arena, int64_t value);

/* Writes those that are not absent. */
void maker_add_fields(struct json_writer *writer, const struct maker_field *fields, size_t count);

/* The wrapped key for a new version in base64, in the arena: the stored one (NULL: none) if it
 * opens to the secret, else newly wrapped; NULL for no secret. */
const char *maker_wrap_key(struct maker *m, const char *stored, const struct secret *secret);

/* Writes the member "models"; keys are taken from the stored array (NULL: none) where they are the
 * same. */
void maker_write_models(struct maker *m, const struct json *stored, struct json_writer *writer);

/* Writes the member "http_tools": the section with the secrets, taken from the stored array (NULL:
 * none) where they are the same. */
void maker_write_tools(struct maker *m, const char *section, const struct json *stored,
                       struct json_writer *writer);

/* Compares channels and writes the settings, which hold their marks beside the policy. */
void maker_compare_channels(struct maker *m);

#endif
