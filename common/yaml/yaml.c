/* Builds the tree from libyaml's events. Tenant, vendor and topic files need a small part of YAML,
 * and what they do not need (aliases, tags, several documents, keys that are not text) only serves
 * surprises, so it is refused with its line. deskctl calls it. */
#include "yaml/yaml.h"

#include <stdarg.h>
#include <stdio.h>
#include <string.h>
#include <yaml.h>

#include "base/map.h"
#include "base/text.h"

#define NODES_MAX 50000 /* far more than any file of ours; bounds memory, not only bytes */

struct open_node {
    struct yaml_node *node;
    struct yaml_node **tail; /* where the next child goes */
    struct map *names;       /* keys seen; NULL for a sequence */
    const char *key;         /* key read, its value awaited */
};

struct builder {
    struct arena *arena;
    yaml_parser_t parser;
    yaml_event_t event;
    struct yaml_node *root;
    struct open_node stack[YAML_DEPTH_MAX];
    int depth;
    size_t nodes;
    bool ended;
    struct err *err;
};

static int line_of(const struct builder *b)
{
    return (int)b->event.start_mark.line + 1;
}

static int refuse(struct builder *b, const char *code, const char *format, ...)
    __attribute__((format(printf, 3, 4)));

static int refuse(struct builder *b, const char *code, const char *format, ...)
{
    char text[ERR_MESSAGE_MAX];
    va_list args;
    va_start(args, format);
    vsnprintf(text, sizeof text, format, args);
    va_end(args);
    return err_set(b->err, ERR_PERMANENT, code, "line %d: %s", line_of(b), text);
}

/* Hangs the node into the open collection (or makes it the root). */
static int attach(struct builder *b, struct yaml_node *node)
{
    if (++b->nodes > NODES_MAX)
        return refuse(b, "yaml.size", "more than %d values; split the file", NODES_MAX);
    if (b->depth == 0) {
        b->root = node;
        return 0;
    }
    struct open_node *open = &b->stack[b->depth - 1];
    if (open->node->kind == YAML_MAPPING) {
        if (open->key == NULL)
            return refuse(b, "yaml.syntax", "a key must be text");
        node->key = open->key;
        open->key = NULL;
    }
    *open->tail = node;
    open->tail = &node->next;
    open->node->count++;
    return 0;
}

static int refuse_extras(struct builder *b, const unsigned char *anchor, const unsigned char *tag)
{
    if (anchor != NULL)
        return refuse(b, "yaml.alias", "anchors (&%.40s) are not allowed; repeat the value",
                      (const char *)anchor);
    if (tag != NULL)
        return refuse(b, "yaml.syntax", "tags (%.40s) are not allowed; remove it",
                      (const char *)tag);
    return 0;
}

static bool awaits_key(const struct builder *b)
{
    const struct open_node *open = b->depth > 0 ? &b->stack[b->depth - 1] : NULL;
    return open != NULL && open->node->kind == YAML_MAPPING && open->key == NULL;
}

static int take_key(struct builder *b, const char *text)
{
    struct open_node *open = &b->stack[b->depth - 1];
    if (*text == '\0')
        return refuse(b, "yaml.syntax", "an empty key; write name: value");
    if (map_put_text(open->names, text, b) != NULL)
        return refuse(b, "yaml.duplicate", "\"%.80s\" is there twice; remove one", text);
    open->key = text;
    return 0;
}

static int on_scalar(struct builder *b)
{
    const char *bytes = (const char *)b->event.data.scalar.value;
    size_t length = b->event.data.scalar.length;
    if (refuse_extras(b, b->event.data.scalar.anchor, b->event.data.scalar.tag) != 0)
        return -1;
    if (!text_is_utf8(bytes, length))
        return refuse(b, "yaml.syntax", "text with a NUL or broken UTF-8");
    char *text = arena_strndup(b->arena, bytes, length);
    if (awaits_key(b))
        return take_key(b, text);
    struct yaml_node *node = arena_alloc(b->arena, sizeof *node);
    node->kind = YAML_SCALAR;
    node->line = line_of(b);
    node->text = text;
    node->quoted = b->event.data.scalar.style != YAML_PLAIN_SCALAR_STYLE;
    return attach(b, node);
}

