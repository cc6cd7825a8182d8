/* One configuration value by its type: parse, print, free. A table of types, so that a new type is
 * a row and three short functions. Called by config.c and config_text.c. */
#include "base/mem.h"
#include "base/text.h"
#include "service/inside.h"

#include <assert.h>
#include <errno.h>
#include <fcntl.h>
#include <inttypes.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#define TEXT_MAX 4096

const char *const config_log_levels[] = {"debug", "info", "warn", "error", NULL};
const char *const config_kafka_security[] = {"plaintext", "mtls", "sasl_plain_tls", NULL};

struct unit {
    const char *suffix;
    int64_t factor;
};
static const struct unit ms_units[] = {{"ms", 1},      {"s", 1000}, {"m", 60000},
                                       {"h", 3600000}, {"", 1},     {NULL, 0}};
static const struct unit byte_units[] = {{"k", 1024}, {"m", 1048576}, {"", 1}, {NULL, 0}};
static const struct unit plain_units[] = {{"", 1}, {NULL, 0}};

/* `shown` is false for a secret: its text never gets into a message. */
static bool refuse(const struct config_value *value, bool shown, struct strbuf *problems,
                   const char *what)
{
    strbuf_printf(problems, "%s: ", value->spec->key);
    if (shown)
        strbuf_printf(problems, "\"%.64s\" ", value->text);
    strbuf_printf(problems, "%s (from %s)\n", what, value->source);
    return false;
}

static char **text_field(const struct config_spec *spec, void *settings)
{
    return (char **)(void *)((char *)settings + spec->offset);
}

static bool parse_text(const struct config_value *value, void *field, struct strbuf *problems)
{
    size_t length = strlen(value->text);
    if (length > TEXT_MAX || !text_is_utf8(value->text, length))
        return refuse(value, false, problems,
                      "is over 4096 bytes or not UTF-8; write shorter, plain text");
    *(char **)field = xstrdup(value->text);
    return true;
}

static const struct unit *units_of(enum config_type type)
{
    return type == CONFIG_MS ? ms_units : type == CONFIG_BYTES ? byte_units : plain_units;
}

/* Splits "10m" into digits and unit. Only durations and sizes have units; none has a sign except
 * CONFIG_INT with a negative minimum. */
static bool read_number(const struct config_spec *spec, const char *text, int64_t *number)
{
    bool negative = spec->type == CONFIG_INT && spec->min < 0 && text[0] == '-';
    text += negative ? 1 : 0;
    size_t digits = strspn(text, "0123456789");
    char copy[20];
    if (digits == 0 || digits >= sizeof copy)
        return false;
    memcpy(copy, text, digits);
    copy[digits] = '\0';
    for (const struct unit *unit = units_of(spec->type); unit->suffix != NULL; unit++) {
        int64_t count;
        if (strcmp(unit->suffix, text + digits) != 0)
            continue;
        if (!text_parse_int(copy, 0, INT64_MAX / unit->factor, &count))
            return false;
        *number = (negative ? -1 : 1) * count * unit->factor;
        return true;
    }
    return false;
}

static bool parse_number(const struct config_value *value, void *field, struct strbuf *problems)
{
    static const char *const forms[] = {
        [CONFIG_INT] = "a whole number",
        [CONFIG_MS] = "a duration such as 250ms, 3s, 10m or 24h",
        [CONFIG_BYTES] = "a size such as 512, 64k or 2m",
    };
    const struct config_spec *spec = value->spec;
    int64_t number;
    if (read_number(spec, value->text, &number) && number >= spec->min && number <= spec->max) {
        *(int64_t *)field = number;
        return true;
    }
    struct strbuf what;
    strbuf_init(&what, 512);
    strbuf_printf(&what, "is not allowed: write %s from ", forms[spec->type]);
    config_number_print(spec->type, spec->min, &what);
    strbuf_add_text(&what, " to ");
    config_number_print(spec->type, spec->max, &what);
    refuse(value, true, problems, what.data);
    strbuf_fini(&what);
    return false;
}

static bool parse_bool(const struct config_value *value, void *field, struct strbuf *problems)
{
    bool yes = strcmp(value->text, "true") == 0;
    if (!yes && strcmp(value->text, "false") != 0)
        return refuse(value, true, problems, "is not allowed: write true or false");
    *(bool *)field = yes;
    return true;
}

/* The field borrows the table's word: choices are never freed. */
static bool parse_choice(const struct config_value *value, void *field, struct strbuf *problems)
{
    const char *const *choice = value->spec->choices;
    for (; *choice != NULL; choice++) {
        if (strcmp(*choice, value->text) == 0) {
            *(const char **)field = *choice;
            return true;
        }
    }
    struct strbuf what;
    strbuf_init(&what, 512);
    strbuf_add_text(&what, "is not allowed: write one of");
    for (choice = value->spec->choices; *choice != NULL; choice++)
        strbuf_printf(&what, "%s %s", choice == value->spec->choices ? "" : ",", *choice);
    refuse(value, true, problems, what.data);
    strbuf_fini(&what);
    return false;
}

