/* `deskctl vendor list|show`: what the vendors' files say, as `tenant apply` understands it. */
#include <inttypes.h>
#include <stdio.h>
#include <string.h>

#include "command.h"
#include "files.h"
#include "vendor_file.h"
#include "json/json.h"

/* ---- reading ---- */

/* Returns 0, or an exit code after saying what is wrong. */
static int read_vendors(struct desk *desk, struct vendors *vendors)
{
    struct problems problems;
    struct err err;
    const char *dir = NULL;
    if (files_vendors_dir(desk->arena, desk->settings.vendors_dir, &dir, &err) != 0)
        return desk_fail(&err);
    problems_init(&problems, desk->arena, dir);
    vendor_file_read(&problems, dir, vendors);
    size_t count = problems.count;
    if (count > 0) {
        fputs(problems.text.data, stderr);
        desk_note("deskctl: %zu problem%s", count, count == 1 ? "" : "s");
    }
    strbuf_fini(&problems.text);
    return count > 0 ? DESK_FAILED : 0;
}

/* ---- all ---- */

static const struct table_column list_columns[] = {
    {"name", TABLE_TEXT},          {"dialect", TABLE_TEXT}, {"base_url", TABLE_TEXT},
    {"default_model", TABLE_TEXT}, {"priced", TABLE_TEXT},
};

static int run_list(struct desk *desk, const struct words *words)
{
    (void)words;
    struct vendors vendors = {.count = 0};
    int code = read_vendors(desk, &vendors);
    if (code != 0)
        return code;
    struct table *table =
        table_new(desk->arena, list_columns, sizeof list_columns / sizeof list_columns[0]);
    for (size_t i = 0; i < vendors.count; i++) {
        const struct vendor *vendor = &vendors.items[i];
        const char *cells[] = {vendor->name, vendor->dialect, vendor->base_url,
                               vendor->default_model, vendor->priced};
        table_add(table, cells);
    }
    return desk_print_table(desk, table, "no vendors: the folder holds no NAME.yaml");
}

/* ---- one, for people ---- */

static const struct table_column model_columns[] = {
    {"model", TABLE_TEXT},  {"input", TABLE_TEXT}, {"cached", TABLE_TEXT},
    {"output", TABLE_TEXT}, {"window", TABLE_INT}, {"note", TABLE_TEXT},
};

/* Dollars per million tokens; NULL if unknown. */
static const char *price(struct arena *arena, int64_t value)
{
    return value < 0 ? NULL
                     : arena_printf(arena, "%" PRId64 ".%04" PRId64, value / 10000, value % 10000);
}

static void print_models(struct desk *desk, const struct vendor *vendor, struct strbuf *out)
{
    struct table *table =
        table_new(desk->arena, model_columns, sizeof model_columns / sizeof model_columns[0]);
    for (size_t i = 0; i < vendor->model_count; i++) {
        const struct vendor_model *model = &vendor->models[i];
        const char *cells[] = {
            model->model,
            price(desk->arena, model->input),
            price(desk->arena, model->cached),
            price(desk->arena, model->output),
            model->window > 0 ? arena_printf(desk->arena, "%" PRId64, model->window) : NULL,
            model->note,
        };
        table_add(table, cells);
    }
    if (vendor->priced != NULL)
        strbuf_printf(out, "models (US dollars per million tokens, as of %s)\n", vendor->priced);
    else
        strbuf_add_text(out, "models\n");
    table_print(table, false, "none is listed: name one in the tenant file", out);
}

static void print_vendor(struct desk *desk, const struct vendor *vendor, struct strbuf *out)
{
    bool openai = strcmp(vendor->dialect, "openai") == 0;
    strbuf_printf(out, "%s (", vendor->name);
    table_add_safe(out, vendor->display_name, false, 0);
    strbuf_printf(out, ")\n  dialect %s at %s\n", vendor->dialect, vendor->base_url);
    if (strcmp(vendor->auth, "none") == 0)
        strbuf_add_text(out, "  takes no key\n");
    else
        strbuf_printf(out, "  key %s, sent as %s; key: %s\n",
                      vendor->key_required ? "needed" : "not needed", vendor->auth,
                      vendor_file_key_reference(desk->arena, vendor));
    for (size_t i = 0; i < vendor->header_count; i++)
        strbuf_printf(out, "  header %s\n", vendor->headers[i]);
    if (openai)
        strbuf_printf(out, "  limit %s%s%s\n",
                      vendor->max_completion_tokens ? "max_completion_tokens" : "max_tokens",
                      vendor->stream_usage ? "" : ", asked for no usage",
                      vendor->echo_reasoning ? ", gets reasoning_content back" : "");
    if (!vendor->temperature)
        strbuf_add_text(out, "  takes no temperature\n");
    if (vendor->requests_per_minute > 0)
        strbuf_printf(out, "  at most %" PRId64 " requests a minute\n",
                      vendor->requests_per_minute);
    if (vendor->tokens_per_minute > 0)
        strbuf_printf(out, "  at most %" PRId64 " tokens a minute\n", vendor->tokens_per_minute);
    if (vendor->concurrent > 0)
        strbuf_printf(out, "  at most %" PRId64 " calls at once\n", vendor->concurrent);
    if (vendor->window > 0)
        strbuf_printf(out, "  window %" PRId64 " tokens, unless a model's is known\n",
                      vendor->window);
    if (vendor->extra != NULL)
        strbuf_printf(out, "  extra %s\n", vendor->extra);
    strbuf_printf(out, "  default model %s\n",
                  vendor->default_model != NULL ? vendor->default_model : "none");
    print_models(desk, vendor, out);
}

