/* Configuration: one table of keys per service, filled from the command line, the environment, a
 * file and the defaults, in this order. All problems are collected, because an operator who mends
 * them one restart at a time loses an afternoon. Called by service_main and by deskctl. */
#include "service/config.h"

#include "base/map.h"
#include "base/mem.h"
#include "base/suggest.h"
#include "base/text.h"
#include "service/inside.h"

#include <assert.h>
#include <ctype.h>
#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#define FILE_BYTES_MAX (1024 * 1024)
#define LINE_MAX_BYTES (64 * 1024)

/* A value that was given for a key, with the place it was given at. */
struct given {
    const char *text;
    char *source;
};

struct load {
    const struct config_spec *specs;
    size_t count;
    struct given *arguments, *file; /* one per spec; text NULL: not given there */
    struct strbuf *problems;
    size_t problem_count;
};

const char *config_environment_name(const char *key, char out[CONFIG_ENV_MAX])
{
    int length = snprintf(out, CONFIG_ENV_MAX, "FRONTDESK_%s", key);
    assert(length > 0 && length < CONFIG_ENV_MAX);
    for (char *c = out; *c != '\0'; c++)
        *c = (char)toupper((unsigned char)*c);
    return out;
}

static void problem(struct load *load, const char *source, const char *what, const char *detail)
{
    strbuf_printf(load->problems, "%s: %s%s\n", source, what, detail);
    load->problem_count++;
}

/* Index of the key, which may be written with '-' for '_'; -1 if unknown. */
static int find_key(const struct load *load, const char *key, size_t length)
{
    for (size_t i = 0; i < load->count; i++) {
        const char *known = load->specs[i].key;
        size_t k = 0;
        while (k < length && known[k] != '\0' &&
               (key[k] == known[k] || (key[k] == '-' && known[k] == '_')))
            k++;
        if (k == length && known[k] == '\0')
            return (int)i;
    }
    return -1;
}

static void unknown_key(struct load *load, const char *source, const char *key)
{
    const char **known = xcalloc(load->count + 1, sizeof *known);
    for (size_t i = 0; i < load->count; i++)
        known[i] = load->specs[i].key;
    const char *near = suggest(key, known);
    struct strbuf what;
    strbuf_init(&what, 512);
    strbuf_printf(&what, "there is no setting \"%.64s\"", key);
    if (near != NULL)
        strbuf_printf(&what, "; did you mean %s?", near);
    else
        strbuf_add_text(&what, "; --help lists them");
    problem(load, source, what.data, "");
    strbuf_fini(&what);
    free(known);
}

static void take(struct load *load, struct given *into, const char *key, const char *text,
                 const char *source)
{
    int i = find_key(load, key, strlen(key));
    if (i < 0) {
        unknown_key(load, source, key);
        return;
    }
    if (into[i].text != NULL) {
        problem(load, source, load->specs[i].key, " is given twice; keep one of the two");
        return;
    }
    into[i].text = text;
    into[i].source = xstrdup(source);
}

/* "--key=value" words. The value stays borrowed from the caller's word. */
static void take_arguments(struct load *load, const char *const *arguments)
{
    for (; arguments != NULL && *arguments != NULL; arguments++) {
        const char *equals = strchr(*arguments, '=');
        if (strncmp(*arguments, "--", 2) != 0 || equals == NULL) {
            problem(load, *arguments, "is not understood; write --key=value", "");
            continue;
        }
        char *key = xstrndup(*arguments + 2, (size_t)(equals - *arguments) - 2);
        char *source = xstrndup(*arguments, (size_t)(equals - *arguments));
        take(load, load->arguments, key, equals + 1, source);
        free(source);
        free(key);
    }
}

static char *trim(char *text)
{
    text += strspn(text, " \t\r");
    size_t length = strlen(text);
    while (length > 0 && strchr(" \t\r", text[length - 1]) != NULL)
        text[--length] = '\0';
    return text;
}

