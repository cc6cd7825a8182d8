/* How requests speak of tools, as far as all dialects agree: what a call and its result look like
 * when they go back to whichever provider is asked next. Both came from a model or a tool, maybe of
 * another vendor, so nothing that a provider would refuse is passed on. request.c and the dialects
 * call it. */
#include <stdio.h>
#include <string.h>

#include "base/text.h"
#include "llm/llm_inside.h"

#define LETTERS "abcdefghijklmnopqrstuvwxyzABCDEFGHIJKLMNOPQRSTUVWXYZ_"

/* ---- what is offered ---- */

const char *llm_tool_parameters(const struct llm_tool *tool)
{
    return tool->parameters != NULL ? tool->parameters : "{\"type\":\"object\",\"properties\":{}}";
}

void llm_tool_describe(const struct llm_tool *tool, struct json_writer *w)
{
    if (tool->description != NULL && tool->description[0] != '\0')
        json_add_text(w, "description", tool->description);
}

/* ---- what was called ---- */

bool llm_is_json(const char *text, enum json_type *type)
{
    struct json *document = NULL;
    if (json_parse(text, strlen(text), &document, NULL) != 0)
        return false;
    *type = json_type(document);
    json_free(&document);
    return true;
}

bool llm_is_blank(const char *text)
{
    return text[strspn(text, " \t\r\n")] == '\0';
}

/* A model can call a tool by a name that its provider then refuses in the history. */
static void copy_name(char out[LLM_TOOL_NAME_MAX + 1], const char *name)
{
    size_t length = 0;
    for (; name[length] != '\0' && length < LLM_TOOL_NAME_MAX; length++)
        out[length] = strchr(LETTERS "0123456789-", name[length]) != NULL ? name[length] : '_';
    if (length == 0 || strchr(LETTERS, out[0]) == NULL)
        out[0] = '_';
    out[length > 0 ? length : 1] = '\0';
}

/* The result of call `index` of message `at`. Should an id stand there twice, the second result is
 * the second call's. */
static const struct llm_message *find_result(const struct llm_request *request, size_t at,
                                             size_t index)
{
    const struct llm_tool_call *calls = request->messages[at].calls;
    size_t same = 0;
    for (size_t i = 0; i < index; i++)
        same += strcmp(calls[i].id, calls[index].id) == 0;
    for (size_t i = at + 1; i < request->message_count && request->messages[i].role == LLM_TOOL;
         i++)
        if (strcmp(request->messages[i].call_id, calls[index].id) == 0 && same-- == 0)
            return &request->messages[i];
    return NULL;
}

void llm_asked_fill(const struct llm_request *request, size_t at, size_t index, size_t before,
                    struct llm_asked *asked)
{
    const struct llm_tool_call *call = &request->messages[at].calls[index];
    const struct llm_message *result = find_result(request, at, index);
    enum json_type type;
    bool is_object = llm_is_json(call->arguments, &type) && type == JSON_OBJECT;
    *asked = (struct llm_asked){.first = index == 0,
                                .arguments = call->arguments,
                                .object = is_object ? call->arguments : "{}",
                                .signature = call->signature,
                                .result = result != NULL ? result->text : "not carried out",
                                .is_error = result == NULL || result->is_error};
    snprintf(asked->id, sizeof asked->id, "call%05zu", before + index + 1);
    copy_name(asked->name, call->name);
    copy_name(asked->result_name,
              result != NULL && result->tool_name != NULL ? result->tool_name : call->name);
}

/* ---- signatures ---- */

void llm_signer_write(const struct llm_request *request, struct strbuf *out)
{
    strbuf_printf(out, "%s:", llm_wire_of(request->dialect)->name);
    text_add_percent(out, request->model);
    strbuf_add_char(out, ':');
    text_add_percent(out, request->base_url);
    strbuf_add_char(out, ':');
}
