/* The list of what an apply or a rollback would change, and how people and scripts see it. One
 * thread. */
#ifndef DESKCTL_TENANT_CHANGES_H
#define DESKCTL_TENANT_CHANGES_H

#include <stdbool.h>
#include <stddef.h>

#include "base/arena.h"
#include "base/strbuf.h"
#include "json/json.h"

#define TENANT_SECRET_SHOWN "(secret)"

enum tenant_action { TENANT_ADD, TENANT_CHANGE, TENANT_REMOVE };

struct tenant_change {
    enum tenant_action action;
    const char *what;           /* "tenant", "assistant", "channel +1555...", a section's name */
    const char *field;          /* "" for the whole, or for an entry of a section */
    const char *before, *after; /* NULL when there is none; "(secret)" for a secret */
};

/* Starts as {.arena = arena}; everything is in it. */
struct tenant_changes {
    struct arena *arena;
    struct tenant_change *items;
    size_t count, capacity;
};

/* Adds one; texts are borrowed. */
void tenant_changes_add(struct tenant_changes *changes, struct tenant_change change);

/* Adds what became of a text, NULL being "absent"; false, and nothing added, if it stayed. */
bool tenant_changes_add_text(struct tenant_changes *changes, const char *what, const char *field,
                             const char *before, const char *after);

/* A line for people of each. */
void tenant_changes_print(const struct tenant_changes *changes, struct strbuf *out);

/* An object for scripts of each, inside an array; `tenant` is its name. */
void tenant_changes_write(const struct tenant_changes *changes, const char *tenant,
                          struct json_writer *writer);

/* What an audit row says of them: the member "fields", without any value. */
void tenant_changes_write_fields(const struct tenant_changes *changes, struct json_writer *writer);

/* All of them in one line of at most `max_bytes`, in the arena; "" if there is none. */
const char *tenant_changes_line(const struct tenant_changes *changes, size_t max_bytes);

#endif
