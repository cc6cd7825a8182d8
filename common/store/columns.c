/* Rows as array parameters: see columns.h. */
#include "store/columns.h"

#include <stdbool.h>
#include <stdint.h>
#include <string.h>

#include "base/clock.h"
#include "base/uuid.h"

static void add_cell(struct pg_array *array, const char *item, const struct column *column)
{
    const char *at = item + column->offset;
    const char *text;
    struct uuid id;
    int64_t number;
    bool truth;
    char time[CLOCK_RFC3339_SIZE];
    switch (column->kind) {
    case COLUMN_TEXT:
        memcpy(&text, at, sizeof text);
        pg_array_add(array, text);
        break;
    case COLUMN_UUID:
        memcpy(&id, at, sizeof id);
        pg_array_add_uuid(array, &id);
        break;
    case COLUMN_INT:
        memcpy(&number, at, sizeof number);
        pg_array_add_int(array, number);
        break;
    case COLUMN_BOOL:
        memcpy(&truth, at, sizeof truth);
        pg_array_add_bool(array, truth);
        break;
    case COLUMN_TIME:
        memcpy(&number, at, sizeof number);
        clock_format_rfc3339(number, time);
        pg_array_add(array, time);
        break;
    }
}

void columns_add(struct pg_statement *statement, struct arena *arena,
                 const struct column_rows *rows, const struct column *columns, size_t count)
{
    for (size_t c = 0; c < count; c++) {
        struct pg_array array;
        pg_array_init(&array);
        for (size_t i = 0; i < rows->count; i++)
            add_cell(&array, (const char *)rows->items + i * rows->size_bytes, &columns[c]);
        pg_param(statement, pg_array_take(&array, arena));
        pg_array_fini(&array);
    }
}
