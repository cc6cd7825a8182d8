/* PostgreSQL gives jsonb back in an order and spacing of its own. vendor_file.c and tenant_plan
 * compare what is in a file with what is stored, and so bring both into this form. */
#include "canonical.h"

#include <stdlib.h>
#include <string.h>

#define TEXT_BYTES_MAX (1024 * 1024)

static int by_name(const void *a, const void *b)
{
    const struct json *const *left = a, *const *right = b;
    return strcmp(json_name(*left), json_name(*right));
}

/* The children of an array as they stand, those of an object by name; NULL ends them. */
static const struct json **children(struct arena *arena, const struct json *value)
{
    size_t count = 0;
    const struct json **list = arena_alloc(arena, (json_count(value) + 1) * sizeof *list);
    for (const struct json *item = json_first(value); item != NULL; item = json_next(item))
        list[count++] = item;
    if (json_type(value) == JSON_OBJECT && count > 1)
        qsort(list, count, sizeof *list, by_name);
    return list;
}

static void write_value(struct arena *arena, struct json_writer *writer, const char *name,
                        const struct json *value)
{
    bool object = json_type(value) == JSON_OBJECT;
    if (!object && json_type(value) != JSON_ARRAY) {
        struct strbuf text;
        strbuf_init(&text, TEXT_BYTES_MAX);
        json_print(value, &text);
        json_add_raw(writer, name, text.data);
        strbuf_fini(&text);
        return;
    }
    (object ? json_open_object : json_open_array)(writer, name);
    for (const struct json **item = children(arena, value); *item != NULL; item++)
        write_value(arena, writer, json_name(*item), *item);
    (object ? json_close_object : json_close_array)(writer);
}

const char *canonical_json(struct arena *arena, const struct json *value)
{
    struct strbuf out;
    struct json_writer writer;
    strbuf_init(&out, TEXT_BYTES_MAX);
    json_writer_init(&writer, &out);
    write_value(arena, &writer, NULL, value);
    const char *text = arena_strdup(arena, out.data);
    strbuf_fini(&out);
    return text;
}
