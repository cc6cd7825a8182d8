/* Numbers, times with their unit and decimal numbers, as tenant, vendor and topic files write them.
 */
#include "field_number.h"

#include <string.h>

#include "base/text.h"

void field_number_read_int(struct problems *problems, const struct yaml_node *node,
                           const struct field *field, void *target)
{
    int64_t value;
    if (text_parse_int(node->text, field->min, field->max, &value))
        *(int64_t *)target = value;
    else
        problems_add(problems, node->line, "%s: \"%.40s\" must be a whole number from %lld to %lld",
                     field->key, node->text, (long long)field->min, (long long)field->max);
}

/* ---- times ---- */

struct unit {
    const char *name;
    int64_t factor;
};

static const struct unit milliseconds[] = {
    {"ms", 1}, {"s", 1000}, {"m", 60000}, {"h", 3600000}, {NULL, 0}};
static const struct unit minutes[] = {{"m", 1}, {"h", 60}, {"d", 1440}, {NULL, 0}};
static const struct unit days[] = {{"d", 1}, {NULL, 0}};

static bool parse_time(const char *text, const struct unit *units, int64_t *value)
{
    size_t digits = strspn(text, "0123456789");
    char number[16];
    if (digits == 0 || digits >= sizeof number - 1)
        return false;
    memcpy(number, text, digits);
    number[digits] = '\0';
    for (; units->name != NULL; units++)
        if (strcmp(text + digits, units->name) == 0 &&
            text_parse_int(number, 0, INT64_MAX / 3600000, value)) {
            *value *= units->factor;
            return true;
        }
    return false;
}

void field_number_read_ms(struct problems *problems, const struct yaml_node *node,
                          const struct field *field, void *target)
{
    int64_t value;
    if (!parse_time(node->text, milliseconds, &value))
        problems_add(problems, node->line,
                     "%s: \"%.40s\" must be a time with its unit, like 500ms or 8s", field->key,
                     node->text);
    else if (value < field->min || value > field->max)
        problems_add(problems, node->line, "%s: \"%.40s\" must be from %lldms to %lldms",
                     field->key, node->text, (long long)field->min, (long long)field->max);
    else
        *(int64_t *)target = value;
}

/* Minutes in the largest unit that is whole. */
static const char *as_time(struct arena *arena, int64_t value)
{
    const struct unit *unit = value > 0 && value % 1440 == 0 ? &minutes[2]
                              : value > 0 && value % 60 == 0 ? &minutes[1]
                                                             : &minutes[0];
    return arena_printf(arena, "%lld%s", (long long)(value / unit->factor), unit->name);
}

void field_number_read_minutes(struct problems *problems, const struct yaml_node *node,
                               const struct field *field, void *target)
{
    int64_t value;
    if (!parse_time(node->text, minutes, &value))
        problems_add(problems, node->line,
                     "%s: \"%.40s\" must be a time with its unit, like 45m, 2h or 1d", field->key,
                     node->text);
    else if (value < field->min || value > field->max)
        problems_add(problems, node->line, "%s: \"%.40s\" must be from %s to %s", field->key,
                     node->text, as_time(problems->arena, field->min),
                     as_time(problems->arena, field->max));
    else
        *(int64_t *)target = value;
}

void field_number_read_days(struct problems *problems, const struct yaml_node *node,
                            const struct field *field, void *target)
{
    int64_t value;
    if (parse_time(node->text, days, &value) && value >= field->min && value <= field->max)
        *(int64_t *)target = value;
    else
        problems_add(problems, node->line, "%s: \"%.40s\" must be days from %lldd to %lldd",
                     field->key, node->text, (long long)field->min, (long long)field->max);
}

/* ---- decimal numbers ---- */

/* The number times 10^places; false if it is none or has more decimal places. */
static bool parse_decimal(const char *text, size_t places, int64_t *value)
{
    static const char digits[] = "0123456789";
    size_t whole = strspn(text, digits), count = 0;
    int64_t result = 0;
    if (whole == 0 || whole > 6)
        return false;
    if (text[whole] == '.' && (count = strspn(text + whole + 1, digits)) == 0)
        return false;
    if (count > places || text[whole + (count > 0 ? count + 1 : 0)] != '\0')
        return false;
    for (size_t i = 0; i < whole; i++)
        result = result * 10 + (text[i] - '0');
    for (size_t i = 0; i < places; i++)
        result = result * 10 + (i < count ? text[whole + 1 + i] - '0' : 0);
    *value = result;
    return true;
}

void field_number_read_decimal(struct problems *problems, const struct yaml_node *node,
                               const struct field *field, void *target)
{
    bool price = field->kind == FIELD_PRICE;
    int places = price ? 4 : 2;
    int64_t value, unit = price ? 10000 : 100;
    if (parse_decimal(node->text, (size_t)places, &value) && value >= field->min &&
        value <= field->max)
        *(int64_t *)target = value;
    else
        problems_add(problems, node->line,
                     "%s: \"%.40s\" must be a number from %lld.%0*lld to %lld.%0*lld with at most "
                     "%s decimal places",
                     field->key, node->text, (long long)(field->min / unit), places,
                     (long long)(field->min % unit), (long long)(field->max / unit), places,
                     (long long)(field->max % unit), price ? "four" : "two");
}
