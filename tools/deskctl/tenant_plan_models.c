/* The chain of models' part of a plan. Entries are compared by their position: the chain is an
 * order, and an entry that moves is another one there. */
#include "tenant_maker.h"

#include <string.h>

#include "base/text.h"
#include "crypto/crypto.h"
#include "store/credential.h"

#define FIELDS_COUNT 17

/* ---- fields ---- */

static const char *price(struct arena *arena, int64_t value)
{
    return value < 0 ? NULL : maker_number(arena, value);
}

static const char *headers_text(struct arena *arena, const struct tenant_file_model *model)
{
    struct strbuf out;
    struct json_writer writer;
    if (model->header_count == 0)
        return NULL;
    strbuf_init(&out, 64 * 1024);
    json_writer_init(&writer, &out);
    json_open_array(&writer, NULL);
    for (size_t i = 0; i < model->header_count; i++)
        json_add_text(&writer, NULL, model->headers[i]);
    json_close_array(&writer);
    const char *text = arena_strdup(arena, out.data);
    strbuf_fini(&out);
    return text;
}

/* In the order in which they are written; the wrapped key follows. */
static void fields_of(struct arena *arena, const struct tenant_file_model *model,
                      struct maker_field fields[FIELDS_COUNT])
{
    const struct maker_field list[FIELDS_COUNT] = {
        {"vendor", model->vendor, false},
        {"dialect", model->dialect, false},
        {"base_url", model->base_url, false},
        {"model", model->model, false},
        {"auth", model->auth, false},
        {"headers", headers_text(arena, model), true},
        {"extra", model->extra, true},
        {"stream_usage", model->stream_usage ? NULL : "false", true},
        {"echo_reasoning", model->echo_reasoning ? "true" : NULL, true},
        {"temperature", maker_hundredths(arena, model->temperature_hundredths), true},
        {"max_tokens", maker_number(arena, model->max_tokens), true},
        {"max_completion_tokens", model->max_completion_tokens ? "true" : "false", true},
        {"first_token_ms", maker_number(arena, model->first_token_ms), true},
        {"total_ms", maker_number(arena, model->total_ms), true},
        {"price_in", price(arena, model->price_in), true},
        {"price_cached", price(arena, model->price_cached), true},
        {"price_out", price(arena, model->price_out), true},
    };
    memcpy(fields, list, sizeof list);
}

/* ---- the key ---- */

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

static const char *stored_key(const struct json *stored)
{
    const char *text = json_member_text(stored, "key_wrapped");
    return text != NULL && *text != '\0' ? text : NULL;
}

/* The wrapped key for the new version: the stored one if it opens to the file's key. */
static const char *wrap_key(struct maker *m, const char *stored, const struct secret *key)
{
    struct strbuf bytes;
    const char *result;
    const char *context =
        credential_model_context(m->arena, &m->plan->row.id, &m->plan->row.assistant);
    if (key == NULL)
        return NULL;
    strbuf_init(&bytes, 16 * 1024);
    if (stored != NULL && text_decode_base64(stored, strlen(stored), &bytes) &&
        opens_to(m->keys->credentials, context, &bytes, key)) {
        result = arena_strdup(m->arena, stored);
    } else {
        strbuf_clear(&bytes);
        crypto_wrap(m->keys->credentials, context, secret_reveal(key), secret_length(key), &bytes);
        result = maker_encode(m->arena, &bytes, true);
    }
    strbuf_fini(&bytes);
    return result;
}

static bool key_differs(struct maker *m, const char *field, const char *before, const char *after)
{
    if (before != NULL && after != NULL && strcmp(before, after) != 0) {
        const char *const pair[] = {SECRET_SHOWN, SECRET_SHOWN};
        maker_note(m, TENANT_CHANGE, "assistant", field, pair);
        return true;
    }
    return maker_differs(m, "assistant", field, before != NULL ? SECRET_SHOWN : NULL,
                         after != NULL ? SECRET_SHOWN : NULL);
}

/* ---- the chain ---- */

static const char *entry_name(struct maker *m, size_t index)
{
    return arena_printf(m->arena, "models[%zu]", index + 1);
}

static const char *summary(struct maker *m, const char *model, const char *base_url)
{
    return arena_printf(m->arena, "%s at %s", model != NULL ? model : "(none)",
                        base_url != NULL ? base_url : "(nowhere)");
}

static bool compare_entry(struct maker *m, size_t index, const struct json *stored, const char *key)
{
    struct maker_field fields[FIELDS_COUNT];
    const struct tenant_file_model *model = &m->file->models[index];
    const char *name = entry_name(m, index);
    bool changed = false;
    if (stored == NULL)
        return maker_differs(m, "assistant", name, NULL, summary(m, model->model, model->base_url));
    fields_of(m->arena, model, fields);
    for (size_t i = 0; i < FIELDS_COUNT; i++)
        changed |=
            maker_differs(m, "assistant", arena_printf(m->arena, "%s.%s", name, fields[i].name),
                          maker_stored(m->arena, stored, fields[i].name), fields[i].value);
    changed |= key_differs(m, arena_printf(m->arena, "%s.key", name), stored_key(stored), key);
    return changed;
}

bool maker_compare_models(struct maker *m, const struct json *stored,
                          const char *keys[TENANT_MODELS_MAX])
{
    const struct json *entry = json_first(stored);
    size_t index = 0;
    bool changed = false;
    for (; index < m->file->model_count; index++, entry = json_next(entry)) {
        keys[index] = wrap_key(m, stored_key(entry), m->file->models[index].key);
        changed |= compare_entry(m, index, entry, keys[index]);
    }
    for (; entry != NULL; index++, entry = json_next(entry))
        changed |= maker_differs(
            m, "assistant", entry_name(m, index),
            summary(m, json_member_text(entry, "model"), json_member_text(entry, "base_url")),
            NULL);
    return changed;
}

void maker_write_models(struct maker *m, const char *const *keys, struct json_writer *writer)
{
    json_open_array(writer, "models");
    for (size_t i = 0; i < m->file->model_count; i++) {
        struct maker_field fields[FIELDS_COUNT];
        fields_of(m->arena, &m->file->models[i], fields);
        json_open_object(writer, NULL);
        maker_add_fields(writer, fields, FIELDS_COUNT);
        if (keys[i] != NULL)
            json_add_text(writer, "key_wrapped", keys[i]);
        json_close_object(writer);
    }
    json_close_array(writer);
}
