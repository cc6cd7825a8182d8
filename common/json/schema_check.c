/* Judging a value by a schema that was read, and the words for what is wrong. One walk in the order
 * of the value's text, which stops at the first mistake. The engine calls it for what a model gave
 * a tool, and for what a tool answered. */
#include <math.h>
#include <stdio.h>
#include <string.h>

#include "base/strbuf.h"
#include "base/text.h"
#include "json/schema_inside.h"

#define QUOTE_MAX   40
#define LIST_MAX    140
#define PLACE_MAX   120
#define MESSAGE_MAX 4096

struct judge {
    bool quotes; /* parts of the value may stand in the message */
    struct err *err;
};

/* ---- shared with schema.c ---- */

/* Appends text without control characters, cut to max_bytes between code points and marked so. */
static void add_cut(struct strbuf *out, const char *text, size_t max_bytes)
{
    size_t length = text_utf8_prefix(text, max_bytes);
    bool cut = text[length] != '\0';
    if (cut)
        length = text_utf8_prefix(text, max_bytes - 3);
    for (size_t i = 0; i < length; i++)
        strbuf_add_char(out, (unsigned char)text[i] < ' ' || text[i] == 0x7f ? ' ' : text[i]);
    if (cut)
        strbuf_add_text(out, "...");
}

/* Recursion is bounded by the depth of schemas: there are no places outside of them. */
static void add_way(struct strbuf *out, const struct schema_place *place)
{
    if (place == NULL)
        return;
    add_way(out, place->outer);
    if (place->name == NULL) {
        strbuf_printf(out, "[%zu]", place->index);
        return;
    }
    if (place->outer != NULL)
        strbuf_add_char(out, '.');
    add_cut(out, place->name, JSON_SCHEMA_NAME_MAX);
}

static void add_place(struct strbuf *out, const struct schema_place *place)
{
    struct strbuf way;
    strbuf_init(&way, MESSAGE_MAX);
    add_way(&way, place);
    const char *from = way.data;
    if (way.length > PLACE_MAX) {
        from += way.length - PLACE_MAX;
        while (((unsigned char)*from & 0xc0) == 0x80)
            from++;
        strbuf_add_text(out, "...");
    }
    strbuf_add_text(out, from);
    strbuf_fini(&way);
}

int schema_fail(struct err *err, const struct schema_place *place, const char *code,
                const char *message)
{
    struct strbuf whole;
    strbuf_init(&whole, MESSAGE_MAX);
    if (place == NULL)
        strbuf_add_text(&whole, "the schema");
    else
        add_place(&whole, place);
    strbuf_printf(&whole, ": %s", message);
    int length = (int)text_utf8_prefix(whole.data, ERR_MESSAGE_MAX - 1);
    err_set(err, ERR_PERMANENT, code, "%.*s", length, whole.data);
    strbuf_fini(&whole);
    return -1;
}

const struct schema_node *schema_property(const struct schema_node *node, const char *name)
{
    const struct schema_node *at = node->first;
    while (at != NULL && strcmp(at->name, name) != 0)
        at = at->next;
    return at;
}

bool schema_scalar_is(const struct schema_scalar *scalar, const struct json *value)
{
    if (json_type(value) != scalar->type)
        return false;
    if (scalar->type == JSON_STRING)
        return strcmp(scalar->text, json_text(value)) == 0;
    if (scalar->type == JSON_BOOL)
        return (scalar->number != 0) == json_bool(value);
    return scalar->type == JSON_NULL || scalar->number == json_number(value);
}

bool schema_type_fits(enum schema_type type, const struct json *value)
{
    static const enum json_type json_types[] = {JSON_OBJECT, JSON_ARRAY,  JSON_STRING,
                                                JSON_NUMBER, JSON_NUMBER, JSON_BOOL};
    if (type == SCHEMA_ANY)
        return true;
    if (json_type(value) != json_types[type])
        return false;
    double number = json_number(value);
    return type != SCHEMA_INTEGER || (number == floor(number) && fabs(number) <= WHOLE_MAX);
}

/* ---- words ---- */

/* Ends a message that was begun, as a mismatch. */
static int mismatch(const struct judge *j, const struct schema_place *at, struct strbuf *message)
{
    schema_fail(j->err, at, "schema.mismatch", message->data);
    strbuf_fini(message);
    return -1;
}

