/* The reader behind tenant, vendor and topic files. Each *_file.c brings its tables. */
#include "fields.h"

#include <ctype.h>
#include <limits.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <strings.h>
#include <unistd.h>

#include "base/secret.h"
#include "base/suggest.h"
#include "base/text.h"
#include "base/uuid.h"
#include "field_check.h"
#include "files.h"

#define SECRET_BYTES_MAX 2048
#define FIELDS_MAX       32

void problems_init(struct problems *problems, struct arena *arena, const char *file)
{
    *problems = (struct problems){.arena = arena, .file = file};
    strbuf_init(&problems->text, 1024 * 1024);
}

void problems_add(struct problems *problems, int line, const char *format, ...)
{
    char text[1024];
    va_list args;
    if (problems->count++ >= PROBLEMS_MAX)
        return;
    va_start(args, format);
    vsnprintf(text, sizeof text, format, args);
    va_end(args);
    strbuf_printf(&problems->text, "%s:%d: %s\n", problems->file, line, text);
}

const struct yaml_node *fields_read_file(struct problems *problems, const char *path)
{
    struct yaml_node *root = NULL;
    char *bytes = NULL;
    size_t length = 0;
    struct err err;
    problems->file = path;
    if (files_read(problems->arena, path, YAML_BYTES_MAX, &bytes, &length, &err) != 0) {
        problems_add(problems, 0, "%s", err.message);
        return NULL;
    }
    if (yaml_parse(problems->arena, bytes, length, &root, &err) == 0)
        return root;
    /* "line 12: what" becomes "file:12: what", as all others. */
    int line = 0, used = 0;
    if (sscanf(err.message, "line %d: %n", &line, &used) != 1)
        used = 0;
    problems_add(problems, line, "%s", err.message + used);
    return NULL;
}

/* ---- references ---- */

static bool is_env_name(const char *name)
{
    return (isalpha((unsigned char)*name) || *name == '_') && strlen(name) <= 100 &&
           name[strspn(name, "ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789_")] ==
               '\0';
}

/* The text, or what "env:NAME[:-DEFAULT]" stands for; NULL after a problem. */
static const char *resolve(struct problems *problems, const struct yaml_node *node)
{
    if (strncmp(node->text, "env:", 4) != 0)
        return node->text;
    const char *rest = node->text + 4, *fallback = strstr(rest, ":-");
    const char *name = arena_strndup(problems->arena, rest,
                                     fallback != NULL ? (size_t)(fallback - rest) : strlen(rest));
    if (!is_env_name(name)) {
        problems_add(problems, node->line,
                     "%s: \"%.60s\" is no name of an environment variable; write env:NAME or "
                     "env:NAME:-DEFAULT",
                     node->key, name);
        return NULL;
    }
    const char *value = getenv(name);
    if (value != NULL && *value != '\0')
        return arena_strdup(problems->arena, value);
    if (fallback != NULL)
        return fallback + 2;
    problems_add(problems, node->line,
                 "%s: the environment variable %s is not set; set it, or write env:%s:-DEFAULT",
                 node->key, name, name);
    return NULL;
}

static struct secret *check_secret(struct problems *problems, const struct yaml_node *node,
                                   const char *what, const char *bytes, size_t length)
{
    while (length > 0 && (bytes[length - 1] == '\n' || bytes[length - 1] == '\r'))
        length--;
    bool plain = length > 0 && length <= SECRET_BYTES_MAX;
    for (size_t i = 0; i < length && plain; i++)
        plain = bytes[i] > ' ' && bytes[i] < 0x7f;
    if (plain)
        return secret_new(bytes, length);
    problems_add(problems, node->line,
                 length == 0 ? "%s: the value behind %s is empty; put the secret there"
                             : "%s: the value behind %s has spaces, line ends or more than 2048 "
                               "characters; is it the right one?",
                 what, node->text);
    return NULL;
}

static struct secret *secret_from_env(struct problems *problems, const struct yaml_node *node,
                                      const char *what)
{
    const char *name = node->text + 4;
    if (!is_env_name(name)) {
        problems_add(problems, node->line,
                     "%s: env: must be followed by the name of an environment variable only; a "
                     "secret has no default",
                     what);
        return NULL;
    }
    const char *value = getenv(name);
    if (value == NULL) {
        problems_add(problems, node->line, "%s: the environment variable %s is not set; set it",
                     what, name);
        return NULL;
    }
    return check_secret(problems, node, what, value, strlen(value));
}

