/* The comparison behind `tenant apply`. Wrapped and sealed secrets look different each time they
 * are made, so equality is judged by opening the wrapped ones, and for keys sealed to the edge
 * (which only ingress opens) by a keyed mark kept in tenants.settings. */
#include "tenant_maker.h"

#include <inttypes.h>
#include <math.h>
#include <stdio.h>
#include <string.h>

#include "base/text.h"
#include "crypto/crypto.h"
#include "store/credential.h"
#include "json/json.h"

#define FIELDS_MAX  24
#define CHANGES_MAX (FIELDS_MAX * 2 + TENANT_CHANNELS_MAX * 8 + 256)

void maker_note(struct maker *m, enum tenant_action action, const char *what, const char *field,
                const char *const pair[2])
{
    if (m->plan->change_count < m->change_max)
        m->plan->changes[m->plan->change_count++] =
            (struct tenant_change){action, what, field, pair[0], pair[1]};
}

/* Notes the difference of one field, if there is one. */
bool maker_differs(struct maker *m, const char *what, const char *field, const char *before,
                   const char *after)
{
    if (before == NULL && after == NULL)
        return false;
    if (before != NULL && after != NULL && strcmp(before, after) == 0)
        return false;
    enum tenant_action action = before == NULL  ? TENANT_ADD
                                : after == NULL ? TENANT_REMOVE
                                                : TENANT_CHANGE;
    maker_note(m, action, what, field, (const char *const[]){before, after});
    return true;
}

/* ---- secrets ---- */

bool maker_same_secret(const struct secret *a, const struct secret *b)
{
    return secret_length(a) == secret_length(b) &&
           crypto_equal(secret_reveal(a), secret_reveal(b), secret_length(a));
}

/* True if the wrapped bytes open to that secret. */
static bool opens_to(const struct secret *key, const char *context, const struct strbuf *wrapped,
                     const struct secret *wanted)
{
    struct secret *opened = NULL;
    struct err err;
    if (crypto_unwrap(&key, 1, context, wrapped->data, wrapped->length, &opened, &err) != 0)
        return false;
    bool same = maker_same_secret(opened, wanted);
    secret_free(&opened);
    return same;
}

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

/* ---- assistant ---- */

struct config_field {
    const char *name;
    const char *value; /* as text; NULL: absent */
    bool in_model, number;
};

const char *maker_number(struct arena *arena, int64_t value)
{
    return arena_printf(arena, "%" PRId64, value);
}

static const char *hundredths_text(struct arena *arena, int64_t value)
{
    return value < 0 ? NULL
                     : arena_printf(arena, "%" PRId64 ".%02" PRId64, value / 100, value % 100);
}

/* The config as a list of fields, in the order in which it is written. */
static size_t config_of_file(struct arena *arena, const struct tenant_file *file,
                             struct config_field *fields)
{
    const struct tenant_file_model *model = &file->model;
    const struct config_field list[] = {
        {"persona", file->persona, false, false},
        {"facts", file->facts, false, false},
        {"tone", file->tone, false, false},
        {"language", file->language, false, false},
        {"fallback", file->fallback, false, false},
        {"degraded", file->degraded, false, false},
        {"dialect", model->dialect, true, false},
        {"base_url", model->base_url, true, false},
        {"model", model->model, true, false},
        {"temperature", hundredths_text(arena, model->temperature_hundredths), true, true},
        {"max_tokens", maker_number(arena, model->max_tokens), true, true},
        {"max_completion_tokens", model->max_completion_tokens ? "true" : "false", true, true},
        {"first_token_ms", maker_number(arena, model->first_token_ms), true, true},
        {"total_ms", maker_number(arena, model->total_ms), true, true},
    };
    memcpy(fields, list, sizeof list);
    return sizeof list / sizeof list[0];
}

/* The stored member in the same notation, NULL if it is absent. */
static const char *stored_value(struct arena *arena, const struct json *object,
                                const struct config_field *field)
{
    const struct json *value = json_member(object, field->name);
    if (value == NULL)
        return NULL;
    switch (json_type(value)) {
    case JSON_STRING:
        return arena_strdup(arena, json_text(value));
    case JSON_BOOL:
        return json_bool(value) ? "true" : "false";
    case JSON_NUMBER:
        return strcmp(field->name, "temperature") == 0
                   ? hundredths_text(arena, (int64_t)llround(json_number(value) * 100))
                   : maker_number(arena, (int64_t)json_number(value));
    default:
        return "(another kind)";
    }
}

