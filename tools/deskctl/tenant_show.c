/* What is in the database about tenants, without anything secret: not even wrapped. */
#include "tenant_show.h"

#include <inttypes.h>
#include <stdio.h>
#include <string.h>

#include "store/tenant.h"
#include "json/json.h"

static const struct table_column list_columns[] = {
    {"name", TABLE_TEXT},       {"display_name", TABLE_TEXT}, {"timezone", TABLE_TEXT},
    {"numbers", TABLE_TEXT},    {"assistant", TABLE_INT},     {"published", TABLE_BOOL},
    {"updated_at", TABLE_TEXT},
};

static void add_tenant(struct desk *desk, struct table *table, const struct tenant_row *row)
{
    const char *numbers = "";
    bool published = true;
    for (size_t i = 0; i < row->channel_count; i++) {
        const struct tenant_channel *channel = &row->channels[i];
        published = published && channel->published_version == channel->directory_version;
        if (!channel->removed)
            numbers = arena_printf(desk->arena, "%s%s%s", numbers, *numbers != '\0' ? " " : "",
                                   channel->address);
    }
    const char *cells[] = {row->name,
                           row->display_name,
                           row->timezone,
                           numbers,
                           arena_printf(desk->arena, "%" PRId64, row->version),
                           published ? "true" : "false",
                           row->updated_at};
    table_add(table, cells);
}

int tenant_show_list(struct desk *desk, const struct words *words)
{
    (void)words;
    struct pg_session *session = NULL;
    struct tenant_row *rows = NULL;
    struct err err;
    size_t count = 0;
    if (desk_begin(desk, &session, &err) != 0 ||
        tenant_list(session, desk->arena, &rows, &count, &err) != 0)
        return desk_fail(&err);
    desk_rollback(desk);
    struct table *table =
        table_new(desk->arena, list_columns, sizeof list_columns / sizeof list_columns[0]);
    for (size_t i = 0; i < count; i++)
        add_tenant(desk, table, &rows[i]);
    return desk_print_table(desk, table, "no tenants yet: deskctl tenant apply FILE...");
}

static void print_value(const struct json *value, const char *name, int depth, struct strbuf *out);

/* The items of an array are named by their position, as `tenant apply` names what changes. */
static void print_children(const struct json *value, int depth, struct strbuf *out)
{
    size_t position = 1;
    for (const struct json *item = json_first(value); item != NULL; item = json_next(item)) {
        char number[24];
        snprintf(number, sizeof number, "[%zu]", position++);
        print_value(item, json_name(item) != NULL ? json_name(item) : number, depth, out);
    }
}

static void print_value(const struct json *value, const char *name, int depth, struct strbuf *out)
{
    bool secret = strcmp(name, "key_wrapped") == 0 || strcmp(name, "edge_marks") == 0;
    strbuf_printf(out, "%*s%s:", depth * 2, "", name);
    if (secret) {
        strbuf_add_text(out, " (secret)\n");
        return;
    }
    if (json_type(value) == JSON_OBJECT || json_type(value) == JSON_ARRAY) {
        strbuf_add_char(out, '\n');
        print_children(value, depth + 1, out);
        return;
    }
    struct strbuf text;
    strbuf_init(&text, 64 * 1024);
    if (json_type(value) == JSON_STRING)
        strbuf_add_text(&text, json_text(value));
    else
        json_print(value, &text);
    strbuf_add_char(out, ' ');
    table_add_safe(out, text.data, true, depth * 2 + 2);
    strbuf_add_char(out, '\n');
    strbuf_fini(&text);
}

static void print_json_text(const char *json, const char *name, struct strbuf *out)
{
    struct json *document = NULL;
    struct err err;
    if (json == NULL || json_parse(json, strlen(json), &document, &err) != 0)
        return;
    print_value(document, name, 0, out);
    json_free(&document);
}

