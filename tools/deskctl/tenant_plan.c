/* The comparison behind `tenant apply`. Wrapped and sealed secrets look different each time they
 * are made, so equality is judged by opening the wrapped ones, and for keys sealed to the edge
 * (which only ingress opens) by a keyed mark kept in tenants.settings. */
#include "tenant_maker.h"

#include <inttypes.h>
#include <string.h>

#include "base/text.h"

void maker_note(struct maker *m, enum tenant_action action, const char *what, const char *field,
                const char *const pair[2])
{
    tenant_changes_add(&m->changes, (struct tenant_change){action, what, field, pair[0], pair[1]});
}

bool maker_differs(struct maker *m, const char *what, const char *field, const char *before,
                   const char *after)
{
    return tenant_changes_add_text(&m->changes, what, field, before, after);
}

/* ---- secrets ---- */

const char *maker_encode(struct arena *arena, const struct strbuf *bytes, bool base64)
{
    struct strbuf text;
    strbuf_init(&text, 64 * 1024);
    (base64 ? text_add_base64 : text_add_hex)(&text, bytes->data, bytes->length);
    const char *copy = arena_strdup(arena, text.data);
    strbuf_fini(&text);
    return copy;
}

/* ---- tenant ---- */

static void compare_tenant(struct maker *m)
{
    const struct tenant_row *old = m->existing;
    struct tenant_row *row = &m->plan->row;
    row->id = old != NULL ? old->id : uuid_new();
    row->name = m->file->name;
    row->display_name = m->file->display_name;
    row->timezone = m->file->timezone;
    row->language = m->file->language;
    m->plan->tenant_changed = old == NULL;
    if (old == NULL)
        maker_note(m, TENANT_ADD, "tenant", "", (const char *const[]){NULL, row->name});
    m->plan->tenant_changed |= maker_differs(
        m, "tenant", "display_name", old != NULL ? old->display_name : NULL, row->display_name);
    m->plan->tenant_changed |=
        maker_differs(m, "tenant", "timezone", old != NULL ? old->timezone : NULL, row->timezone);
    m->plan->tenant_changed |=
        maker_differs(m, "tenant", "language", old != NULL ? old->language : NULL, row->language);
}

/* ---- values of the assistant's config ---- */

const char *maker_number(struct arena *arena, int64_t value)
{
    return arena_printf(arena, "%" PRId64, value);
}

const char *maker_hundredths(struct arena *arena, int64_t value)
{
    return value < 0 ? NULL
                     : arena_printf(arena, "%" PRId64 ".%02" PRId64, value / 100, value % 100);
}

void maker_add_fields(struct json_writer *writer, const struct maker_field *fields, size_t count)
{
    for (size_t i = 0; i < count; i++) {
        if (fields[i].value == NULL)
            continue;
        if (fields[i].raw)
            json_add_raw(writer, fields[i].name, fields[i].value);
        else
            json_add_text(writer, fields[i].name, fields[i].value);
    }
}

/* ---- assistant ---- */

#define WORDING_COUNT    6
#define CONFIG_BYTES_MAX (2 * 1024 * 1024)

/* What the assistant is told and says, in the order in which it is written. */
static void wording_of(const struct tenant_file *file, struct maker_field fields[WORDING_COUNT])
{
    const struct maker_field list[WORDING_COUNT] = {
        {"persona", file->persona, false},   {"facts", file->facts, false},
        {"tone", file->tone, false},         {"language", file->language, false},
        {"fallback", file->fallback, false}, {"degraded", file->degraded, false},
    };
    memcpy(fields, list, sizeof list);
}

static void write_section(struct maker *m, size_t index, const struct json *stored,
                          struct json_writer *writer)
{
    const char *name = tenant_sections[index].name, *text = m->file->sections[index];
    if (text != NULL && strcmp(name, "http_tools") == 0)
        maker_write_tools(m, text, json_member(stored, name), writer);
    else if (text != NULL)
        json_add_raw(writer, name, text);
}

static const char *write_config(struct maker *m, const struct json *stored)
{
    struct maker_field wording[WORDING_COUNT];
    struct strbuf out;
    struct json_writer writer;
    strbuf_init(&out, CONFIG_BYTES_MAX);
    json_writer_init(&writer, &out);
    wording_of(m->file, wording);
    json_open_object(&writer, NULL);
    maker_add_fields(&writer, wording, WORDING_COUNT);
    maker_write_models(m, json_member(stored, "models"), &writer);
    for (size_t i = 0; i < TENANT_SECTIONS; i++)
        write_section(m, i, stored, &writer);
    json_close_object(&writer);
    const char *text = arena_strdup(m->arena, out.data);
    strbuf_fini(&out);
    return text;
}

static struct json *parse_config(const char *text)
{
    struct json *config = NULL;
    struct err err;
    if (text != NULL)
        (void)json_parse(text, strlen(text), &config, &err);
    return config;
}

static void compare_assistant(struct maker *m)
{
    struct tenant_row *row = &m->plan->row;
    bool had = m->existing != NULL && !uuid_is_nil(&m->existing->assistant);
    struct json *stored = parse_config(had ? m->existing->config : NULL);
    row->assistant = had ? m->existing->assistant : uuid_new();
    row->config = write_config(m, stored);
    struct json *config = parse_config(row->config);
    bool changed = tenant_diff_config(&m->changes, stored, config) || stored == NULL;
    json_free(&config);
    json_free(&stored);
    m->plan->assistant_changed = changed;
    row->version = (had ? m->existing->version : 0) + (changed ? 1 : 0);
}

void tenant_plan_make(struct arena *arena, const struct tenant_file *file,
                      const struct tenant_row *existing, const struct tenant_keys *keys,
                      struct tenant_plan *plan)
{
    size_t old_channels = existing != NULL ? existing->channel_count : 0;
    *plan = (struct tenant_plan){.change_count = 0};
    struct maker m = {.arena = arena,
                      .file = file,
                      .existing = existing,
                      .keys = keys,
                      .plan = plan,
                      .changes = {.arena = arena}};
    plan->channels =
        arena_alloc(arena, (file->channel_count + old_channels + 1) * sizeof *plan->channels);
    compare_tenant(&m);
    compare_assistant(&m);
    maker_compare_channels(&m);
    plan->changes = m.changes.items;
    plan->change_count = m.changes.count;
}

void tenant_plan_compare(struct tenant_changes *changes, const char *before, const char *after)
{
    struct json *was = parse_config(before), *is = parse_config(after);
    (void)tenant_diff_config(changes, was, is);
    json_free(&was);
    json_free(&is);
}

void tenant_plan_rollback(struct arena *arena, const struct tenant_row *existing,
                          const char *config, struct tenant_plan *plan)
{
    struct tenant_changes changes = {.arena = arena};
    tenant_plan_compare(&changes, existing->config, config);
    *plan = (struct tenant_plan){.row = *existing,
                                 .assistant_changed = changes.count > 0,
                                 .changes = changes.items,
                                 .change_count = changes.count};
    plan->row.config = config;
    plan->row.version++;
}

struct tenant_changes tenant_plan_changes(struct arena *arena, const struct tenant_plan *plan)
{
    return (struct tenant_changes){arena, plan->changes, plan->change_count, plan->change_count};
}