static int on_open(struct builder *b, enum yaml_kind kind)
{
    const yaml_event_t *event = &b->event;
    bool mapping = kind == YAML_MAPPING;
    if (refuse_extras(
            b, mapping ? event->data.mapping_start.anchor : event->data.sequence_start.anchor,
            mapping ? event->data.mapping_start.tag : event->data.sequence_start.tag) != 0)
        return -1;
    if (b->depth == YAML_DEPTH_MAX)
        return refuse(b, "yaml.depth", "nested deeper than %d", YAML_DEPTH_MAX);
    struct yaml_node *node = arena_alloc(b->arena, sizeof *node);
    node->kind = kind;
    node->line = line_of(b);
    if (attach(b, node) != 0)
        return -1;
    b->stack[b->depth++] =
        (struct open_node){.node = node, .tail = &node->first, .names = mapping ? map_new() : NULL};
    return 0;
}

static int on_event(struct builder *b)
{
    switch (b->event.type) {
    case YAML_SCALAR_EVENT:
        return on_scalar(b);
    case YAML_SEQUENCE_START_EVENT:
        return on_open(b, YAML_SEQUENCE);
    case YAML_MAPPING_START_EVENT:
        return on_open(b, YAML_MAPPING);
    case YAML_SEQUENCE_END_EVENT:
    case YAML_MAPPING_END_EVENT:
        map_free(&b->stack[--b->depth].names);
        return 0;
    case YAML_ALIAS_EVENT:
        return refuse(b, "yaml.alias", "aliases (*%.40s) are not allowed; repeat the value",
                      (const char *)b->event.data.alias.anchor);
    case YAML_DOCUMENT_START_EVENT:
        if (b->root != NULL)
            return refuse(b, "yaml.syntax", "a second document; one per file");
        return 0;
    case YAML_STREAM_END_EVENT:
        b->ended = true;
        return 0;
    default:
        return 0;
    }
}

static int syntax_error(struct builder *b)
{
    const yaml_parser_t *parser = &b->parser;
    size_t line = parser->problem_mark.line + 1;
    return err_set(b->err, ERR_PERMANENT, "yaml.syntax", "line %zu: %s%s%s", line,
                   parser->problem != NULL ? parser->problem : "cannot be read",
                   parser->context != NULL ? ", " : "",
                   parser->context != NULL ? parser->context : "");
}

static int build(struct builder *b)
{
    while (!b->ended) {
        if (!yaml_parser_parse(&b->parser, &b->event))
            return syntax_error(b);
        int result = on_event(b);
        yaml_event_delete(&b->event);
        if (result != 0)
            return -1;
    }
    if (b->root == NULL)
        return err_set(b->err, ERR_PERMANENT, "yaml.syntax", "line 1: the file is empty");
    return 0;
}

int yaml_parse(struct arena *arena, const char *bytes, size_t length, struct yaml_node **root,
               struct err *err)
{
    if (length > YAML_BYTES_MAX)
        return err_set(err, ERR_PERMANENT, "yaml.size", "line 1: larger than %d bytes",
                       YAML_BYTES_MAX);
    struct builder b = {.arena = arena, .err = err};
    if (!yaml_parser_initialize(&b.parser))
        return err_set(err, ERR_BUG, "yaml.memory", "the parser cannot be made");
    /* Without this a byte order mark would switch to UTF-16. */
    yaml_parser_set_encoding(&b.parser, YAML_UTF8_ENCODING);
    yaml_parser_set_input_string(&b.parser, (const unsigned char *)bytes, length);
    int result = build(&b);
    while (b.depth > 0)
        map_free(&b.stack[--b.depth].names);
    yaml_parser_delete(&b.parser);
    if (result == 0)
        *root = b.root;
    return result;
}

const struct yaml_node *yaml_get(const struct yaml_node *mapping, const char *key)
{
    if (mapping == NULL || mapping->kind != YAML_MAPPING)
        return NULL;
    for (const struct yaml_node *node = mapping->first; node != NULL; node = node->next)
        if (strcmp(node->key, key) == 0)
            return node;
    return NULL;
}

const char *yaml_get_text(const struct yaml_node *mapping, const char *key)
{
    const struct yaml_node *node = yaml_get(mapping, key);
    return node != NULL && node->kind == YAML_SCALAR ? node->text : NULL;
}
