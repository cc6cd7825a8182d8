/* What differs between two versions of an assistant's config, one readable line a leaf or an entry
 * of a list. `tenant apply`, `history` and `rollback` show it. One thread. */
#ifndef DESKCTL_TENANT_DIFF_H
#define DESKCTL_TENANT_DIFF_H

#include <stdbool.h>

#include "tenant_changes.h"
#include "json/json.h"

/* Adds all differences of two configs; true if there is one. NULL is a config with nothing in it.
 * Entries of a list are recognised by their name, models by their position. */
bool tenant_diff_config(struct tenant_changes *changes, const struct json *before,
                        const struct json *after);

#endif
