/* What reading a schema (schema.c) and judging by it (schema_check.c) share. Private to
 * common/json: nobody else includes it. */
#ifndef DESK_JSON_SCHEMA_INSIDE_H
#define DESK_JSON_SCHEMA_INSIDE_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "base/arena.h"
#include "json/schema.h"

#define WHOLE_MAX 9007199254740991.0 /* 2^53 - 1: up to here a double holds every whole number */

enum schema_type {
    SCHEMA_OBJECT,
    SCHEMA_ARRAY,
    SCHEMA_STRING,
    SCHEMA_NUMBER,
    SCHEMA_INTEGER,
    SCHEMA_BOOLEAN,
    SCHEMA_ANY, /* only the enum counts */
};

struct schema_scalar {
    enum json_type type; /* JSON_NULL, JSON_BOOL, JSON_NUMBER or JSON_STRING */
    const char *text;
    double number; /* of a boolean 0 or 1 */
};

/* One schema; everything it points to lies in the arena of the whole. */
struct schema_node {
    enum schema_type type;
    bool nullable;             /* "null" stands beside the type */
    bool closed;               /* additionalProperties: false */
    const char *name;          /* among the properties it is one of; else NULL */
    struct schema_node *first; /* properties, or the one of `items` */
    struct schema_node *next;  /* among them */
    const char *const *required;
    size_t required_count;
    const struct schema_scalar *values; /* enum */
    size_t value_count;                 /* 0: no enum */
    double minimum, maximum;            /* infinite: none */
    int64_t least, most;                /* items or code points; 0 and INT64_MAX: none */
};

struct json_schema {
    struct arena *arena;
    struct schema_node root;
};

/* A place in a schema or a value: the way there, innermost first. */
struct schema_place {
    const struct schema_place *outer;
    const char *name; /* NULL: the element `index` */
    size_t index;
};

/* Fills *err (PERMANENT) with "properties.size: message" or "arguments.items[2]: message", whole
 * UTF-8 and cut to what an err holds, the place in front; returns -1. */
int schema_fail(struct err *err, const struct schema_place *place, const char *code,
                const char *message);

/* The node of the property of that name, or NULL. */
const struct schema_node *schema_property(const struct schema_node *node, const char *name);

/* True if the value is of the scalar's type and equal to it. */
bool schema_scalar_is(const struct schema_scalar *scalar, const struct json *value);

/* True if the value is of the type, null aside. */
bool schema_type_fits(enum schema_type type, const struct json *value);

#endif
