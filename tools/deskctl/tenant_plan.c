/* The comparison behind `tenant apply`. Wrapped and sealed secrets look different each time they
 * are made, so equality is judged by opening the wrapped ones, and for keys sealed to the edge
 * (which only ingress opens) by a keyed mark kept in tenants.settings. */
#include "tenant_plan.h"

#include <inttypes.h>
#include <math.h>
#include <stdio.h>
#include <string.h>

#include "base/text.h"
#include "crypto/crypto.h"
#include "store/credential.h"
#include "json/json.h"

#define SECRET_SHOWN "(secret)"
#define FIELDS_MAX   24
#define CHANGES_MAX  (FIELDS_MAX * 2 + TENANT_CHANNELS_MAX * 8 + 256)

struct maker {
    struct arena *arena;
    const struct tenant_file *file;
    const struct tenant_row *existing;
    const struct tenant_keys *keys;
    struct tenant_plan *plan;
    size_t change_max;
};

static void note(struct maker *m, enum tenant_action action, const char *what, const char *field,
                 const char *const pair[2])
{
    if (m->plan->change_count < m->change_max)
        m->plan->changes[m->plan->change_count++] =
            (struct tenant_change){action, what, field, pair[0], pair[1]};
}

/* Notes the difference of one field, if there is one. */
static bool differs(struct maker *m, const char *what, const char *field, const char *before,
                    const char *after)
{
    if (before == NULL && after == NULL)
        return false;
    if (before != NULL && after != NULL && strcmp(before, after) == 0)
        return false;
    enum tenant_action action = before == NULL  ? TENANT_ADD
                                : after == NULL ? TENANT_REMOVE
                                                : TENANT_CHANGE;
    note(m, action, what, field, (const char *const[]){before, after});
    return true;
}

/* ---- secrets ---- */

static bool same_secret(const struct secret *a, const struct secret *b)
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
    bool same = same_secret(opened, wanted);
    secret_free(&opened);
    return same;
}

static bool decode_hex(const char *text, struct strbuf *out)
{
    size_t length = strlen(text) / 2;
    uint8_t bytes[4096];
    if (length > sizeof bytes || !text_parse_hex(text, bytes, length))
        return false;
    strbuf_add(out, bytes, length);
    return true;
}

static const char *encoded(struct arena *arena, const struct strbuf *bytes, bool base64)
{
    struct strbuf text;
    strbuf_init(&text, 64 * 1024);
    (base64 ? text_add_base64 : text_add_hex)(&text, bytes->data, bytes->length);
    const char *copy = arena_strdup(arena, text.data);
    strbuf_fini(&text);
    return copy;
}

int tenant_plan_open_token(const struct tenant_channel *channel, const struct secret *key,
                           struct secret **token, struct err *err)
{
    struct arena *arena = arena_new();
    struct strbuf wrapped;
    strbuf_init(&wrapped, 8192);
    const char *context = credential_channel_context(arena, &channel->tenant, &channel->id);
    int result = decode_hex(channel->credentials_hex, &wrapped)
                     ? crypto_unwrap(&key, 1, context, wrapped.data, wrapped.length, token, err)
                     : err_set(err, ERR_PERMANENT, "crypto.wrap", "the credential is damaged");
    strbuf_fini(&wrapped);
    arena_free(&arena);
    return result;
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
        note(m, TENANT_ADD, "tenant", "", (const char *const[]){NULL, row->name});
    m->plan->tenant_changed |= differs(m, "tenant", "display_name",
                                       old != NULL ? old->display_name : NULL, row->display_name);
    m->plan->tenant_changed |=
        differs(m, "tenant", "timezone", old != NULL ? old->timezone : NULL, row->timezone);
    m->plan->tenant_changed |=
        differs(m, "tenant", "language", old != NULL ? old->language : NULL, row->language);
}

/* ---- assistant ---- */

struct config_field {
    const char *name;
    const char *value; /* as text; NULL: absent */
    bool in_model, number;
};

