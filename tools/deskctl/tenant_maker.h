/* Inside of tenant_plan: what its files share while a plan is made. */
#ifndef DESKCTL_TENANT_MAKER_H
#define DESKCTL_TENANT_MAKER_H

#include "tenant_plan.h"

#include "base/strbuf.h"
#include "json/json.h"

#define SECRET_SHOWN "(secret)"

struct maker {
    struct arena *arena;
    const struct tenant_file *file;
    const struct tenant_row *existing;
    const struct tenant_keys *keys;
    struct tenant_plan *plan;
    size_t change_max;
};

/* Adds a change to the plan; texts are borrowed. */
void maker_note(struct maker *m, enum tenant_action action, const char *what, const char *field,
                const char *const pair[2]);

/* Notes the difference of one field; true if there is one. NULL is "absent". */
bool maker_differs(struct maker *m, const char *what, const char *field, const char *before,
                   const char *after);

/* Constant-time equality. */
bool maker_same_secret(const struct secret *a, const struct secret *b);

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

/* The stored member in the same spelling, in the arena; NULL if it is absent. */
const char *maker_stored(struct arena *arena, const struct json *object, const char *name);

/* Writes those that are not absent. */
void maker_add_fields(struct json_writer *writer, const struct maker_field *fields, size_t count);

#define MAKER_MODEL_CHANGES_MAX 20 /* of one entry of the chain */

/* Compares the chain of models with the stored array (NULL: none); true if they differ. keys[i]
 * becomes the wrapped key of the file's entry i in base64, NULL for none; in the arena. */
bool maker_compare_models(struct maker *m, const struct json *stored,
                          const char *keys[TENANT_MODELS_MAX]);

/* Writes the member "models" with these wrapped keys. */
void maker_write_models(struct maker *m, const char *const *keys, struct json_writer *writer);

/* Compares channels and writes the settings, which hold their marks beside the policy. */
void maker_compare_channels(struct maker *m);

#endif
