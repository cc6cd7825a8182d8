/* The registry of tools, and the check of what a model hands to one. assistants.c asks which there
 * are, effects.c runs them. */
#include "tools.h"

#include "base/mem.h"

#include <assert.h>
#include <stdlib.h>
#include <string.h>

#define ARGUMENTS_MAX (16 * 1024)
#define RESULT_MAX    (16 * 1024)

static const struct tool *const all[] = {
    &tool_take_message, &tool_escalate,      &tool_end_conversation, &tool_check_availability,
    &tool_book,         &tool_reschedule,    &tool_cancel,           &tool_search_knowledge,
    &tool_send_text,    &tool_transfer_call, &tool_switch_language};
#define COUNT (sizeof all / sizeof *all)

struct tools {
    struct json_schema *schemas[COUNT]; /* of `all` */
};

static struct json_schema *compile(const struct tool *tool)
{
    struct json *text = NULL;
    struct json_schema *schema = NULL;
    struct err err;
    int rc = json_parse(tool->parameters, strlen(tool->parameters), &text, &err);
    rc = rc == 0 ? json_schema_read(text, &schema, &err) : rc;
    assert(rc == 0); /* our own text */
    json_free(&text);
    return schema;
}

struct tools *tools_new(void)
{
    struct tools *tools = xcalloc(1, sizeof *tools);
    for (size_t i = 0; i < COUNT; i++)
        tools->schemas[i] = compile(all[i]);
    return tools;
}

void tools_free(struct tools **tools)
{
    if (*tools == NULL)
        return;
    for (size_t i = 0; i < COUNT; i++)
        json_schema_free(&(*tools)->schemas[i]);
    free(*tools);
    *tools = NULL;
}

const struct tool *tools_at(size_t index)
{
    return index < COUNT ? all[index] : NULL;
}

const struct tool *tools_named(const char *name)
{
    for (size_t i = 0; i < COUNT; i++)
        if (strcmp(all[i]->name, name) == 0)
            return all[i];
    return NULL;
}

int tools_check_arguments(const struct json_schema *schema, const char *text,
                          struct json **arguments, struct err *err)
{
    struct json *read = NULL;
    struct err why;
    size_t length = strlen(text);
    if (length > ARGUMENTS_MAX)
        return err_set(err, ERR_PERMANENT, "tool.arguments", "the arguments are over 16 kB");
    if (json_parse(text, length, &read, &why) != 0)
        return err_set(err, ERR_PERMANENT, "tool.arguments",
                       "the arguments are not one JSON object (%s)", why.code);
    if (json_schema_check(schema, read, err) != 0) {
        json_free(&read);
        return -1;
    }
    *arguments = read;
    return 0;
}

int tools_read_arguments(const struct tools *tools, const struct tool *tool, const char *text,
                         struct json **arguments, struct err *err)
{
    size_t index = 0;
    while (all[index] != tool)
        index++;
    return tools_check_arguments(tools->schemas[index], text, arguments, err);
}

const char *tools_text(struct arena *arena, const char *name, const char *text)
{
    struct strbuf out;
    struct json_writer w;
    strbuf_init(&out, RESULT_MAX);
    json_writer_init(&w, &out);
    json_open_object(&w, NULL);
    json_add_text(&w, name, text);
    json_close_object(&w);
    const char *kept = arena_strndup(arena, out.data, out.length);
    strbuf_fini(&out);
    return kept;
}

bool tools_changed_appointment(const struct rounds_call *call)
{
    const char *const names[] = {tool_book.name, tool_reschedule.name, tool_cancel.name};
    for (size_t i = 0; i < sizeof names / sizeof *names; i++)
        if (strcmp(names[i], call->name) == 0)
            return call->done && strcmp(call->outcome, "ok") == 0;
    return false;
}