/* One "key = value" line, cut up in place. */
static void take_line(struct load *load, const char *path, int number, char *line)
{
    char *text = trim(line);
    if (*text == '\0' || *text == '#')
        return;
    struct strbuf source;
    strbuf_init(&source, LINE_MAX_BYTES);
    strbuf_printf(&source, "%s:%d", path, number);
    char *equals = strchr(text, '=');
    if (equals == NULL) {
        problem(load, source.data, "is not understood; write \"key = value\" or a # comment", "");
    } else {
        *equals = '\0';
        take(load, load->file, trim(text), trim(equals + 1), source.data);
    }
    strbuf_fini(&source);
}

/* The whole file as owned text, or NULL with a problem noted. */
static char *read_whole(struct load *load, const char *path)
{
    FILE *file = fopen(path, "re");
    if (file == NULL) {
        problem(load, path, "cannot be read: ", strerror(errno));
        return NULL;
    }
    char *text = xcalloc(1, FILE_BYTES_MAX + 2);
    size_t length = fread(text, 1, FILE_BYTES_MAX + 1, file);
    int failure = ferror(file) ? errno : 0;
    fclose(file);
    const char *what = NULL;
    if (failure != 0)
        what = strerror(failure);
    else if (length > FILE_BYTES_MAX)
        what = "it is over 1 MB";
    else if (!text_is_utf8(text, length))
        what = "it is not UTF-8 text";
    if (what == NULL)
        return text;
    problem(load, path, "cannot be used: ", what);
    free(text);
    return NULL;
}

/* `text` is cut up; the values point into it. */
static void take_file(struct load *load, const char *path, char *text)
{
    int number = 1;
    for (char *line = text; line != NULL; number++) {
        char *end = strchr(line, '\n');
        if (end != NULL)
            *end = '\0';
        take_line(load, path, number, line);
        line = end == NULL ? NULL : end + 1;
    }
}

static void settle(struct load *load, size_t i, void *settings)
{
    const struct config_spec *spec = &load->specs[i];
    char name[CONFIG_ENV_MAX];
    const char *environment = getenv(config_environment_name(spec->key, name));
    struct config_value value = {
        .spec = spec,
        .text = spec->fallback == NULL ? "" : spec->fallback,
        .source = "the default",
    };
    if (load->arguments[i].text != NULL) {
        value.text = load->arguments[i].text;
        value.source = load->arguments[i].source;
    } else if (environment != NULL) {
        value.text = environment;
        value.source = name;
    } else if (load->file[i].text != NULL) {
        value.text = load->file[i].text;
        value.source = load->file[i].source;
    }
    if (!config_value_parse(&value, settings, load->problems))
        load->problem_count++;
}

/* Environment names that fit no key are left alone: one ConfigMap serves all services, and
 * Kubernetes puts FRONTDESK_INGRESS_PORT and its like into every container by itself. */
int config_load(const struct config_spec *specs, size_t count, const struct config_sources *sources,
                void *settings, struct strbuf *problems, struct err *err)
{
    struct load load = {.specs = specs,
                        .count = count,
                        .arguments = xcalloc(count + 1, sizeof *load.arguments),
                        .file = xcalloc(count + 1, sizeof *load.file),
                        .problems = problems};
    take_arguments(&load, sources->arguments);
    char *text = sources->file != NULL ? read_whole(&load, sources->file) : NULL;
    if (text != NULL)
        take_file(&load, sources->file, text);
    for (size_t i = 0; i < count; i++)
        settle(&load, i, settings);
    for (size_t i = 0; i < count; i++) {
        free(load.arguments[i].source);
        free(load.file[i].source);
    }
    free(load.arguments);
    free(load.file);
    if (text != NULL)
        explicit_bzero(text, FILE_BYTES_MAX + 2);
    free(text);
    if (load.problem_count > 0)
        return err_set(err, ERR_PERMANENT, "config.invalid",
                       "%zu problem(s) in the configuration; see the list", load.problem_count);
    return 0;
}

void config_free(const struct config_spec *specs, size_t count, void *settings)
{
    for (size_t i = 0; i < count; i++)
        config_value_free(&specs[i], settings);
}
