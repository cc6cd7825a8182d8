/*
 * Tables of the members that a JSON object may have. Pure: JSON in, verdict out. Called by the
 * formats whose providers refuse what they do not know: gemini.c and anthropic.c.
 */
#include "stands/model/fields.h"

#include <cjson/cJSON.h>
#include <string.h>

static bool is_small(char c)
{
    return c >= 'a' && c <= 'z';
}

static bool same_name(const char *name, const char *given)
{
    if (strcmp(name, given) == 0)
        return true;
    for (; *name && *given; name++, given++) {
        char c = *given;
        if (c == '_' && is_small(given[1])) {
            given++;
            c = (char)(*given - 'a' + 'A');
        }
        if (*name != c)
            return false;
    }
    return *name == *given;
}

static bool is_of(const cJSON *item, enum field_kind kind)
{
    switch (kind) {
    case FIELD_TEXT:
        return cJSON_IsString(item);
    case FIELD_NUMBER:
        return cJSON_IsNumber(item);
    case FIELD_INTEGER:
        return cJSON_IsNumber(item) && item->valuedouble == (double)item->valueint;
    case FIELD_BOOL:
        return cJSON_IsBool(item);
    case FIELD_LIST:
        return cJSON_IsArray(item);
    case FIELD_OBJECT:
        return cJSON_IsObject(item);
    default:
        return true;
    }
}

static const struct field *row_of(const struct field *table, const char *name)
{
    while (table->name && !same_name(table->name, name))
        table++;
    return table->name ? table : NULL;
}

const cJSON *fields_wrong(const cJSON *object, const struct field *table,
                          const struct field **known)
{
    const cJSON *item;
    cJSON_ArrayForEach(item, object)
    {
        *known = row_of(table, item->string);
        if (!*known || (!cJSON_IsNull(item) && !is_of(item, (*known)->kind)))
            return item;
    }
    return NULL;
}

const cJSON *fields_get(const cJSON *object, const char *name)
{
    const cJSON *item;
    cJSON_ArrayForEach(item, object)
    {
        if (item->string && same_name(name, item->string))
            return cJSON_IsNull(item) ? NULL : item;
    }
    return NULL;
}

const char *fields_text(const cJSON *object, const char *name)
{
    const cJSON *item = fields_get(object, name);
    return cJSON_IsString(item) ? item->valuestring : NULL;
}
