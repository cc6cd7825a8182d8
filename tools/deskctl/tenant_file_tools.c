/* `http_tools:` of a tenant file: what the assistant may ask or do at the business's own services.
 */
#include <stdio.h>
#include <string.h>

#include "tenant_file.h"
#include "tenant_section.h"
#include "yaml_json.h"
#include "json/schema.h"

#define AT(member)       offsetof(struct tool, member)
#define TOOL_NAME_MAX    41
#define SCHEMA_BYTES_MAX 8000
#define SCHEMA_DEPTH_MAX 10

struct tool {
    const char *name, *description, *url;
    struct secret *secret;
    int64_t timeout;
    bool changes;
    const struct yaml_node *parameters, *result;
};

static const struct field tool_fields[] = {
    {"name", FIELD_IDENT, AT(name), 0, TOOL_NAME_MAX, true, NULL},
    {"description", FIELD_TEXT, AT(description), 1, 500, true, NULL},
    {"url", FIELD_ENDPOINT, AT(url), 0, 0, true, NULL},
    {"secret", FIELD_SECRET, AT(secret), 0, 0, true, NULL},
    {"timeout", FIELD_MS, AT(timeout), 1000, 30000, false, NULL},
    {"changes", FIELD_BOOL, AT(changes), 0, 0, true, NULL},
    {"parameters", FIELD_MAPPING, AT(parameters), 0, 0, true, NULL},
    {"result", FIELD_MAPPING, AT(result), 0, 0, false, NULL},
};

#define FIELD_COUNT (sizeof tool_fields / sizeof tool_fields[0])

/* The child that a way begins with ("properties.n", "[2]"), which is then behind it; NULL: none. */
static const struct yaml_node *step(const struct yaml_node *node, const char **way)
{
    const struct yaml_node *found = NULL;
    const char *from = *way + (**way == '.' ? 1 : 0);
    size_t length = 0, index = 0;
    for (const struct yaml_node *child = node->first; child != NULL; child = child->next) {
        char number[32];
        snprintf(number, sizeof number, "[%zu]", index++);
        const char *name = child->key != NULL ? child->key : number;
        const size_t size = strlen(name);
        if (size > length && strncmp(from, name, size) == 0 && strchr(".[:", from[size]) != NULL) {
            found = child;
            length = size;
        }
    }
    *way = from + length;
    return found;
}

/* The line of the place that a refusal begins with, as far as it is told: a long way is cut. */
static int line_of_place(const struct yaml_node *schema, const char *refusal)
{
    const struct yaml_node *at = schema, *next;
    while ((next = step(at, &refusal)) != NULL)
        at = next;
    return at->line;
}

/* A model calls a tool with an object and is told one; what the schema says must be what the engine
 * checks by. */
static void check_schema(struct section *section, const struct yaml_node *schema, const char *text)
{
    const char *type = yaml_get_text(schema, "type");
    struct json_schema *read = NULL;
    struct json *json = NULL;
    struct err err;
    if (type == NULL || strcmp(type, "object") != 0)
        problems_add(section->problems, schema->line,
                     "%s: must be a JSON Schema of an object; add type: object", schema->key);
    else if (json_parse(text, strlen(text), &json, &err) == 0 &&
             json_schema_read(json, &read, &err) != 0)
        problems_add(section->problems, line_of_place(schema, err.message), "%s: %s", schema->key,
                     err.message);
    json_schema_free(&read);
    json_free(&json);
}

static void write_schema(struct section *section, const struct yaml_node *schema)
{
    struct json_writer writer;
    const struct yaml_json to = {section->problems, schema != NULL ? schema->key : "",
                                 SCHEMA_DEPTH_MAX, &writer};
    struct strbuf text;
    if (schema == NULL)
        return;
    strbuf_init(&text, SCHEMA_BYTES_MAX);
    json_writer_init(&writer, &text);
    bool whole = yaml_json_write(&to, NULL, schema);
    if (whole && !text.overflow)
        check_schema(section, schema, text.data);
    if (text.overflow)
        problems_add(section->problems, schema->line,
                     "%s: is more than %d bytes as JSON; shorten it", schema->key,
                     SCHEMA_BYTES_MAX);
    json_add_raw(section->writer, schema->key, text.data);
    strbuf_fini(&text);
}

static void check_name(struct section *section, const struct yaml_node *entry, const char *name)
{
    for (const char *const *own = section_tools; name != NULL && *own != NULL; own++)
        if (strcmp(*own, name) == 0)
            problems_add(section->problems, yaml_get(entry, "name")->line,
                         "name: %s is a tool of Frontdesk's own; name this one otherwise", name);
}

/* The secret is wrapped when it is known for whom: tenant_plan writes it. */
void section_read_http_tools(struct section *section, const struct yaml_node *node)
{
    struct tenant_file *file = section->file;
    json_open_array(section->writer, NULL);
    for (const struct yaml_node *entry = node->first; entry != NULL; entry = entry->next) {
        struct tool tool = {.timeout = 10000};
        fields_read(section->problems, entry, "an HTTP tool", tool_fields, FIELD_COUNT, &tool);
        file->tool_secrets[file->tool_count++] = tool.secret;
        section_check_unique(section, node, entry, "name", "name");
        check_name(section, entry, tool.name);
        json_open_object(section->writer, NULL);
        section_write_fields(section, tool_fields, FIELD_COUNT, &tool);
        write_schema(section, tool.parameters);
        write_schema(section, tool.result);
        json_close_object(section->writer);
    }
    json_close_array(section->writer);
}