/* ---- one, for scripts ---- */

static void write_price(struct json_writer *writer, struct arena *arena, const char *name,
                        int64_t value)
{
    const char *text = price(arena, value);
    json_add_raw(writer, name, text != NULL ? text : "null");
}

static void write_model(struct json_writer *writer, struct arena *arena,
                        const struct vendor_model *model)
{
    json_open_object(writer, NULL);
    json_add_text(writer, "model", model->model);
    write_price(writer, arena, "input", model->input);
    write_price(writer, arena, "cached", model->cached);
    if (model->cache_write > 0)
        write_price(writer, arena, "cache_write", model->cache_write);
    write_price(writer, arena, "output", model->output);
    if (model->window > 0)
        json_add_int(writer, "window", model->window);
    if (*model->note != '\0')
        json_add_text(writer, "note", model->note);
    json_close_object(writer);
}

static void write_vendor(struct desk *desk, const struct vendor *vendor, struct strbuf *out)
{
    struct json_writer writer;
    json_writer_init(&writer, out);
    json_open_object(&writer, NULL);
    json_add_text(&writer, "name", vendor->name);
    json_add_text(&writer, "display_name", vendor->display_name);
    json_add_text(&writer, "dialect", vendor->dialect);
    json_add_text(&writer, "base_url", vendor->base_url);
    json_add_text(&writer, "auth", vendor->auth);
    json_add_bool(&writer, "key_required", vendor->key_required);
    json_open_array(&writer, "headers");
    for (size_t i = 0; i < vendor->header_count; i++)
        json_add_text(&writer, NULL, vendor->headers[i]);
    json_close_array(&writer);
    json_add_bool(&writer, "max_completion_tokens", vendor->max_completion_tokens);
    json_add_bool(&writer, "temperature", vendor->temperature);
    json_add_bool(&writer, "stream_usage", vendor->stream_usage);
    json_add_bool(&writer, "echo_reasoning", vendor->echo_reasoning);
    json_add_raw(&writer, "extra", vendor->extra != NULL ? vendor->extra : "null");
    if (vendor->requests_per_minute > 0)
        json_add_int(&writer, "requests_per_minute", vendor->requests_per_minute);
    if (vendor->tokens_per_minute > 0)
        json_add_int(&writer, "tokens_per_minute", vendor->tokens_per_minute);
    if (vendor->concurrent > 0)
        json_add_int(&writer, "concurrent", vendor->concurrent);
    if (vendor->window > 0)
        json_add_int(&writer, "window", vendor->window);
    json_add_text(&writer, "default_model", vendor->default_model);
    json_add_text(&writer, "priced", vendor->priced);
    json_open_array(&writer, "models");
    for (size_t i = 0; i < vendor->model_count; i++)
        write_model(&writer, desk->arena, &vendor->models[i]);
    json_close_array(&writer);
    json_close_object(&writer);
    strbuf_add_char(out, '\n');
}

static int run_show(struct desk *desk, const struct words *words)
{
    struct vendors vendors = {.count = 0};
    struct strbuf out;
    struct err err;
    int code = read_vendors(desk, &vendors);
    if (code != 0)
        return code;
    const struct vendor *vendor = vendor_file_find(&vendors, words->operands[0]);
    if (vendor == NULL) {
        err_set(&err, ERR_PERMANENT, "vendor.not_found",
                "there is no vendor \"%.60s\"; `deskctl vendor list` shows all",
                words->operands[0]);
        return desk_fail(&err);
    }
    strbuf_init(&out, DESK_OUTPUT_MAX);
    if (desk->json)
        write_vendor(desk, vendor, &out);
    else
        print_vendor(desk, vendor, &out);
    return desk_print(&out);
}

const struct command command_vendor[] = {
    {"vendor list", "", "the vendors of models that there are files of",
     "A vendor is a file NAME.yaml in deploy/vendors (or --vendors_dir=DIR); openai.yaml explains\n"
     "the notation. All of them are checked.",
     NULL, 0, 0, run_list},
    {"vendor show", "NAME", "one vendor with its models and their prices", NULL, NULL, 1, 1,
     run_show},
    {.words = NULL},
};
