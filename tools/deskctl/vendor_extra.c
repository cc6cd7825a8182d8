/* Turns a block of YAML into the JSON that a vendor wants beside the members that every request
 * has. vendor_file.c calls it. */
#include "vendor_extra.h"

#include <string.h>

#include "canonical.h"
#include "yaml_json.h"

#define EXTRA_BYTES_MAX 2000
#define EXTRA_DEPTH_MAX 4

/* ---- what the dialects write themselves (common/llm) ---- */

static const char *const taken[] = {
    "model",
    "messages",
    "contents",
    "system",
    "systemInstruction",
    "stream",
    "tools",
    "tool_choice",
    "toolConfig",
    "temperature",
    "stream_options",
    "max_tokens",
    "max_completion_tokens",
    NULL,
};
/* Gemini's dialect joins this block with its own. */
static const char *const taken_of_gemini[] = {"temperature", "maxOutputTokens", NULL};

static bool has_none(struct problems *problems, const struct yaml_node *block,
                     const char *const *names)
{
    bool none = true;
    for (; *names != NULL; names++) {
        const struct yaml_node *node = yaml_get(block, *names);
        if (node == NULL)
            continue;
        none = false;
        problems_add(problems, node->line,
                     "extra: %s is set by Frontdesk for each request; remove it", *names);
    }
    return none;
}

static const char *canonical(struct problems *problems, const struct yaml_node *block,
                             const struct strbuf *text)
{
    struct json *document = NULL;
    struct err err;
    if (json_parse(text->data, text->length, &document, &err) != 0) {
        problems_add(problems, block->line, "extra: is no good JSON (%s); simplify it",
                     err.message);
        return NULL;
    }
    const char *result = canonical_json(problems->arena, document);
    json_free(&document);
    return result;
}

const char *vendor_extra_read(struct problems *problems, const struct yaml_node *block)
{
    struct json_writer writer;
    const struct yaml_json to = {problems, "extra", EXTRA_DEPTH_MAX, &writer};
    struct strbuf text;
    const char *result = NULL;
    strbuf_init(&text, EXTRA_BYTES_MAX);
    json_writer_init(&writer, &text);
    bool good = has_none(problems, block, taken);
    good &= has_none(problems, yaml_get(block, "generationConfig"), taken_of_gemini);
    good &= yaml_json_write(&to, NULL, block);
    if (text.overflow)
        problems_add(problems, block->line, "extra: is more than %d bytes as JSON; shorten it",
                     EXTRA_BYTES_MAX);
    else if (good)
        result = canonical(problems, block, &text);
    strbuf_fini(&text);
    return result;
}
