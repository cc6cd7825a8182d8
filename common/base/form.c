/* The only form parser: ingress uses it on unverified input, so it allocates from one arena,
 * decodes in place of a copy and refuses everything ambiguous. */
#include "base/form.h"

#include "base/text.h"

#include <string.h>

/* Decodes into `out` (room for `length` + 1); returns the new length or -1. */
static int decode(const char *in, size_t length, char *out, size_t *out_length, struct err *err)
{
    size_t used = 0;
    for (size_t i = 0; i < length; i++) {
        char c = in[i];
        if (c == '%') {
            int high = length - i > 2 ? text_hex_digit(in[i + 1]) : -1;
            int low = length - i > 2 ? text_hex_digit(in[i + 2]) : -1;
            if (high < 0 || low < 0)
                return err_set(err, ERR_PERMANENT, "form.escape", "bad percent escape in the form");
            c = (char)(high << 4 | low);
            i += 2;
        } else if (c == '+') {
            c = ' ';
        }
        if (c == '\0')
            return err_set(err, ERR_PERMANENT, "form.nul", "NUL byte in the form");
        out[used++] = c;
    }
    out[used] = '\0';
    *out_length = used;
    return 0;
}

static int add_pair(struct arena *arena, const char *bytes, size_t length, struct form_pair *pair,
                    struct err *err)
{
    const char *equals = memchr(bytes, '=', length);
    size_t name_length = equals != NULL ? (size_t)(equals - bytes) : length;
    size_t value_length = equals != NULL ? length - name_length - 1 : 0;
    char *name = arena_alloc(arena, name_length + 1);
    char *value = arena_alloc(arena, value_length + 1);
    if (decode(bytes, name_length, name, &pair->name_length, err) != 0)
        return -1;
    if (equals != NULL && decode(equals + 1, value_length, value, &pair->value_length, err) != 0)
        return -1;
    if (pair->name_length == 0)
        return err_set(err, ERR_PERMANENT, "form.name", "parameter without a name");
    pair->name = name;
    pair->value = value;
    return 0;
}

int form_parse(struct arena *arena, const char *bytes, size_t length, struct form *form,
               struct err *err)
{
    struct form parsed = {arena_alloc(arena, FORM_PAIRS_MAX * sizeof(struct form_pair)), 0};
    const char *end = bytes + length;
    while (bytes < end) {
        const char *amp = memchr(bytes, '&', (size_t)(end - bytes));
        size_t part = amp != NULL ? (size_t)(amp - bytes) : (size_t)(end - bytes);
        if (parsed.count == FORM_PAIRS_MAX)
            return err_set(err, ERR_PERMANENT, "form.pairs", "more than %d parameters",
                           FORM_PAIRS_MAX);
        if (part > 0 || amp != NULL) {
            if (add_pair(arena, bytes, part, &parsed.pairs[parsed.count], err) != 0)
                return -1;
            parsed.count++;
        }
        bytes += part + (amp != NULL ? 1 : 0);
    }
    *form = parsed;
    return 0;
}

const char *form_get(const struct form *form, const char *name)
{
    for (size_t i = 0; i < form->count; i++)
        if (strcmp(form->pairs[i].name, name) == 0)
            return form->pairs[i].value;
    return NULL;
}

size_t form_count(const struct form *form, const char *name)
{
    size_t count = 0;
    for (size_t i = 0; i < form->count; i++)
        count += strcmp(form->pairs[i].name, name) == 0;
    return count;
}
