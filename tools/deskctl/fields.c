/* The reader behind tenant, vendor and topic files. Each *_file.c brings its tables. */
#include "fields.h"

#include <ctype.h>
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
#include "field_number.h"
#include "files.h"

#define SECRET_BYTES_MAX 2048
#define FIELDS_MAX       32

void problems_init(struct problems *problems, struct arena *arena, const char *file)
{
    *problems = (struct problems){.arena = arena, .file = file, .notices = ""};
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

void problems_note(struct problems *problems, int line, const char *format, ...)
{
    char text[1024];
    va_list args;
    va_start(args, format);
    vsnprintf(text, sizeof text, format, args);
    va_end(args);
    problems->notices = arena_printf(problems->arena, "%s%s:%d: notice: %s\n", problems->notices,
                                     problems->file, line, text);
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
static const char *resolve(struct problems *problems, const struct yaml_node *node, const char *key)
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
                     key, name);
        return NULL;
    }
    const char *value = getenv(name);
    if (value != NULL && *value != '\0')
        return arena_strdup(problems->arena, value);
    if (fallback != NULL)
        return fallback + 2;
    problems_add(problems, node->line,
                 "%s: the environment variable %s is not set; set it, or write env:%s:-DEFAULT",
                 key, name, name);
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
    size_t length = text_count_code_points(text);
    if (length == 0 && field->min > 0)
        problems_add(problems, node->line, "%s: is empty; write something or remove the line",
                     field->key);
    else if ((int64_t)length < field->min)
        problems_add(problems, node->line, "%s: is shorter than %lld characters; say more",
                     field->key, (long long)field->min);
    else if ((int64_t)length > field->max)
        problems_add(problems, node->line, "%s: has %zu characters; shorten it to %lld", field->key,
                     length, (long long)field->max);
    else
        *(const char **)target = text;
}

static void read_checked(struct problems *problems, const struct yaml_node *node,
                         const struct field *field, void *target)
{
    const char *text = resolve(problems, node, field->key);
    if (text == NULL)
        return;
    const char *hint = field_check_text(field->kind, text);
    size_t length = strlen(text);
    if (hint != NULL) {
        problems_add(problems, node->line, "%s: \"%.80s\" %s", field->key, text, hint);
        return;
    }
    if (field->max > 0 && (int64_t)length > field->max) {
        problems_add(problems, node->line, "%s: has %zu characters; shorten it to %lld", field->key,
                     length, (long long)field->max);
        return;
    }
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
    problems_add(problems, node->line, "%s: \"%.40s\" is not known; write %s", field->key,
                 node->text, near != NULL ? near : field->choices[0]);
}

static void read_bool(struct problems *problems, const struct yaml_node *node,
                      const struct field *field, void *target)
{
    (void)field;
    if (strcmp(node->text, "true") == 0 || strcmp(node->text, "false") == 0)
        *(bool *)target = *node->text == 't';
    else
        problems_add(problems, node->line, "%s: \"%.40s\" must be true or false", field->key,
                     node->text);
}

static void read_secret(struct problems *problems, const struct yaml_node *node,
                        const struct field *field, void *target)
{
    (void)field;
    *(struct secret **)target = fields_read_secret(problems, node, field->key);
}

static void read_node(struct problems *problems, const struct yaml_node *node,
                      const struct field *field, void *target)
{
    (void)problems, (void)field;
    *(const struct yaml_node **)target = node;
}

static void read_collection(struct problems *problems, const struct yaml_node *node,
                            const struct field *field, void *target)
{
    enum yaml_kind wanted = field->kind == FIELD_LIST ? YAML_SEQUENCE : YAML_MAPPING;
    if (node->kind != wanted)
        problems_add(problems, node->line,
                     wanted == YAML_SEQUENCE ? "%s: must be a list: lines that start with \"- \""
                                             : "%s: must be a block of indented name: value lines",
                     field->key);
    else if (wanted == YAML_SEQUENCE &&
             ((int64_t)node->count < field->min || (int64_t)node->count > field->max))
        problems_add(problems, node->line, "%s: has %zu entries; it must have %lld to %lld",
                     field->key, node->count, (long long)field->min, (long long)field->max);
    else
        *(const struct yaml_node **)target = node;
}

typedef void read_fn(struct problems *problems, const struct yaml_node *node,
                     const struct field *field, void *target);

static read_fn *const readers[] = {
    [FIELD_TEXT] = read_text,
    [FIELD_SLUG] = read_checked,
    [FIELD_IDENT] = read_checked,
    [FIELD_ZONE] = read_checked,
    [FIELD_LANGUAGE] = read_checked,
    [FIELD_E164] = read_checked,
    [FIELD_ACCOUNT] = read_checked,
    [FIELD_SERVICE] = read_checked,
    [FIELD_NAME] = read_checked,
    [FIELD_WORD] = read_checked,
    [FIELD_DATE] = read_checked,
    [FIELD_ENDPOINT] = read_checked,
    [FIELD_URL] = read_checked,
    [FIELD_CHOICE] = read_choice,
    [FIELD_INT] = field_number_read_int,
    [FIELD_MS] = field_number_read_ms,
    [FIELD_MINUTES] = field_number_read_minutes,
    [FIELD_DAYS] = field_number_read_days,
    [FIELD_HUNDREDTHS] = field_number_read_decimal,
    [FIELD_PRICE] = field_number_read_decimal,
    [FIELD_BOOL] = read_bool,
    [FIELD_SECRET] = read_secret,
    [FIELD_MAPPING] = read_collection,
    [FIELD_LIST] = read_collection,
    [FIELD_NODE] = read_node,
};

bool fields_read_one(struct problems *problems, const struct yaml_node *node,
                     const struct field *field, void *target)
{
    size_t before = problems->count;
    if (field->kind < FIELD_SECRET && node->kind != YAML_SCALAR)
        problems_add(problems, node->line, "%s: must be one value, not a list or block",
                     field->key);
    else
        readers[field->kind](problems, node, field, target);
    return problems->count == before;
}

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
        else
            (void)fields_read_one(problems, node, field, (char *)out + field->offset);
    }
    for (size_t i = 0; i < count; i++)
        if (fields[i].required && yaml_get(mapping, fields[i].key) == NULL)
            problems_add(problems, mapping->line, "%s needs %s:; add it", what, fields[i].key);
}