static struct secret *secret_from_file(struct problems *problems, const struct yaml_node *node,
                                       const char *what)
{
    const char *path = node->text + 5, *slash = strrchr(problems->file, '/');
    char *bytes = NULL;
    struct arena *arena = arena_new();
    struct secret *secret = NULL;
    struct err err;
    size_t length = 0;
    if (*path != '/' && slash != NULL)
        path = arena_printf(arena, "%.*s/%s", (int)(slash - problems->file), problems->file, path);
    if (files_read(arena, path, SECRET_BYTES_MAX + 2, &bytes, &length, &err) == 0) {
        secret = check_secret(problems, node, what, bytes, length);
        explicit_bzero(bytes, length);
    } else {
        problems_add(problems, node->line, "%s: %s; make the file or correct the path", what,
                     err.message);
    }
    arena_free(&arena);
    return secret;
}

struct secret *fields_read_secret(struct problems *problems, const struct yaml_node *node,
                                  const char *what)
{
    if (node->kind != YAML_SCALAR)
        problems_add(problems, node->line, "%s: must be one value: env:NAME or file:PATH", what);
    else if (strncmp(node->text, "env:", 4) == 0)
        return secret_from_env(problems, node, what);
    else if (strncmp(node->text, "file:", 5) == 0)
        return secret_from_file(problems, node, what);
    else if (*node->text == '\0')
        problems_add(problems, node->line, "%s: is empty; write env:NAME or file:PATH", what);
    else
        problems_add(problems, node->line,
                     "%s: a secret must not stand in this file; put it into the environment or a "
                     "file and write env:NAME or file:PATH (and change it: it has been seen)",
                     what);
    return NULL;
}

/* ---- one field ---- */

static size_t code_points(const char *text)
{
    size_t count = 0;
    while (*text != '\0') {
        text_next_code_point(&text);
        count++;
    }
    return count;
}

static const char *trimmed(struct arena *arena, const char *text)
{
    size_t length = strlen(text);
    while (length > 0 && isspace((unsigned char)text[length - 1]))
        length--;
    return arena_strndup(arena, text, length);
}

static void read_text(struct problems *problems, const struct yaml_node *node,
                      const struct field *field, void *target)
{
    const char *text = trimmed(problems->arena, node->text);
    size_t length = code_points(text);
    if (length == 0 && field->min > 0)
        problems_add(problems, node->line, "%s: is empty; write something or remove the line",
                     node->key);
    else if ((int64_t)length < field->min)
        problems_add(problems, node->line, "%s: is shorter than %lld characters; say more",
                     node->key, (long long)field->min);
    else if ((int64_t)length > field->max)
        problems_add(problems, node->line, "%s: has %zu characters; shorten it to %lld", node->key,
                     length, (long long)field->max);
    else
        *(const char **)target = text;
}

static void read_checked(struct problems *problems, const struct yaml_node *node,
                         const struct field *field, void *target)
{
    const char *text = resolve(problems, node);
    if (text == NULL)
        return;
    const char *hint = field_check_text(field->kind, text);
    if (hint != NULL) {
        problems_add(problems, node->line, "%s: \"%.80s\" %s", node->key, text, hint);
        return;
    }
    size_t length = strlen(text);
    while (field->kind == FIELD_URL && length > 8 && text[length - 1] == '/')
        length--;
    *(const char **)target = arena_strndup(problems->arena, text, length);
}

static void read_choice(struct problems *problems, const struct yaml_node *node,
                        const struct field *field, void *target)
{
    for (size_t i = 0; field->choices[i] != NULL; i++)
        if (strcmp(field->choices[i], node->text) == 0) {
            *(const char **)target = field->choices[i];
            return;
        }
    const char *near = suggest(node->text, field->choices);
    problems_add(problems, node->line, "%s: \"%.40s\" is not known; write %s", node->key,
                 node->text, near != NULL ? near : field->choices[0]);
}

static void read_int(struct problems *problems, const struct yaml_node *node,
                     const struct field *field, void *target)
{
    int64_t value;
    if (text_parse_int(node->text, field->min, field->max, &value))
        *(int64_t *)target = value;
    else
        problems_add(problems, node->line, "%s: \"%.40s\" must be a whole number from %lld to %lld",
                     node->key, node->text, (long long)field->min, (long long)field->max);
}

static bool parse_ms(const char *text, int64_t *value)
{
    static const struct {
        const char *unit;
        int64_t factor;
    } units[] = {{"ms", 1}, {"s", 1000}, {"m", 60000}, {"h", 3600000}};
    size_t digits = strspn(text, "0123456789");
    char number[16];
    if (digits == 0 || digits >= sizeof number - 1)
        return false;
    memcpy(number, text, digits);
    number[digits] = '\0';
    for (size_t i = 0; i < sizeof units / sizeof units[0]; i++)
        if (strcmp(text + digits, units[i].unit) == 0 &&
            text_parse_int(number, 0, INT64_MAX / 3600000, value)) {
            *value *= units[i].factor;
            return true;
        }
    return false;
}

