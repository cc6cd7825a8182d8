/* A named subset of JSON Schema: what a tool's author says about arguments and answers, and what a
 * value is judged by.
 *
 * A schema is an object of these keywords; any other is refused when the schema is read, because a
 * rule that is silently not checked is worse than none:
 *   type                  object, array, string, number, integer or boolean; or a list of one of
 *                         these and "null". Needed unless there is an enum
 *   properties            of an object: a schema per name (1 to 64 bytes)
 *   required              of an object: names
 *   additionalProperties  of an object: true (as when absent) or false
 *   items                 of an array: the schema of each element
 *   minItems, maxItems    of an array
 *   minLength, maxLength  of a string, in code points
 *   minimum, maximum      of a number or integer
 *   enum                  1 to 100 texts, numbers, booleans or null, each of the type
 *   title, description    texts, not judged
 *   default               not judged
 * Their meaning is the standard's (draft 2020-12) with one exception: an integer beyond 2^53 - 1 is
 * refused, because it could not be passed on unchanged. 1.0 is an integer.
 *
 * Bounds: 8 levels, 200 schemas in one. A schema that no value can fit is refused where that is
 * seen at a glance (minimum above maximum, a required name that additionalProperties forbids).
 * Any thread; a read schema never changes. */
#ifndef DESK_JSON_SCHEMA_H
#define DESK_JSON_SCHEMA_H

#include "base/err.h"
#include "json/json.h"

#define JSON_SCHEMA_DEPTH_MAX 8
#define JSON_SCHEMA_NODES_MAX 200
#define JSON_SCHEMA_ENUM_MAX  100
#define JSON_SCHEMA_NAME_MAX  64

struct json_schema;

/* Reads a schema (borrowed for the call). Returns 0 and an owned schema in *out, or -1: PERMANENT
 * "schema.refused" with the place and what to write instead ("properties.size.pattern: not in the
 * subset; use enum or bounds"). */
int json_schema_read(const struct json *schema, struct json_schema **out, struct err *err);

/* Frees; sets *schema to NULL; accepts NULL. */
void json_schema_free(struct json_schema **schema);

/* Judges the arguments that a model gave a tool. Returns 0, or -1: PERMANENT "schema.mismatch" with
 * the first mistake in the order of the text, in words that a model can mend it by
 * ("arguments.size: must be one of small, large; it is medium"). A missing name is noticed at the
 * end of its object. A value in the message is cut to 40 bytes of UTF-8, without control
 * characters. A name twice in one object cannot occur: json_parse refuses it. */
int json_schema_check(const struct json_schema *schema, const struct json *value, struct err *err);

/* The same for the answer of an endpoint, which the message calls "answer". It quotes nothing of
 * it, because the message goes into logs. */
int json_schema_check_answer(const struct json_schema *schema, const struct json *value,
                             struct err *err);

#endif