static int mismatch_words(const struct judge *j, const struct schema_place *at, const char *message)
{
    return schema_fail(j->err, at, "schema.mismatch", message);
}

static void add_number(struct strbuf *out, double number)
{
    struct json_writer writer;
    json_writer_init(&writer, out);
    json_add_double(&writer, NULL, number);
}

static void add_scalar(struct strbuf *out, const struct json *value)
{
    if (json_type(value) == JSON_STRING)
        add_cut(out, json_text(value), QUOTE_MAX);
    else
        json_print(value, out);
}

/* "the text medium", "an object"; without quotes "a text". */
static void add_kind(const struct judge *j, struct strbuf *out, const struct json *value)
{
    enum json_type type = json_type(value);
    static const char *const kinds[] = {
        [JSON_NULL] = "null",     [JSON_BOOL] = "a boolean", [JSON_NUMBER] = "a number",
        [JSON_STRING] = "a text", [JSON_ARRAY] = "an array", [JSON_OBJECT] = "an object",
    };
    if (!j->quotes || type == JSON_NULL || type == JSON_ARRAY || type == JSON_OBJECT) {
        strbuf_add_text(out, kinds[type]);
        return;
    }
    if (type != JSON_BOOL)
        strbuf_printf(out, "the %s ", kinds[type] + 2);
    add_scalar(out, value);
}

static int wrong_type(const struct judge *j, const struct schema_place *at,
                      const struct schema_node *node, const struct json *value)
{
    static const char *const names[] = {"an object", "an array",       "a string",
                                        "a number",  "a whole number", "true or false"};
    struct strbuf message;
    strbuf_init(&message, MESSAGE_MAX);
    strbuf_printf(&message, "must be %s", names[node->type]);
    if (node->type == SCHEMA_INTEGER && fabs(json_number(value)) > WHOLE_MAX)
        strbuf_printf(&message, " from -%.0f to %.0f", WHOLE_MAX, WHOLE_MAX);
    strbuf_add_text(&message, node->nullable ? " or null; it is " : "; it is ");
    add_kind(j, &message, value);
    return mismatch(j, at, &message);
}

static void add_values(struct strbuf *out, const struct schema_node *node)
{
    for (size_t i = 0; i < node->value_count; i++) {
        const struct schema_scalar *value = &node->values[i];
        if (i > 0)
            strbuf_add_text(out, ", ");
        if (out->length > LIST_MAX) {
            strbuf_add_text(out, "...");
            return;
        }
        if (value->type == JSON_STRING)
            add_cut(out, value->text, QUOTE_MAX);
        else if (value->type == JSON_NUMBER)
            add_number(out, value->number);
        else
            strbuf_add_text(out, value->type == JSON_NULL ? "null"
                                 : value->number != 0     ? "true"
                                                          : "false");
    }
}

static bool lists_texts(const struct schema_node *node)
{
    for (size_t i = 0; i < node->value_count; i++)
        if (node->values[i].type == JSON_STRING)
            return true;
    return false;
}

static int not_listed(const struct judge *j, const struct schema_place *at,
                      const struct schema_node *node, const struct json *value)
{
    struct strbuf message;
    strbuf_init(&message, MESSAGE_MAX);
    strbuf_add_text(&message, node->value_count > 1 ? "must be one of " : "must be ");
    add_values(&message, node);
    if (j->quotes) {
        strbuf_add_text(&message, "; it is ");
        if (json_type(value) == JSON_STRING && lists_texts(node))
            add_scalar(&message, value);
        else
            add_kind(j, &message, value);
    }
    return mismatch(j, at, &message);
}

static int unknown_name(const struct judge *j, const struct schema_place *at,
                        const struct schema_node *node)
{
    struct strbuf message;
    if (!j->quotes)
        return mismatch_words(j, at->outer, "has a name that is not among the properties");
    strbuf_init(&message, MESSAGE_MAX);
    strbuf_add_text(&message, "no such name; known are ");
    for (const struct schema_node *p = node->first; p != NULL; p = p->next) {
        if (p != node->first)
            strbuf_add_text(&message, ", ");
        if (message.length > LIST_MAX) {
            strbuf_add_text(&message, "...");
            break;
        }
        add_cut(&message, p->name, JSON_SCHEMA_NAME_MAX);
    }
    if (node->first == NULL)
        strbuf_add_text(&message, "none");
    return mismatch(j, at, &message);
}

/* ---- the walk ---- */