static void read_ms(struct problems *problems, const struct yaml_node *node,
                    const struct field *field, void *target)
{
    int64_t value;
    if (!parse_ms(node->text, &value))
        problems_add(problems, node->line,
                     "%s: \"%.40s\" must be a time with its unit, like 500ms or 8s", node->key,
                     node->text);
    else if (value < field->min || value > field->max)
        problems_add(problems, node->line, "%s: \"%.40s\" must be from %lldms to %lldms", node->key,
                     node->text, (long long)field->min, (long long)field->max);
    else
        *(int64_t *)target = value;
}

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

static void read_decimal(struct problems *problems, const struct yaml_node *node,
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
                     node->key, node->text, (long long)(field->min / unit), places,
                     (long long)(field->min % unit), (long long)(field->max / unit), places,
                     (long long)(field->max % unit), price ? "four" : "two");
}

static void read_bool(struct problems *problems, const struct yaml_node *node,
                      const struct field *field, void *target)
{
    (void)field;
    if (strcmp(node->text, "true") == 0 || strcmp(node->text, "false") == 0)
        *(bool *)target = *node->text == 't';
    else
        problems_add(problems, node->line, "%s: \"%.40s\" must be true or false", node->key,
                     node->text);
}

static void read_secret(struct problems *problems, const struct yaml_node *node,
                        const struct field *field, void *target)
{
    (void)field;
    *(struct secret **)target = fields_read_secret(problems, node, node->key);
}

static void read_collection(struct problems *problems, const struct yaml_node *node,
                            const struct field *field, void *target)
{
    enum yaml_kind wanted = field->kind == FIELD_LIST ? YAML_SEQUENCE : YAML_MAPPING;
    if (node->kind != wanted)
        problems_add(problems, node->line,
                     wanted == YAML_SEQUENCE ? "%s: must be a list: lines that start with \"- \""
                                             : "%s: must be a block of indented name: value lines",
                     node->key);
    else if (wanted == YAML_SEQUENCE &&
             ((int64_t)node->count < field->min || (int64_t)node->count > field->max))
        problems_add(problems, node->line, "%s: has %zu entries; it must have %lld to %lld",
                     node->key, node->count, (long long)field->min, (long long)field->max);
    else
        *(const struct yaml_node **)target = node;
}

typedef void read_fn(struct problems *problems, const struct yaml_node *node,
                     const struct field *field, void *target);

static read_fn *const readers[] = {
    [FIELD_TEXT] = read_text,       [FIELD_SLUG] = read_checked,
    [FIELD_ZONE] = read_checked,    [FIELD_LANGUAGE] = read_checked,
    [FIELD_E164] = read_checked,    [FIELD_ACCOUNT] = read_checked,
    [FIELD_SERVICE] = read_checked, [FIELD_NAME] = read_checked,
    [FIELD_DATE] = read_checked,    [FIELD_URL] = read_checked,
    [FIELD_CHOICE] = read_choice,   [FIELD_INT] = read_int,
    [FIELD_MS] = read_ms,           [FIELD_HUNDREDTHS] = read_decimal,
    [FIELD_PRICE] = read_decimal,   [FIELD_BOOL] = read_bool,
    [FIELD_SECRET] = read_secret,   [FIELD_MAPPING] = read_collection,
    [FIELD_LIST] = read_collection,
};

/* ---- the mapping ---- */

static const struct field *find(const struct field *fields, size_t count, const char *key)
{
    for (size_t i = 0; i < count; i++)
        if (strcmp(fields[i].key, key) == 0)
            return &fields[i];
    return NULL;
}

static void unknown_key(struct problems *problems, const struct yaml_node *node, const char *what,
                        const struct field *fields, size_t count)
{
    const char *known[FIELDS_MAX + 1] = {NULL};
    for (size_t i = 0; i < count && i < FIELDS_MAX; i++)
        known[i] = fields[i].key;
    const char *near = suggest(node->key, known);
    if (near != NULL)
        problems_add(problems, node->line, "%s has no \"%.60s\"; did you mean %s?", what, node->key,
                     near);
    else
        problems_add(problems, node->line, "%s has no \"%.60s\"; remove it", what, node->key);
}

void fields_read(struct problems *problems, const struct yaml_node *mapping, const char *what,
                 const struct field *fields, size_t count, void *out)
{
    if (mapping->kind != YAML_MAPPING) {
        problems_add(problems, mapping->line, "%s must be a block of name: value lines", what);
        return;
    }
    for (const struct yaml_node *node = mapping->first; node != NULL; node = node->next) {
        const struct field *field = find(fields, count, node->key);
        if (field == NULL)
            unknown_key(problems, node, what, fields, count);
        else if (field->kind < FIELD_SECRET && node->kind != YAML_SCALAR)
            problems_add(problems, node->line, "%s: must be one value, not a list or block",
                         node->key);
        else
            readers[field->kind](problems, node, field, (char *)out + field->offset);
    }
    for (size_t i = 0; i < count; i++)
        if (fields[i].required && yaml_get(mapping, fields[i].key) == NULL)
            problems_add(problems, mapping->line, "%s needs %s:; add it", what, fields[i].key);
}