/* The wrapped model key for the new version: the stored one if it opens to the file's key. */
static const char *plan_model_key(struct maker *m, const struct json *stored, bool *changed)
{
    const struct secret *key = m->file->model.key;
    const char *context =
        credential_model_context(m->arena, &m->plan->row.id, &m->plan->row.assistant);
    const char *text = stored != NULL ? json_member_text(stored, "key_wrapped") : NULL;
    struct strbuf bytes;
    strbuf_init(&bytes, 16 * 1024);
    const char *result = NULL;
    if (text != NULL && *text == '\0')
        text = NULL;
    if (key != NULL && text != NULL && text_decode_base64(text, strlen(text), &bytes) &&
        opens_to(m->keys->credentials, context, &bytes, key)) {
        result = arena_strdup(m->arena, text);
    } else if (key != NULL) {
        strbuf_clear(&bytes);
        crypto_wrap(m->keys->credentials, context, secret_reveal(key), secret_length(key), &bytes);
        result = maker_encode(m->arena, &bytes, true);
    }
    strbuf_fini(&bytes);
    if ((text == NULL) != (result == NULL) || (result != NULL && strcmp(result, text) != 0)) {
        maker_note(m,
                   text == NULL     ? TENANT_ADD
                   : result == NULL ? TENANT_REMOVE
                                    : TENANT_CHANGE,
                   "assistant", "model.key",
                   (const char *const[]){text != NULL ? SECRET_SHOWN : NULL,
                                         result != NULL ? SECRET_SHOWN : NULL});
        *changed = true;
    }
    return result;
}

static void add_fields(struct json_writer *writer, const struct config_field *fields, size_t count,
                       bool in_model)
{
    for (size_t i = 0; i < count; i++)
        if (fields[i].in_model == in_model && fields[i].value != NULL) {
            if (fields[i].number)
                json_add_raw(writer, fields[i].name, fields[i].value);
            else
                json_add_text(writer, fields[i].name, fields[i].value);
        }
}

static const char *write_config(struct arena *arena, const struct config_field *fields,
                                size_t count, const char *key_wrapped)
{
    struct strbuf out;
    struct json_writer writer;
    strbuf_init(&out, 256 * 1024);
    json_writer_init(&writer, &out);
    json_open_object(&writer, NULL);
    add_fields(&writer, fields, count, false);
    json_open_array(&writer, "models");
    json_open_object(&writer, NULL);
    add_fields(&writer, fields, count, true);
    if (key_wrapped != NULL)
        json_add_text(&writer, "key_wrapped", key_wrapped);
    json_close_object(&writer);
    json_close_array(&writer);
    json_close_object(&writer);
    const char *text = arena_strdup(arena, out.data);
    strbuf_fini(&out);
    return text;
}

static void compare_assistant(struct maker *m)
{
    struct config_field fields[FIELDS_MAX];
    struct tenant_row *row = &m->plan->row;
    struct json *stored = NULL;
    struct err err;
    bool had = m->existing != NULL && !uuid_is_nil(&m->existing->assistant);
    row->assistant = had ? m->existing->assistant : uuid_new();
    row->version = had ? m->existing->version : 0;
    if (had && m->existing->config != NULL)
        (void)json_parse(m->existing->config, strlen(m->existing->config), &stored, &err);
    const struct json *models = stored != NULL ? json_member(stored, "models") : NULL;
    const struct json *model = models != NULL ? json_first(models) : NULL;
    size_t count = config_of_file(m->arena, m->file, fields);
    bool changed = stored == NULL;
    for (size_t i = 0; i < count; i++) {
        const char *before =
            stored_value(m->arena, fields[i].in_model ? model : stored, &fields[i]);
        const char *name = fields[i].in_model ? arena_printf(m->arena, "model.%s", fields[i].name)
                                              : fields[i].name;
        changed |= maker_differs(m, "assistant", name, before, fields[i].value);
    }
    const char *key = plan_model_key(m, model, &changed);
    json_free(&stored);
    m->plan->assistant_changed = changed;
    if (changed)
        row->version++;
    row->config = write_config(m->arena, fields, count, key);
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
                      .change_max = CHANGES_MAX + old_channels};
    plan->changes = arena_alloc(arena, m.change_max * sizeof *plan->changes);
    plan->channels =
        arena_alloc(arena, (file->channel_count + old_channels + 1) * sizeof *plan->channels);
    compare_tenant(&m);
    compare_assistant(&m);
    maker_compare_channels(&m);
}
