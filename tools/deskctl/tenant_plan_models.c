/* The chain of models' part of a plan: its entries as they are stored. A key is compared with the
 * stored one of its place. */
#include "tenant_maker.h"

#include <string.h>

#define FIELDS_COUNT 23

/* ---- fields ---- */

static const char *not_negative(struct arena *arena, int64_t value)
{
    return value < 0 ? NULL : maker_number(arena, value);
}

/* 0 is written as nothing. */
static const char *at_least_one(struct arena *arena, int64_t value)
{
    return value > 0 ? maker_number(arena, value) : NULL;
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
        {"race_after_ms", not_negative(arena, model->race_after_ms), true},
        {"price_in", not_negative(arena, model->price_in), true},
        {"price_cached", not_negative(arena, model->price_cached), true},
        {"price_written", at_least_one(arena, model->price_written), true},
        {"price_out", not_negative(arena, model->price_out), true},
        {"window", at_least_one(arena, model->window), true},
        {"requests_per_minute", at_least_one(arena, model->requests_per_minute), true},
        {"tokens_per_minute", at_least_one(arena, model->tokens_per_minute), true},
        {"concurrent", at_least_one(arena, model->concurrent), true},
    };
    memcpy(fields, list, sizeof list);
}

/* ---- the chain ---- */

void maker_write_models(struct maker *m, const struct json *stored, struct json_writer *writer)
{
    const struct json *entry = json_first(stored);
    json_open_array(writer, "models");
    for (size_t i = 0; i < m->file->model_count; i++, entry = json_next(entry)) {
        struct maker_field fields[FIELDS_COUNT];
        const char *key =
            maker_wrap_key(m, json_member_text(entry, "key_wrapped"), m->file->models[i].key);
        fields_of(m->arena, &m->file->models[i], fields);
        json_open_object(writer, NULL);
        maker_add_fields(writer, fields, FIELDS_COUNT);
        if (key != NULL)
            json_add_text(writer, "key_wrapped", key);
        json_close_object(writer);
    }
    json_close_array(writer);
}
