/* Comparing JSON values. Their depth is bounded by the parser (JSON_DEPTH_MAX). Tool calls of a
 * model are compared with it. */
#include "json/equal.h"

#include <string.h>

static const struct json *named(const struct json *object, const char *name)
{
    for (const struct json *m = json_first(object); m != NULL; m = json_next(m))
        if (strcmp(json_name(m), name) == 0)
            return m;
    return NULL;
}

static bool same_members(const struct json *a, const struct json *b)
{
    for (const struct json *m = json_first(a); m != NULL; m = json_next(m)) {
        const struct json *other = named(b, json_name(m));
        if (other == NULL || !json_equal(m, other))
            return false;
    }
    return json_count(a) == json_count(b);
}

static bool same_elements(const struct json *a, const struct json *b)
{
    const struct json *x = json_first(a), *y = json_first(b);
    while (x != NULL && y != NULL && json_equal(x, y)) {
        x = json_next(x);
        y = json_next(y);
    }
    return x == NULL && y == NULL;
}

bool json_equal(const struct json *a, const struct json *b)
{
    if (json_type(a) != json_type(b))
        return false;
    switch (json_type(a)) {
    case JSON_NULL:
        return true;
    case JSON_BOOL:
        return json_bool(a) == json_bool(b);
    case JSON_NUMBER:
        return json_number(a) == json_number(b);
    case JSON_STRING:
        return strcmp(json_text(a), json_text(b)) == 0;
    case JSON_ARRAY:
        return same_elements(a, b);
    case JSON_OBJECT:
        return same_members(a, b);
    }
    return false;
}
