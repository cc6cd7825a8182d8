/* Inside of tenant_plan: what its files share while a plan is made. */
#ifndef DESKCTL_TENANT_MAKER_H
#define DESKCTL_TENANT_MAKER_H

#include "tenant_plan.h"

#include "base/strbuf.h"

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

/* The number as text, in the arena. */
const char *maker_number(struct arena *arena, int64_t value);

/* Compares channels and writes the settings, which hold their marks beside the policy. */
void maker_compare_channels(struct maker *m);

#endif
