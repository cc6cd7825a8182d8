/* Turns a block of YAML into the JSON that a vendor wants beside the members that every request
 * has. vendor_file.c calls it. */
#include "vendor_extra.h"

#include <string.h>

#include "canonical.h"

#define EXTRA_BYTES_MAX   2000
#define EXTRA_DEPTH_MAX   4
#define NUMBER_DIGITS_MAX 15 /* a double holds these exactly */

struct extra {
    struct problems *problems;
    struct json_writer writer;
    bool broken; /* a problem was added */
};

/* ---- what the dialects write themselves (common/llm) ---- */

static const char *const taken[] = {
    "model", "messages",    "contents",       "system",     "systemInstruction",     "stream",
    "tools", "temperature", "stream_options", "max_tokens", "max_completion_tokens", NULL,
};
/* Gemini's dialect joins this block with its own. */
static const char *const taken_of_gemini[] = {"temperature", "maxOutputTokens", NULL};

static void check_members(struct extra *extra, const struct yaml_node *block,
                          const char *const *names)
{
    for (; *names != NULL; names++) {
        const struct yaml_node *node = yaml_get(block, *names);
        if (node == NULL)
            continue;
        extra->broken = true;
        problems_add(extra->problems, node->line,
                     "extra: %s is set by Frontdesk for each request; remove it", *names);
    }
}

/* ---- values ---- */

static bool is_number(const char *text)
{
    static const char digits[] = "0123456789";
    text += *text == '-';
    size_t whole = strspn(text, digits), places = 0;
    if (whole == 0 || (whole > 1 && *text == '0'))
        return false;
    if (text[whole] == '.' && (places = strspn(text + whole + 1, digits)) == 0)
        return false;
    return whole + places <= NUMBER_DIGITS_MAX &&
           text[whole + (places > 0 ? places + 1 : 0)] == '\0';
}

static void write_scalar(struct extra *extra, const char *name, const struct yaml_node *node)
{
    const char *text = node->text;
    if (!node->quoted && (*text == '\0' || strcmp(text, "null") == 0 || strcmp(text, "~") == 0)) {
        extra->broken = true;
        problems_add(extra->problems, node->line,
                     "extra: a value is empty or null; write one, in quotes if it is text, or "
                     "remove the line");
    } else if (!node->quoted &&
               (strcmp(text, "true") == 0 || strcmp(text, "false") == 0 || is_number(text))) {
        json_add_raw(&extra->writer, name, text);
    } else {
        json_add_text(&extra->writer, name, text);
    }
}

/* Recursion is bounded by EXTRA_DEPTH_MAX. */
static void write_value(struct extra *extra, const char *name, const struct yaml_node *node,
                        int depth)
{
    bool object = node->kind == YAML_MAPPING;
    if (node->kind == YAML_SCALAR) {
        write_scalar(extra, name, node);
        return;
    }
    if (depth > EXTRA_DEPTH_MAX) {
        extra->broken = true;
        problems_add(extra->problems, node->line,
                     "extra: is nested deeper than %d blocks; make it flatter", EXTRA_DEPTH_MAX);
        return;
    }
    (object ? json_open_object : json_open_array)(&extra->writer, name);
    for (const struct yaml_node *child = node->first; child != NULL; child = child->next)
        write_value(extra, child->key, child, depth + 1);
    (object ? json_close_object : json_close_array)(&extra->writer);
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
    struct extra extra = {.problems = problems};
    struct strbuf text;
    const char *result = NULL;
    strbuf_init(&text, EXTRA_BYTES_MAX);
    json_writer_init(&extra.writer, &text);
    check_members(&extra, block, taken);
    check_members(&extra, yaml_get(block, "generationConfig"), taken_of_gemini);
    write_value(&extra, NULL, block, 1);
    if (text.overflow)
        problems_add(problems, block->line, "extra: is more than %d bytes as JSON; shorten it",
                     EXTRA_BYTES_MAX);
    else if (!extra.broken)
        result = canonical(problems, block, &text);
    strbuf_fini(&text);
    return result;
}
