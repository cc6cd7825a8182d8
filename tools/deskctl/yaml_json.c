/* The one reading of YAML's scalars as JSON. vendor_extra.c and tenant_file_tools.c call it. */
#include "yaml_json.h"

#include <string.h>

#define NUMBER_DIGITS_MAX 15 /* a double holds these exactly */

static bool is_number(const char *text)
{
    static const char digits[] = "0123456789";
    text += *text == '-';
    size_t whole = strspn(text, digits), places = 0;
    if (whole == 0 || (whole > 1 && *text == '0'))
        return false;
    if (text[whole] == '.' && (places = strspn(text + whole + 1, digits)) == 0)
        return false;
    return whole + places <= NUMBER_DIGITS_MAX &&
           text[whole + (places > 0 ? places + 1 : 0)] == '\0';
}

static bool write_scalar(const struct yaml_json *to, const char *name, const struct yaml_node *node)
{
    const char *text = node->text;
    if (!node->quoted && (*text == '\0' || strcmp(text, "null") == 0 || strcmp(text, "~") == 0)) {
        problems_add(to->problems, node->line,
                     "%s: a value is empty or null; write one, in quotes if it is text, or "
                     "remove the line",
                     to->what);
        return false;
    }
    if (!node->quoted &&
        (strcmp(text, "true") == 0 || strcmp(text, "false") == 0 || is_number(text)))
        json_add_raw(to->writer, name, text);
    else
        json_add_text(to->writer, name, text);
    return true;
}

/* Recursion is bounded by depth_max. */
static bool write_value(const struct yaml_json *to, const char *name, const struct yaml_node *node,
                        int depth)
{
    bool object = node->kind == YAML_MAPPING, good = true;
    if (node->kind == YAML_SCALAR)
        return write_scalar(to, name, node);
    if (depth > to->depth_max) {
        problems_add(to->problems, node->line,
                     "%s: is nested deeper than %d blocks; make it flatter", to->what,
                     to->depth_max);
        return false;
    }
    (object ? json_open_object : json_open_array)(to->writer, name);
    for (const struct yaml_node *child = node->first; child != NULL; child = child->next)
        good &= write_value(to, child->key, child, depth + 1);
    (object ? json_close_object : json_close_array)(to->writer);
    return good;
}

bool yaml_json_write(const struct yaml_json *to, const char *name, const struct yaml_node *node)
{
    return write_value(to, name, node, 1);
}
