/* Tables of all listing commands. Texts come from customers: nothing that steers a terminal gets
 * through, neither here nor in a transcript. */
#include "table.h"

#include <assert.h>
#include <ctype.h>
#include <string.h>

#include "base/text.h"
#include "json/json.h"

struct row {
    struct row *next;
    const char **cells;
};

struct table {
    struct arena *arena;
    const struct table_column *columns;
    size_t column_count, row_count;
    struct row *first, **tail;
};

struct table *table_new(struct arena *arena, const struct table_column *columns, size_t count)
{
    assert(count > 0 && count <= TABLE_COLUMNS_MAX);
    struct table *table = arena_alloc(arena, sizeof *table);
    table->arena = arena;
    table->columns = columns;
    table->column_count = count;
    table->tail = &table->first;
    return table;
}

void table_add(struct table *table, const char *const *cells)
{
    struct row *row = arena_alloc(table->arena, sizeof *row);
    row->cells = arena_alloc(table->arena, table->column_count * sizeof *row->cells);
    for (size_t i = 0; i < table->column_count; i++)
        row->cells[i] = arena_strdup(table->arena, cells[i]);
    *table->tail = row;
    table->tail = &row->next;
    table->row_count++;
}

/* C1 controls and the marks that re-order a line are as good as escapes. */
static bool is_unsafe(uint32_t point)
{
    return point < 0x20 || (point >= 0x7f && point < 0xa0) || point == 0x200e || point == 0x200f ||
           (point >= 0x2028 && point <= 0x202e) || (point >= 0x2066 && point <= 0x2069) ||
           point == 0xfeff;
}

void table_add_safe(struct strbuf *out, const char *text, bool lines, int indent)
{
    if (!text_is_utf8(text, strlen(text))) {
        strbuf_add_text(out, "(not UTF-8)");
        return;
    }
    while (*text != '\0') {
        const char *start = text;
        uint32_t point = text_next_code_point(&text);
        if (lines && point == '\n')
            strbuf_printf(out, "\n%*s", indent, "");
        else if (is_unsafe(point))
            strbuf_printf(out, point < 0x100 ? "\\x%02x" : "\\u%04x", (unsigned)point);
        else
            strbuf_add(out, start, (size_t)(text - start));
    }
}

/* ---- for people ---- */

static const char *shown(const struct table *table, const char *cell)
{
    if (cell == NULL || *cell == '\0')
        return "-";
    struct strbuf safe;
    strbuf_init(&safe, 64 * 1024);
    table_add_safe(&safe, cell, false, 0);
    const char *text = arena_strdup(table->arena, safe.data);
    strbuf_fini(&safe);
    return text;
}

static void add_line(const struct table *table, const char *const *cells, const size_t *widths,
                     struct strbuf *out)
{
    for (size_t i = 0; i < table->column_count; i++) {
        size_t pad = widths[i] - text_count_code_points(cells[i]);
        bool last = i + 1 == table->column_count;
        if (table->columns[i].kind == TABLE_INT)
            strbuf_printf(out, "%*s%s", (int)pad, "", cells[i]);
        else
            strbuf_printf(out, "%s%*s", cells[i], last ? 0 : (int)pad, "");
        strbuf_add_text(out, last ? "\n" : "  ");
    }
}

static const char *heading(const struct table *table, size_t column)
{
    char *text = arena_strdup(table->arena, table->columns[column].name);
    for (char *c = text; *c != '\0'; c++)
        *c = *c == '_' ? ' ' : (char)toupper((unsigned char)*c);
    return text;
}

static void print_text(const struct table *table, struct strbuf *out)
{
    const char *cells[TABLE_COLUMNS_MAX];
    size_t widths[TABLE_COLUMNS_MAX];
    for (size_t i = 0; i < table->column_count; i++) {
        cells[i] = heading(table, i);
        widths[i] = text_count_code_points(cells[i]);
    }
    for (struct row *row = table->first; row != NULL; row = row->next)
        for (size_t i = 0; i < table->column_count; i++) {
            row->cells[i] = shown(table, row->cells[i]);
            size_t width = text_count_code_points(row->cells[i]);
            widths[i] = width > widths[i] ? width : widths[i];
        }
    add_line(table, cells, widths, out);
    for (const struct row *row = table->first; row != NULL; row = row->next)
        add_line(table, row->cells, widths, out);
}

/* ---- for scripts ---- */

static void add_member(struct json_writer *writer, const struct table_column *column,
                       const char *cell)
{
    if (cell == NULL || column->kind == TABLE_TEXT)
        json_add_text(writer, column->name, cell);
    else if (column->kind == TABLE_BOOL)
        json_add_bool(writer, column->name, *cell == 't');
    else
        json_add_raw(writer, column->name, *cell == '\0' ? "null" : cell);
}

static void print_json(const struct table *table, struct strbuf *out)
{
    struct json_writer writer;
    json_writer_init(&writer, out);
    json_open_array(&writer, NULL);
    for (const struct row *row = table->first; row != NULL; row = row->next) {
        json_open_object(&writer, NULL);
        for (size_t i = 0; i < table->column_count; i++)
            add_member(&writer, &table->columns[i], row->cells[i]);
        json_close_object(&writer);
    }
    json_close_array(&writer);
    strbuf_add_char(out, '\n');
}

void table_print(const struct table *table, bool json, const char *empty, struct strbuf *out)
{
    if (json)
        print_json(table, out);
    else if (table->row_count == 0)
        strbuf_printf(out, "%s\n", empty);
    else
        print_text(table, out);
}
