/* Reading a schema of our subset: one table of keywords, each with the types that have it and the
 * function that takes its value. What stands in no row is refused with a hint. Whoever takes a
 * tenant's tools reads their schemas with it: when they are set, and again before they are used. */
#include "json/schema.h"

#include <math.h>
#include <string.h>

#include "base/arena.h"
#include "json/schema_inside.h"

#define COUNT_MAX 1000000

#define OBJECT (1u << SCHEMA_OBJECT)
#define ARRAY  (1u << SCHEMA_ARRAY)
#define STRING (1u << SCHEMA_STRING)
#define NUMBER (1u << SCHEMA_NUMBER | 1u << SCHEMA_INTEGER)

struct reader {
    struct arena *arena;
    int depth;
    size_t nodes;
    struct err *err;
};

/* What a keyword's function is given. */
struct entry {
    const struct schema_place *at;
    const struct json *value;
    struct schema_node *node;
    size_t offset; /* of the member of *node that takes the value; only read_count, read_number */
};

static int refuse(const struct reader *r, const struct schema_place *at, const char *message)
{
    return schema_fail(r->err, at, "schema.refused", message);
}

static int read_node(struct reader *r, const struct schema_place *at, const struct json *schema,
                     struct schema_node *node);

/* ---- the keywords' values ---- */

static int read_words(struct reader *r, const struct entry *e)
{
    return json_type(e->value) == JSON_STRING ? 0 : refuse(r, e->at, "must be a text");
}

static int read_anything(struct reader *r, const struct entry *e)
{
    (void)r, (void)e;
    return 0;
}

static int read_number(struct reader *r, const struct entry *e)
{
    if (json_type(e->value) != JSON_NUMBER)
        return refuse(r, e->at, "must be a number");
    double number = json_number(e->value);
    memcpy((char *)e->node + e->offset, &number, sizeof number);
    return 0;
}

static int read_count(struct reader *r, const struct entry *e)
{
    double number = json_number(e->value);
    if (json_type(e->value) != JSON_NUMBER || number != floor(number) || number < 0 ||
        number > COUNT_MAX)
        return refuse(r, e->at, "must be a whole number from 0 to 1000000");
    int64_t count = (int64_t)number;
    memcpy((char *)e->node + e->offset, &count, sizeof count);
    return 0;
}

static int read_closed(struct reader *r, const struct entry *e)
{
    if (json_type(e->value) != JSON_BOOL)
        return refuse(r, e->at, "must be true or false; a schema is not in the subset here");
    e->node->closed = !json_bool(e->value);
    return 0;
}

static int read_items(struct reader *r, const struct entry *e)
{
    e->node->first = arena_alloc(r->arena, sizeof *e->node->first);
    return read_node(r, e->at, e->value, e->node->first);
}

static bool is_name(const char *name)
{
    size_t length = strlen(name);
    for (size_t i = 0; i < length; i++)
        if ((unsigned char)name[i] < ' ' || name[i] == 0x7f)
            return false;
    return length > 0 && length <= JSON_SCHEMA_NAME_MAX;
}

static int read_properties(struct reader *r, const struct entry *e)
{
    if (json_type(e->value) != JSON_OBJECT)
        return refuse(r, e->at, "must be an object: a schema per name");
    struct schema_node **end = &e->node->first;
    for (const struct json *child = json_first(e->value); child != NULL; child = json_next(child)) {
        struct schema_place at = {.outer = e->at, .name = json_name(child)};
        if (!is_name(at.name))
            return refuse(r, e->at, "a name has 1 to 64 bytes and no control character");
        *end = arena_alloc(r->arena, sizeof **end);
        if (read_node(r, &at, child, *end) != 0)
            return -1;
        (*end)->name = arena_strdup(r->arena, at.name);
        end = &(*end)->next;
    }
    return 0;
}

static bool has_name(const char *const *names, size_t count, const char *name)
{
    for (size_t i = 0; i < count; i++)
        if (strcmp(names[i], name) == 0)
            return true;
    return false;
}

static int read_required(struct reader *r, const struct entry *e)
{
    if (json_type(e->value) != JSON_ARRAY || json_count(e->value) > JSON_SCHEMA_NODES_MAX)
        return refuse(r, e->at, "must be a list of at most 200 names");
    const char **names = arena_alloc(r->arena, (json_count(e->value) + 1) * sizeof *names);
    size_t count = 0;
    for (const struct json *at = json_first(e->value); at != NULL; at = json_next(at)) {
        const char *name = json_text(at);
        if (name == NULL || !is_name(name))
            return refuse(r, e->at, "a name has 1 to 64 bytes and no control character");
        if (has_name(names, count, name))
            return refuse(r, e->at, "has a name twice");
        names[count++] = arena_strdup(r->arena, name);
    }
    e->node->required = names;
    e->node->required_count = count;
    return 0;
}