static bool secret_from_file(const struct config_value *value, void *field, struct strbuf *problems)
{
    struct err err;
    return secret_read(value->text, field, &err) == 0 ||
           refuse(value, false, problems, err.message);
}

static bool parse_secret(const struct config_value *value, void *field, struct strbuf *problems)
{
    const char *text = value->text;
    if (strncmp(text, "file:", 5) == 0)
        return secret_from_file(value, field, problems);
    if (strncmp(text, "env:", 4) == 0) {
        text = getenv(value->text + 4);
        if (text == NULL)
            return refuse(value, true, problems, "names an environment variable that is not set");
    }
    size_t length = strlen(text);
    if (length > SECRET_MAX)
        return refuse(value, false, problems, "is over 64 kB; give file:PATH or a shorter secret");
    *(struct secret **)field = length > 0 ? secret_new(text, length) : NULL;
    return true;
}

static void print_text(const struct config_spec *spec, const void *field, struct strbuf *out)
{
    (void)spec;
    const char *text = *(const char *const *)field;
    strbuf_add_text(out, text == NULL ? "" : text);
}

static void print_number(const struct config_spec *spec, const void *field, struct strbuf *out)
{
    config_number_print(spec->type, *(const int64_t *)field, out);
}

static void print_bool(const struct config_spec *spec, const void *field, struct strbuf *out)
{
    (void)spec;
    strbuf_add_text(out, *(const bool *)field ? "true" : "false");
}

static void print_secret(const struct config_spec *spec, const void *field, struct strbuf *out)
{
    (void)spec;
    strbuf_add_text(out, *(struct secret *const *)field != NULL ? "********" : "");
}

static bool text_is_empty(const void *field)
{
    const char *text = *(const char *const *)field;
    return text == NULL || text[0] == '\0';
}

static bool secret_is_empty(const void *field)
{
    return *(struct secret *const *)field == NULL;
}

static void free_text(void *field)
{
    free(*(char **)field);
    *(char **)field = NULL;
}

static void free_secret(void *field)
{
    secret_free((struct secret **)field);
}

struct type_row {
    const char *name;
    bool (*parse)(const struct config_value *value, void *field, struct strbuf *problems);
    void (*print)(const struct config_spec *spec, const void *field, struct strbuf *out);
    bool (*is_empty)(const void *field); /* NULL: never */
    void (*free)(void *field);           /* NULL: nothing to free */
};

static const struct type_row types[] = {
    [CONFIG_TEXT] = {"text", parse_text, print_text, text_is_empty, free_text},
    [CONFIG_INT] = {"number", parse_number, print_number, NULL, NULL},
    [CONFIG_MS] = {"duration", parse_number, print_number, NULL, NULL},
    [CONFIG_BYTES] = {"size", parse_number, print_number, NULL, NULL},
    [CONFIG_BOOL] = {"true or false", parse_bool, print_bool, NULL, NULL},
    [CONFIG_CHOICE] = {"choice", parse_choice, print_text, NULL, NULL},
    [CONFIG_SECRET] = {"secret", parse_secret, print_secret, secret_is_empty, free_secret},
};

bool config_value_parse(const struct config_value *value, void *settings, struct strbuf *problems)
{
    const struct config_spec *spec = value->spec;
    const struct type_row *type = &types[spec->type];
    void *field = text_field(spec, settings);
    if (!type->parse(value, field, problems))
        return false;
    if ((spec->flags & CONFIG_REQUIRED) != 0 && type->is_empty != NULL && type->is_empty(field)) {
        char name[CONFIG_ENV_MAX];
        strbuf_printf(problems, "%s: is required; give --%s=... or %s (%s)\n", spec->key, spec->key,
                      config_environment_name(spec->key, name), spec->help);
        return false;
    }
    return true;
}

void config_value_free(const struct config_spec *spec, void *settings)
{
    if (types[spec->type].free != NULL)
        types[spec->type].free(text_field(spec, settings));
}

void config_value_print(const struct config_spec *spec, const void *settings, struct strbuf *out)
{
    types[spec->type].print(spec, (const char *)settings + spec->offset, out);
}

const char *config_type_name(enum config_type type)
{
    return types[type].name;
}

/* In the largest unit that divides it, so that what is printed can be read back. */
void config_number_print(enum config_type type, int64_t number, struct strbuf *out)
{
    const struct unit *best = NULL;
    for (const struct unit *unit = units_of(type); unit->suffix != NULL; unit++)
        if (number != 0 && number % unit->factor == 0 &&
            (best == NULL || unit->factor > best->factor))
            best = unit;
    if (best == NULL)
        strbuf_printf(out, "%" PRId64, number);
    else
        strbuf_printf(out, "%" PRId64 "%s", number / best->factor, best->suffix);
}
