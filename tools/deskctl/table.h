/* Rows for people (aligned columns) or for scripts (a JSON array of objects). One thread. */
#ifndef DESKCTL_TABLE_H
#define DESKCTL_TABLE_H

#include <stdbool.h>
#include <stddef.h>

#include "base/arena.h"
#include "base/strbuf.h"

enum table_kind { TABLE_TEXT, TABLE_INT, TABLE_BOOL };

struct table_column {
    const char *name; /* JSON member; shown upper-cased with spaces for underscores */
    enum table_kind kind;
};

#define TABLE_COLUMNS_MAX 16

struct table;

/* Returns an empty table in the arena; `columns` (borrowed) has `count` of 1-TABLE_COLUMNS_MAX. */
struct table *table_new(struct arena *arena, const struct table_column *columns, size_t count);

/* Adds a row of as many cells as columns; each is copied, NULL is "-" and JSON null. INT cells are
 * decimal numbers, BOOL cells start with 't' when true. */
void table_add(struct table *table, const char *const *cells);

/* Appends the aligned text, or the JSON array. `empty` is the sentence for people when there is no
 * row. */
void table_print(const struct table *table, bool json, const char *empty, struct strbuf *out);

/* Appends text that cannot steer a terminal: control characters become their escapes. Line ends
 * are kept when `lines`, each followed by `indent` spaces. */
void table_add_safe(struct strbuf *out, const char *text, bool lines, int indent);

#endif
