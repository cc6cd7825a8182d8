/* The HTTP tools' part of a plan: their secrets join what the file says of them. */
#include "tenant_maker.h"

#include <string.h>

#define MEMBER_BYTES_MAX (64 * 1024)

static const char *stored_key(const struct json *stored, const char *tool)
{
    for (const struct json *entry = json_first(stored); entry != NULL; entry = json_next(entry)) {
        const char *name = json_member_text(entry, "name");
        if (name != NULL && strcmp(name, tool) == 0)
            return json_member_text(entry, "key_wrapped");
    }
    return NULL;
}

static void write_members(struct json_writer *writer, const struct json *entry)
{
    struct strbuf text;
    strbuf_init(&text, MEMBER_BYTES_MAX);
    for (const struct json *item = json_first(entry); item != NULL; item = json_next(item)) {
        strbuf_clear(&text);
        json_print(item, &text);
        json_add_raw(writer, json_name(item), text.data);
    }
    strbuf_fini(&text);
}

void maker_write_tools(struct maker *m, const char *section, const struct json *stored,
                       struct json_writer *writer)
{
    struct json *tools = NULL;
    struct err err;
    size_t index = 0;
    if (json_parse(section, strlen(section), &tools, &err) != 0)
        return;
    json_open_array(writer, "http_tools");
    for (const struct json *entry = json_first(tools); entry != NULL; entry = json_next(entry)) {
        const char *name = json_member_text(entry, "name");
        const char *key = maker_wrap_key(m, stored_key(stored, name != NULL ? name : ""),
                                         m->file->tool_secrets[index++]);
        json_open_object(writer, NULL);
        write_members(writer, entry);
        if (key != NULL)
            json_add_text(writer, "key_wrapped", key);
        json_close_object(writer);
    }
    json_close_array(writer);
    json_free(&tools);
}