/* One value of an enum; `place` is its own. */
static int read_scalar(struct reader *r, const struct schema_place *place, const struct json *value,
                       const struct schema_node *node, struct schema_scalar *scalar)
{
    enum json_type type = json_type(value);
    if (type == JSON_OBJECT || type == JSON_ARRAY)
        return refuse(r, place, "must be a text, a number, true, false or null");
    if (type == JSON_NULL ? node->type != SCHEMA_ANY && !node->nullable
                          : !schema_type_fits(node->type, value))
        return refuse(r, place, "is not of the type");
    *scalar =
        (struct schema_scalar){.type = type,
                               .text = arena_strdup(r->arena, json_text(value)),
                               .number = type == JSON_BOOL ? json_bool(value) : json_number(value)};
    return 0;
}

static int read_enum(struct reader *r, const struct entry *e)
{
    size_t count = json_count(e->value);
    if (json_type(e->value) != JSON_ARRAY || count == 0 || count > JSON_SCHEMA_ENUM_MAX)
        return refuse(r, e->at, "must be a list of 1 to 100 values");
    struct schema_scalar *values = arena_alloc(r->arena, count * sizeof *values);
    struct schema_place at = {.outer = e->at};
    for (const struct json *value = json_first(e->value); value != NULL; value = json_next(value)) {
        if (read_scalar(r, &at, value, e->node, &values[at.index]) != 0)
            return -1;
        for (size_t i = 0; i < at.index; i++)
            if (schema_scalar_is(&values[i], value))
                return refuse(r, &at, "stands there twice");
        at.index++;
    }
    e->node->values = values;
    e->node->value_count = count;
    return 0;
}

/* ---- a schema ---- */

/* By enum schema_type. */
static const char *const type_names[] = {"object", "array",   "string",
                                         "number", "integer", "boolean"};

static bool read_type_name(const char *name, enum schema_type *type)
{
    for (size_t i = 0; name != NULL && i < SCHEMA_ANY; i++)
        if (strcmp(name, type_names[i]) == 0) {
            *type = (enum schema_type)i;
            return true;
        }
    return false;
}

static int read_type(struct reader *r, const struct entry *e)
{
    const char *name = json_text(e->value);
    if (json_type(e->value) == JSON_ARRAY && json_count(e->value) == 2) {
        const char *second = json_text(json_next(json_first(e->value)));
        name = json_text(json_first(e->value));
        e->node->nullable = second != NULL && strcmp(second, "null") == 0;
        if (!e->node->nullable)
            name = NULL;
    }
    if (!read_type_name(name, &e->node->type))
        return refuse(r, e->at,
                      "must be one of object, array, string, number, integer, boolean, or a list "
                      "of one of these and \"null\"");
    return 0;
}

static const struct keyword {
    const char *name;
    unsigned types;      /* a bit per type that has it; 0: all */
    const char *foreign; /* what to say for the others */
    int (*read)(struct reader *r, const struct entry *entry);
    size_t offset;
} keywords[] = {
    {"type", 0, NULL, read_type, 0},
    {"title", 0, NULL, read_words, 0},
    {"description", 0, NULL, read_words, 0},
    {"default", 0, NULL, read_anything, 0},
    {"enum", 0, NULL, read_enum, 0},
    {"properties", OBJECT, "needs the type object", read_properties, 0},
    {"required", OBJECT, "needs the type object", read_required, 0},
    {"additionalProperties", OBJECT, "needs the type object", read_closed, 0},
    {"items", ARRAY, "needs the type array", read_items, 0},
    {"minItems", ARRAY, "needs the type array", read_count, offsetof(struct schema_node, least)},
    {"maxItems", ARRAY, "needs the type array", read_count, offsetof(struct schema_node, most)},
    {"minLength", STRING, "needs the type string", read_count, offsetof(struct schema_node, least)},
    {"maxLength", STRING, "needs the type string", read_count, offsetof(struct schema_node, most)},
    {"minimum", NUMBER, "needs the type number or integer", read_number,
     offsetof(struct schema_node, minimum)},
    {"maximum", NUMBER, "needs the type number or integer", read_number,
     offsetof(struct schema_node, maximum)},
};

/* What authors try, and what to do instead. */
static const struct {
    const char *keyword, *message;
} foreign_keywords[] = {
    {"pattern", "not in the subset; use enum or bounds"},
    {"format", "not in the subset; use enum or bounds"},
    {"multipleOf", "not in the subset; use enum or bounds"},
    {"not", "not in the subset; use enum or bounds"},
    {"exclusiveMinimum", "not in the subset; use minimum"},
    {"exclusiveMaximum", "not in the subset; use maximum"},
    {"const", "not in the subset; use enum with one value"},
    {"$ref", "not in the subset; write the schema out in its place"},
    {"$defs", "not in the subset; write each schema out in its place"},
    {"definitions", "not in the subset; write each schema out in its place"},
    {"anyOf", "not in the subset; use one type, or a list of it and \"null\""},
    {"oneOf", "not in the subset; use one type, or a list of it and \"null\""},
    {"allOf", "not in the subset; write one schema"},
    {"patternProperties", "not in the subset; name the members in properties"},
    {"prefixItems", "not in the subset; use an object with a name per item"},
    {"uniqueItems", "not in the subset; say it in description"},
    {"examples", "not in the subset; say it in description"},
};

