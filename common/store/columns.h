/* Structs as array parameters for unnest(): one parameter per member, so that many rows share one
 * statement. For the statements of this folder. */
#ifndef DESK_STORE_COLUMNS_H
#define DESK_STORE_COLUMNS_H

#include <stddef.h>

#include "base/arena.h"
#include "pg/pg.h"

/* A member of the struct that holds a row. */
struct column {
    size_t offset;
    enum {
        COLUMN_TEXT, /* const char *; NULL is SQL NULL */
        COLUMN_UUID, /* struct uuid */
        COLUMN_INT,  /* int64_t */
        COLUMN_BOOL,
        COLUMN_TIME, /* int64_t, wall clock in ms */
    } kind;
};

#define COLUMNS(array) (sizeof(array) / sizeof((array)[0]))

/* `count` structs of `size_bytes` each. */
struct column_rows {
    const void *items;
    size_t size_bytes, count;
};

/* Appends one array parameter per column; the literals live in the arena. */
void columns_add(struct pg_statement *statement, struct arena *arena,
                 const struct column_rows *rows, const struct column *columns, size_t count);

#endif