static const char *number_text(struct arena *arena, int64_t value)
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
        {"max_tokens", number_text(arena, model->max_tokens), true, true},
        {"max_completion_tokens", model->max_completion_tokens ? "true" : "false", true, true},
        {"first_token_ms", number_text(arena, model->first_token_ms), true, true},
        {"total_ms", number_text(arena, model->total_ms), true, true},
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
                   : number_text(arena, (int64_t)json_number(value));
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
        result = encoded(m->arena, &bytes, true);
    }
    strbuf_fini(&bytes);
    if ((text == NULL) != (result == NULL) || (result != NULL && strcmp(result, text) != 0)) {
        note(m,
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
        changed |= differs(m, "assistant", name, before, fields[i].value);
    }
    const char *key = plan_model_key(m, model, &changed);
    json_free(&stored);
    m->plan->assistant_changed = changed;
    if (changed)
        row->version++;
    row->config = write_config(m->arena, fields, count, key);
}

/* ---- channels ---- */

/* What only ingress can open is recognised by a keyed mark; it covers the edge's key too, so that a
 * new edge key seals everything anew. */
static const char *edge_mark(struct maker *m, const struct tenant_file_channel *channel)
{
    const char *parts[TENANT_KEYS_MAX + 3] = {"edge", channel->number};
    struct strbuf edge;
    char text[UUID_TEXT_SIZE];
    size_t count = 3;
    strbuf_init(&edge, 200);
    text_add_hex(&edge, secret_reveal(m->keys->edge_public), secret_length(m->keys->edge_public));
    parts[2] = edge.data;
    parts[count++] = secret_reveal(channel->auth_token);
    for (size_t i = 0; i < channel->signing_key_count; i++)
        parts[count++] = secret_reveal(channel->signing_keys[i]);
    struct uuid mark = crypto_ident(m->keys->credentials, parts, count);
    strbuf_fini(&edge);
    return arena_strdup(m->arena, uuid_format(&mark, text));
}

static void add_sealed(struct json_writer *writer, const uint8_t *edge_public,
                       const struct secret *key)
{
    struct strbuf sealed, text;
    strbuf_init(&sealed, 8192);
    strbuf_init(&text, 16 * 1024);
    crypto_seal(edge_public, secret_reveal(key), secret_length(key), &sealed);
    text_add_base64(&text, sealed.data, sealed.length);
    json_add_text(writer, NULL, text.data);
    strbuf_fini(&text);
    strbuf_fini(&sealed);
}

static const char *seal_keys(struct maker *m, const struct tenant_file_channel *channel)
{
    struct strbuf out;
    struct json_writer writer;
    const uint8_t *edge_public = (const uint8_t *)secret_reveal(m->keys->edge_public);
    strbuf_init(&out, 256 * 1024);
    json_writer_init(&writer, &out);
    json_open_array(&writer, NULL);
    add_sealed(&writer, edge_public, channel->auth_token);
    for (size_t i = 0; i < channel->signing_key_count; i++)
        add_sealed(&writer, edge_public, channel->signing_keys[i]);
    json_close_array(&writer);
    const char *text = arena_strdup(m->arena, out.data);
    strbuf_fini(&out);
    return text;
}

static const char *wrap_token(struct maker *m, const struct tenant_channel *row,
                              const struct secret *token)
{
    struct strbuf wrapped;
    strbuf_init(&wrapped, 8192);
    crypto_wrap(m->keys->credentials, credential_channel_context(m->arena, &row->tenant, &row->id),
                secret_reveal(token), secret_length(token), &wrapped);
    const char *text = encoded(m->arena, &wrapped, false);
    strbuf_fini(&wrapped);
    return text;
}

static bool token_is_stored(struct maker *m, const struct tenant_channel *old,
                            const struct secret *token)
{
    struct secret *opened = NULL;
    struct err err;
    if (tenant_plan_open_token(old, m->keys->credentials, &opened, &err) != 0)
        return false;
    bool same = same_secret(opened, token);
    secret_free(&opened);
    return same;
}

/* The row of that address: the living one, else a removed one to revive. */
static const struct tenant_channel *find_row(const struct tenant_row *existing, const char *kind,
                                             const char *address)
{
    const struct tenant_channel *found = NULL;
    for (size_t i = 0; existing != NULL && i < existing->channel_count; i++) {
        const struct tenant_channel *row = &existing->channels[i];
        if (strcmp(row->kind, kind) == 0 && strcmp(row->address, address) == 0 &&
            (found == NULL || !row->removed))
            found = row;
    }
    return found;
}

