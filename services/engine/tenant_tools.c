/* Reading the HTTP tools of an assistant's version. deskctl checked them when the file was applied;
 * here nothing is taken on trust, because the row may be another release's. assistants.c calls it
 * and opens the keys. */
#include "tenant_tools.h"

#include "tool/http_tool.h"

#include <string.h>

#define SCHEMA_BYTES_MAX 16384
#define LIMIT_MAX_MS     30000

static int bad(struct err *err, const char *what)
{
    return err_set(err, ERR_PERMANENT, "assistant.http_tool", "%s", what);
}

/* The name goes to the model's provider, which refuses all tools for one that it does not like. */
static bool is_name(const char *name)
{
    static const char first[] = "abcdefghijklmnopqrstuvwxyzABCDEFGHIJKLMNOPQRSTUVWXYZ_";
    static const char rest[] = "abcdefghijklmnopqrstuvwxyzABCDEFGHIJKLMNOPQRSTUVWXYZ_0123456789-";
    return name != NULL && name[0] != '\0' && strchr(first, name[0]) != NULL &&
           strspn(name, rest) == strlen(name) && strlen(name) <= HTTP_TOOL_NAME_MAX;
}

static int read_schema(const struct json *schema, struct json_schema **out, struct err *err)
{
    const char *type = json_member_text(schema, "type");
    struct err why;
    if (type == NULL || strcmp(type, "object") != 0)
        return bad(err, "a schema is not one of an object");
    if (json_schema_read(schema, out, &why) != 0)
        return bad(err, why.message);
    return 0;
}

static int read_text(struct arena *arena, const struct json *schema, const char **out,
                     struct err *err)
{
    struct strbuf text;
    strbuf_init(&text, SCHEMA_BYTES_MAX);
    json_print(schema, &text);
    bool whole = !text.overflow;
    if (whole)
        *out = arena_strndup(arena, text.data, text.length);
    strbuf_fini(&text);
    return whole ? 0 : bad(err, "its parameters are too long");
}

int tenant_tool_read(struct arena *arena, const struct json *entry, struct tenant_tool *out,
                     struct err *err)
{
    const char *name = json_member_text(entry, "name"), *url = json_member_text(entry, "url");
    const char *description = json_member_text(entry, "description");
    const struct json *answer = json_member(entry, "result");
    struct tenant_tool tool = {.limit_ms = HTTP_TOOL_LIMIT_DEFAULT_MS,
                               .changes = json_member_bool(entry, "changes", true)};
    if (!is_name(name) || url == NULL || description == NULL)
        return bad(err, "it lacks a name that models take, a description or a url");
    json_member_int(entry, "timeout_ms", 100, LIMIT_MAX_MS, &tool.limit_ms);
    if (read_schema(json_member(entry, "parameters"), &tool.arguments, err) != 0 ||
        (answer != NULL && read_schema(answer, &tool.answer, err) != 0) ||
        read_text(arena, json_member(entry, "parameters"), &tool.parameters, err) != 0) {
        tenant_tool_fini(&tool);
        return -1;
    }
    tool.name = arena_strdup(arena, name);
    tool.url = arena_strdup(arena, url);
    tool.description = arena_strdup(arena, description);
    *out = tool;
    return 0;
}

void tenant_tool_fini(struct tenant_tool *tool)
{
    json_schema_free(&tool->arguments);
    json_schema_free(&tool->answer);
    secret_free(&tool->key);
}