static void print_tenant(const struct tenant_row *row, struct strbuf *out)
{
    char id[UUID_TEXT_SIZE];
    strbuf_printf(out, "%s (%s)\n  id %s\n  timezone %s, language %s, updated %s\n", row->name,
                  row->display_name, uuid_format(&row->id, id), row->timezone, row->language,
                  row->updated_at);
    for (size_t i = 0; i < row->channel_count; i++) {
        const struct tenant_channel *channel = &row->channels[i];
        strbuf_printf(
            out, "  %s %s%s, account %s%s%s, directory version %" PRId64 "%s\n", channel->kind,
            channel->address, channel->removed ? " (removed)" : "", channel->account_sid,
            channel->messaging_service_sid != NULL ? ", service " : "",
            channel->messaging_service_sid != NULL ? channel->messaging_service_sid : "",
            channel->directory_version,
            channel->published_version == channel->directory_version ? "" : " (not published yet)");
    }
    strbuf_printf(out, "assistant version %" PRId64 "\n", row->version);
    print_json_text(row->config, "config", out);
    print_json_text(row->settings, "settings", out);
}

/* Parsed and written again without what even a wrapped secret should not leave by. */
static void add_public(struct json_writer *writer, const char *name, const struct json *value)
{
    if (name != NULL && (strcmp(name, "key_wrapped") == 0 || strcmp(name, "edge_marks") == 0))
        return;
    if (json_type(value) == JSON_OBJECT) {
        json_open_object(writer, name);
        for (const struct json *item = json_first(value); item != NULL; item = json_next(item))
            add_public(writer, json_name(item), item);
        json_close_object(writer);
    } else if (json_type(value) == JSON_ARRAY) {
        json_open_array(writer, name);
        for (const struct json *item = json_first(value); item != NULL; item = json_next(item))
            add_public(writer, NULL, item);
        json_close_array(writer);
    } else {
        struct strbuf text;
        strbuf_init(&text, 256 * 1024);
        json_print(value, &text);
        json_add_raw(writer, name, text.data);
        strbuf_fini(&text);
    }
}

static void add_json_text(struct json_writer *writer, const char *name, const char *json)
{
    struct json *document = NULL;
    struct err err;
    if (json == NULL || json_parse(json, strlen(json), &document, &err) != 0)
        return;
    add_public(writer, name, document);
    json_free(&document);
}

static void write_tenant(const struct tenant_row *row, struct strbuf *out)
{
    char id[UUID_TEXT_SIZE];
    struct json_writer writer;
    json_writer_init(&writer, out);
    json_open_object(&writer, NULL);
    json_add_text(&writer, "id", uuid_format(&row->id, id));
    json_add_text(&writer, "name", row->name);
    json_add_text(&writer, "display_name", row->display_name);
    json_add_text(&writer, "timezone", row->timezone);
    json_add_text(&writer, "language", row->language);
    json_add_int(&writer, "assistant_version", row->version);
    json_open_array(&writer, "channels");
    for (size_t i = 0; i < row->channel_count; i++) {
        const struct tenant_channel *channel = &row->channels[i];
        json_open_object(&writer, NULL);
        json_add_text(&writer, "id", uuid_format(&channel->id, id));
        json_add_text(&writer, "kind", channel->kind);
        json_add_text(&writer, "address", channel->address);
        json_add_text(&writer, "account_sid", channel->account_sid);
        json_add_text(&writer, "messaging_service_sid", channel->messaging_service_sid);
        json_add_int(&writer, "directory_version", channel->directory_version);
        json_add_int(&writer, "published_version", channel->published_version);
        json_add_bool(&writer, "removed", channel->removed);
        json_close_object(&writer);
    }
    json_close_array(&writer);
    add_json_text(&writer, "config", row->config);
    add_json_text(&writer, "settings", row->settings);
    json_close_object(&writer);
    strbuf_add_char(out, '\n');
}

int tenant_show_one(struct desk *desk, const struct words *words)
{
    struct pg_session *session = NULL;
    struct tenant_row *row = NULL;
    struct strbuf out;
    struct err err;
    const char *name = words->operands[0];
    if (desk_begin(desk, &session, &err) != 0 ||
        tenant_find(session, desk->arena, name, &row, &err) != 0)
        return desk_fail(&err);
    desk_rollback(desk);
    if (row == NULL) {
        err_set(&err, ERR_PERMANENT, "tenant.not_found",
                "there is no tenant \"%.60s\"; `deskctl tenant list` shows all", name);
        return desk_fail(&err);
    }
    strbuf_init(&out, DESK_OUTPUT_MAX);
    if (desk->json)
        write_tenant(row, &out);
    else
        print_tenant(row, &out);
    return desk_print(&out);
}