static void compare_channel(struct maker *m, const struct tenant_file_channel *channel,
                            const struct json *old_marks, struct json_writer *marks)
{
    const struct tenant_channel *old = find_row(m->existing, channel->kind, channel->number);
    struct tenant_channel_plan *plan = &m->plan->channels[m->plan->channel_count++];
    const char *what = arena_printf(m->arena, "channel %s", channel->number);
    bool alive = old != NULL && !old->removed;
    const char *mark = edge_mark(m, channel);
    const char *old_mark = alive ? json_member_text(old_marks, channel->number) : NULL;
    plan->row = (struct tenant_channel){.tenant = m->plan->row.id,
                                        .id = old != NULL ? old->id : uuid_new(),
                                        .kind = channel->kind,
                                        .address = channel->number,
                                        .account_sid = channel->account_sid,
                                        .messaging_service_sid = channel->messaging_service_sid};
    bool same_token = alive && token_is_stored(m, old, channel->auth_token);
    bool same_edge = old_mark != NULL && strcmp(old_mark, mark) == 0;
    plan->row.credentials_hex =
        same_token ? old->credentials_hex : wrap_token(m, &plan->row, channel->auth_token);
    plan->row.edge_keys = same_edge ? old->edge_keys : seal_keys(m, channel);
    json_add_text(marks, channel->number, mark);
    if (!alive)
        note(m, TENANT_ADD, what, "", (const char *const[]){NULL, channel->kind});
    bool account =
        differs(m, what, "account_sid", alive ? old->account_sid : NULL, channel->account_sid);
    bool service =
        differs(m, what, "messaging_service_sid", alive ? old->messaging_service_sid : NULL,
                channel->messaging_service_sid);
    const char *const shown[] = {alive ? SECRET_SHOWN : NULL, SECRET_SHOWN};
    if (!same_token)
        note(m, alive ? TENANT_CHANGE : TENANT_ADD, what, "auth_token", shown);
    if (!same_edge)
        note(m, alive ? TENANT_CHANGE : TENANT_ADD, what, "signing_keys", shown);
    plan->edge_changed = !alive || account || !same_edge;
    plan->write = plan->edge_changed || service || !same_token;
}

static bool is_in_file(const struct tenant_file *file, const struct tenant_channel *row)
{
    for (size_t i = 0; i < file->channel_count; i++)
        if (strcmp(file->channels[i].kind, row->kind) == 0 &&
            strcmp(file->channels[i].number, row->address) == 0)
            return true;
    return false;
}

static void remove_missing(struct maker *m)
{
    for (size_t i = 0; m->existing != NULL && i < m->existing->channel_count; i++) {
        const struct tenant_channel *row = &m->existing->channels[i];
        if (row->removed || is_in_file(m->file, row))
            continue;
        m->plan->channels[m->plan->channel_count++] =
            (struct tenant_channel_plan){.row = *row, .remove = true};
        note(m, TENANT_REMOVE, arena_printf(m->arena, "channel %s", row->address), "",
             (const char *const[]){row->kind, NULL});
    }
}

/* Channels, and the settings that hold their marks beside the policy. */
static void compare_channels(struct maker *m)
{
    struct json *stored = NULL;
    struct err err;
    struct strbuf settings;
    struct json_writer writer;
    int64_t days = -1;
    if (m->existing != NULL)
        (void)json_parse(m->existing->settings, strlen(m->existing->settings), &stored, &err);
    const struct json *policy = stored != NULL ? json_member(stored, "policy") : NULL;
    (void)json_member_int(policy, "retention_days", 0, INT32_MAX, &days);
    strbuf_init(&settings, 256 * 1024);
    json_writer_init(&writer, &settings);
    json_open_object(&writer, NULL);
    json_open_object(&writer, "policy");
    json_add_int(&writer, "retention_days", m->file->retention_days);
    json_close_object(&writer);
    json_open_object(&writer, "edge_marks");
    for (size_t i = 0; i < m->file->channel_count; i++)
        compare_channel(m, &m->file->channels[i],
                        stored != NULL ? json_member(stored, "edge_marks") : NULL, &writer);
    json_close_object(&writer);
    json_close_object(&writer);
    remove_missing(m);
    m->plan->row.settings = arena_strdup(m->arena, settings.data);
    m->plan->tenant_changed |= differs(m, "tenant", "policy.retention_days",
                                       days >= 0 ? number_text(m->arena, days) : NULL,
                                       number_text(m->arena, m->file->retention_days));
    for (size_t i = 0; i < m->plan->channel_count; i++)
        m->plan->tenant_changed |= m->plan->channels[i].edge_changed || m->plan->channels[i].remove;
    strbuf_fini(&settings);
    json_free(&stored);
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
    compare_channels(&m);
}