static int refuse_foreign(const struct reader *r, const struct schema_place *at)
{
    for (size_t i = 0; i < sizeof foreign_keywords / sizeof *foreign_keywords; i++)
        if (strcmp(at->name, foreign_keywords[i].keyword) == 0)
            return refuse(r, at, foreign_keywords[i].message);
    return refuse(r, at, "not in the subset; leave it out");
}

static const struct keyword *keyword_of(const char *name)
{
    for (size_t i = 0; i < sizeof keywords / sizeof *keywords; i++)
        if (strcmp(name, keywords[i].name) == 0)
            return &keywords[i];
    return NULL;
}

static int read_keyword(struct reader *r, const struct schema_place *at, const struct json *value,
                        struct schema_node *node)
{
    const struct keyword *keyword = keyword_of(at->name);
    if (keyword == NULL)
        return refuse_foreign(r, at);
    if (keyword->types != 0 && (keyword->types & 1u << node->type) == 0)
        return refuse(r, at, keyword->foreign);
    struct entry entry = {at, value, node, keyword->offset};
    return keyword->read == read_type ? 0 : keyword->read(r, &entry);
}

/* The type comes first, wherever it stands: the other keywords depend on it. */
static int read_own_type(struct reader *r, const struct schema_place *at, const struct json *schema,
                         struct schema_node *node)
{
    bool has_enum = false;
    for (const struct json *child = json_first(schema); child != NULL; child = json_next(child)) {
        struct schema_place place = {.outer = at, .name = json_name(child)};
        struct entry entry = {&place, child, node, 0};
        if (strcmp(place.name, "type") == 0)
            return read_type(r, &entry);
        has_enum = has_enum || strcmp(place.name, "enum") == 0;
    }
    return has_enum ? 0 : refuse(r, at, "needs a type");
}

static int find_contradiction(const struct reader *r, const struct schema_place *at,
                              const struct schema_node *node)
{
    if (node->minimum > node->maximum)
        return refuse(r, at, "minimum is above maximum");
    if (node->least > node->most)
        return refuse(r, at,
                      node->type == SCHEMA_ARRAY ? "minItems is above maxItems"
                                                 : "minLength is above maxLength");
    struct schema_place required = {.outer = at, .name = "required"};
    for (size_t i = 0; node->closed && i < node->required_count; i++) {
        struct schema_place place = {.outer = &required, .name = node->required[i]};
        if (schema_property(node, place.name) == NULL)
            return refuse(r, &place, "not among the properties, and additionalProperties is false");
    }
    return 0;
}

static int read_keywords(struct reader *r, const struct schema_place *at, const struct json *schema,
                         struct schema_node *node)
{
    for (const struct json *child = json_first(schema); child != NULL; child = json_next(child)) {
        struct schema_place place = {.outer = at, .name = json_name(child)};
        if (read_keyword(r, &place, child, node) != 0)
            return -1;
    }
    return find_contradiction(r, at, node);
}

/* Recursion is bounded by JSON_SCHEMA_DEPTH_MAX. */
static int read_node(struct reader *r, const struct schema_place *at, const struct json *schema,
                     struct schema_node *node)
{
    if (json_type(schema) != JSON_OBJECT)
        return refuse(r, at, "must be an object with a type");
    if (r->depth == JSON_SCHEMA_DEPTH_MAX)
        return refuse(r, at, "lies too deep; 8 levels of schemas are allowed");
    if (r->nodes == JSON_SCHEMA_NODES_MAX)
        return refuse(r, at, "is one too many; 200 schemas are allowed in one");
    r->depth++;
    r->nodes++;
    *node = (struct schema_node){
        .type = SCHEMA_ANY, .minimum = -INFINITY, .maximum = INFINITY, .most = INT64_MAX};
    if (read_own_type(r, at, schema, node) != 0 || read_keywords(r, at, schema, node) != 0)
        return -1;
    r->depth--;
    return 0;
}

int json_schema_read(const struct json *schema, struct json_schema **out, struct err *err)
{
    struct arena *arena = arena_new();
    struct reader reader = {.arena = arena, .err = err};
    struct json_schema *read = arena_alloc(arena, sizeof *read);
    read->arena = arena;
    if (read_node(&reader, NULL, schema, &read->root) != 0) {
        arena_free(&arena);
        return -1;
    }
    *out = read;
    return 0;
}

void json_schema_free(struct json_schema **schema)
{
    if (*schema == NULL)
        return;
    struct arena *arena = (*schema)->arena;
    arena_free(&arena);
    *schema = NULL;
}
