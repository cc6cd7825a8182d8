/* The table of settings as text: effective values, --help, docs/CONFIGURATION.md. The table is the
 * only source, so that documents cannot differ from what the program takes. */
#include "service/inside.h"

#include <string.h>

void config_print(const struct config_spec *specs, size_t count, const void *settings,
                  struct strbuf *out)
{
    for (size_t i = 0; i < count; i++) {
        strbuf_printf(out, "%s = ", specs[i].key);
        config_value_print(&specs[i], settings, out);
        strbuf_add_char(out, '\n');
    }
}

static bool is_number(enum config_type type)
{
    return type == CONFIG_INT || type == CONFIG_MS || type == CONFIG_BYTES;
}

/* "1s to 10m", "debug, info", "required" or nothing. */
static void add_bounds(const struct config_spec *spec, struct strbuf *out)
{
    if (is_number(spec->type)) {
        config_number_print(spec->type, spec->min, out);
        strbuf_add_text(out, " to ");
        config_number_print(spec->type, spec->max, out);
    } else if (spec->type == CONFIG_CHOICE) {
        for (const char *const *choice = spec->choices; *choice != NULL; choice++)
            strbuf_printf(out, "%s%s", choice == spec->choices ? "" : ", ", *choice);
    } else if ((spec->flags & CONFIG_REQUIRED) != 0) {
        strbuf_add_text(out, "required");
    } else if (spec->type == CONFIG_SECRET) {
        strbuf_add_text(out, "file:PATH, env:NAME or the text");
    }
}

/* A table's cell must not hold a bar. */
static void add_cell(struct strbuf *out, const char *text)
{
    for (; *text != '\0'; text++) {
        if (*text == '|')
            strbuf_add_char(out, '\\');
        strbuf_add_char(out, *text);
    }
}

void config_document(const struct config_spec *specs, size_t count, const char *title,
                     struct strbuf *out)
{
    strbuf_printf(out, "## %s\n\n| key | environment | type | allowed | default | meaning |\n",
                  title);
    strbuf_add_text(out, "| --- | --- | --- | --- | --- | --- |\n");
    for (size_t i = 0; i < count; i++) {
        const struct config_spec *spec = &specs[i];
        const char *fallback = spec->fallback == NULL ? "" : spec->fallback;
        char name[CONFIG_ENV_MAX];
        strbuf_printf(out, "| `%s` | `%s` | %s | ", spec->key,
                      config_environment_name(spec->key, name), config_type_name(spec->type));
        size_t before = out->length;
        add_bounds(spec, out);
        strbuf_add_text(out, out->length == before ? "| " : " | ");
        strbuf_add_text(out, fallback[0] == '\0' ? "| " : "`");
        add_cell(out, fallback);
        strbuf_add_text(out, fallback[0] == '\0' ? "" : "` | ");
        add_cell(out, spec->help);
        strbuf_add_text(out, " |\n");
    }
}

void config_help(const struct config_spec *specs, size_t count, struct strbuf *out)
{
    for (size_t i = 0; i < count; i++) {
        const struct config_spec *spec = &specs[i];
        const char *fallback = spec->fallback == NULL ? "" : spec->fallback;
        strbuf_printf(out, "  --%s=%s\n      %s", spec->key, fallback, spec->help);
        struct strbuf bounds;
        strbuf_init(&bounds, 1024);
        add_bounds(spec, &bounds);
        if (bounds.length > 0)
            strbuf_printf(out, " (%s: %s)", config_type_name(spec->type), bounds.data);
        else
            strbuf_printf(out, " (%s)", config_type_name(spec->type));
        strbuf_fini(&bounds);
        strbuf_add_char(out, '\n');
    }
}
