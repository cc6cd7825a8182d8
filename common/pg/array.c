/* Array literals, so that one statement takes many rows (unnest). Every text is quoted, so nothing
 * that a customer writes can be read as a bracket, a comma or NULL. Used by the store. */
#include "pg/inside.h"

#include <string.h>
#include <strings.h>

/* Far above any batch that the services build. An array that overflows becomes the literal "{",
 * which the server refuses as a data error: the batch fails and is tried singly. */
#define ARRAY_BYTES_MAX ((size_t)256 << 20)

void pg_array_init(struct pg_array *array)
{
    strbuf_init(&array->text, ARRAY_BYTES_MAX);
    array->count = 0;
}

void pg_array_fini(struct pg_array *array)
{
    strbuf_fini(&array->text);
    array->count = 0;
}

static void separate(struct pg_array *array)
{
    strbuf_add_char(&array->text, array->count == 0 ? '{' : ',');
    array->count++;
}

void pg_array_add(struct pg_array *array, const char *text)
{
    separate(array);
    if (text == NULL) {
        strbuf_add(&array->text, "NULL", 4);
        return;
    }
    strbuf_add_char(&array->text, '"');
    for (;;) {
        size_t plain = strcspn(text, "\"\\");
        strbuf_add(&array->text, text, plain);
        text += plain;
        if (*text == '\0')
            break;
        strbuf_add(&array->text, (const char[]){'\\', *text++}, 2);
    }
    strbuf_add_char(&array->text, '"');
}

void pg_array_add_int(struct pg_array *array, int64_t value)
{
    char text[24], *end = text + sizeof text, *p = end; /* a renewal lists thousands */
    uint64_t left = value < 0 ? 0 - (uint64_t)value : (uint64_t)value;
    do {
        *--p = (char)('0' + left % 10);
        left /= 10;
    } while (left > 0);
    if (value < 0)
        *--p = '-';
    *--p = array->count++ == 0 ? '{' : ',';
    strbuf_add(&array->text, p, (size_t)(end - p));
}

void pg_array_add_bool(struct pg_array *array, bool value)
{
    separate(array);
    strbuf_add_char(&array->text, value ? 't' : 'f');
}

void pg_array_add_uuid(struct pg_array *array, const struct uuid *id)
{
    char text[1 + UUID_TEXT_SIZE];
    text[0] = array->count++ == 0 ? '{' : ',';
    uuid_format(id, text + 1);
    strbuf_add(&array->text, text, UUID_TEXT_SIZE); /* without its NUL */
}

const char *pg_array_take(struct pg_array *array, struct arena *arena)
{
    if (array->count == 0)
        strbuf_add_char(&array->text, '{');
    strbuf_add_char(&array->text, '}');
    const char *literal =
        array->text.overflow ? "{" : arena_strndup(arena, array->text.data, array->text.length);
    strbuf_clear(&array->text);
    array->count = 0;
    return literal;
}

/* Decodes the element at *p in place (it only shrinks) and moves *p behind its end. Returns the
 * character that ended it, or NUL for nonsense; *item is NULL for SQL NULL. */
static char decode_item(char **p, const char **item)
{
    char *in = *p, *out = *p;
    bool quoted = *in == '"', escaped = false;
    *item = out;
    if (quoted)
        in++;
    while (*in != '\0' && (quoted ? *in != '"' : *in != ',' && *in != '}')) {
        if (!quoted && (*in == '{' || *in == '"'))
            return '\0';
        if (*in == '\\') {
            escaped = true;
            if (*++in == '\0')
                return '\0';
        }
        *out++ = *in++;
    }
    if (quoted ? *in++ != '"' : out == *item)
        return '\0';
    char end = *in;
    *p = end != '\0' ? in + 1 : in;
    *out = '\0';
    if (!quoted && !escaped && strcasecmp(*item, "NULL") == 0)
        *item = NULL;
    return end;
}

int pg_array_decode(struct arena *arena, const char *literal, const char ***items, size_t *count,
                    struct err *err)
{
    size_t commas = 0, used = 0;
    for (const char *s = literal; *s != '\0'; s++)
        commas += *s == ',';
    const char **found = arena_alloc(arena, (commas + 1) * sizeof *found);
    char *p = arena_strdup(arena, literal), end = ',';
    bool good = *p++ == '{';
    if (good && strcmp(p, "}") == 0) {
        p++;
        end = '}';
    }
    while (good && end == ',')
        end = decode_item(&p, &found[used++]);
    if (!good || end != '}' || *p != '\0')
        return err_set(err, ERR_PERMANENT, "pg.array", "not a one-dimensional array literal");
    *items = found;
    *count = used;
    return 0;
}