static int judge_number(const struct judge *j, const struct schema_place *at,
                        const struct schema_node *node, double number)
{
    bool low = number < node->minimum;
    struct strbuf message;
    if (!low && number <= node->maximum)
        return 0;
    strbuf_init(&message, MESSAGE_MAX);
    strbuf_add_text(&message, low ? "must be at least " : "must be at most ");
    add_number(&message, low ? node->minimum : node->maximum);
    if (j->quotes) {
        strbuf_add_text(&message, "; it is ");
        add_number(&message, number);
    }
    return mismatch(j, at, &message);
}

/* `what` are "characters" or "items". */
static int judge_count(const struct judge *j, const struct schema_place *at,
                       const struct schema_node *node, size_t count, const char *what)
{
    bool low = (int64_t)count < node->least;
    char message[96];
    if (!low && (int64_t)count <= node->most)
        return 0;
    snprintf(message, sizeof message, "must have at %s %lld %s; it has %zu", low ? "least" : "most",
             (long long)(low ? node->least : node->most), what, count);
    return mismatch_words(j, at, message);
}

static int judge_value(const struct judge *j, const struct schema_place *at,
                       const struct schema_node *node, const struct json *value);

static int judge_array(const struct judge *j, const struct schema_place *at,
                       const struct schema_node *node, const struct json *value)
{
    struct schema_place place = {.outer = at};
    if (judge_count(j, at, node, json_count(value), "items") != 0)
        return -1;
    if (node->first == NULL)
        return 0;
    for (const struct json *item = json_first(value); item != NULL; item = json_next(item)) {
        if (judge_value(j, &place, node->first, item) != 0)
            return -1;
        place.index++;
    }
    return 0;
}

/* Also a member that is null is there; json_member would say that it is not. */
static bool has_member(const struct json *object, const char *name)
{
    const struct json *member = json_first(object);
    while (member != NULL && strcmp(json_name(member), name) != 0)
        member = json_next(member);
    return member != NULL;
}

static int judge_object(const struct judge *j, const struct schema_place *at,
                        const struct schema_node *node, const struct json *value)
{
    for (const struct json *member = json_first(value); member != NULL;
         member = json_next(member)) {
        struct schema_place place = {.outer = at, .name = json_name(member)};
        const struct schema_node *property = schema_property(node, place.name);
        if (property == NULL && node->closed)
            return unknown_name(j, &place, node);
        if (property != NULL && judge_value(j, &place, property, member) != 0)
            return -1;
    }
    for (size_t i = 0; i < node->required_count; i++) {
        struct schema_place place = {.outer = at, .name = node->required[i]};
        if (!has_member(value, place.name))
            return mismatch_words(j, &place, "required");
    }
    return 0;
}

static bool is_listed(const struct schema_node *node, const struct json *value)
{
    for (size_t i = 0; i < node->value_count; i++)
        if (schema_scalar_is(&node->values[i], value))
            return true;
    return node->value_count == 0;
}

/* Recursion is bounded by the depth of the schema. */
static int judge_value(const struct judge *j, const struct schema_place *at,
                       const struct schema_node *node, const struct json *value)
{
    bool null = json_type(value) == JSON_NULL && node->nullable;
    if (!null && !schema_type_fits(node->type, value))
        return wrong_type(j, at, node, value);
    if (!is_listed(node, value))
        return not_listed(j, at, node, value);
    switch (json_type(value)) {
    case JSON_NUMBER:
        return judge_number(j, at, node, json_number(value));
    case JSON_STRING:
        return judge_count(j, at, node, text_count_code_points(json_text(value)), "characters");
    case JSON_ARRAY:
        return judge_array(j, at, node, value);
    case JSON_OBJECT:
        return judge_object(j, at, node, value);
    case JSON_NULL:
    case JSON_BOOL:
        break;
    }
    return 0;
}

int json_schema_check(const struct json_schema *schema, const struct json *value, struct err *err)
{
    struct judge judge = {.quotes = true, .err = err};
    struct schema_place place = {.name = "arguments"};
    return judge_value(&judge, &place, &schema->root, value);
}

int json_schema_check_answer(const struct json_schema *schema, const struct json *value,
                             struct err *err)
{
    struct judge judge = {.quotes = false, .err = err};
    struct schema_place place = {.name = "answer"};
    return judge_value(&judge, &place, &schema->root, value);
}
