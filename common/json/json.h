/* JSON: strict reading of untrusted text, and writing into a strbuf. cJSON parses; this wrapper
 * refuses what cJSON lets through (reference: RFC 8259; cJSON 1.7.15 accepts raw control
 * characters, invalid UTF-8, leading zeros, "\u0000", a BOM and trailing text). Any thread, no
 * shared state. */
#ifndef DESK_JSON_JSON_H
#define DESK_JSON_JSON_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "base/err.h"
#include "base/strbuf.h"

#define JSON_DEPTH_MAX 32

/* A parsed document or a value inside it. Values are borrowed from their document. */
struct json;

/* Parses exactly one value out of `length` bytes. Returns 0 and an owned document, or -1:
 * PERMANENT "json.syntax", "json.utf8", "json.depth" (more than JSON_DEPTH_MAX), "json.nul",
 * "json.duplicate" (a name twice in one object). */
int json_parse(const char *bytes, size_t length, struct json **document, struct err *err);

/* Frees a document; sets *document to NULL; accepts NULL. */
void json_free(struct json **document);

/* The type of a value (not NULL). */
enum json_type { JSON_NULL, JSON_BOOL, JSON_NUMBER, JSON_STRING, JSON_ARRAY, JSON_OBJECT };
enum json_type json_type(const struct json *value);

/* The member of an object by exact name; NULL if absent, JSON null, or `object` is NULL or no
 * object: absent and null are the same to us. */
const struct json *json_member(const struct json *object, const char *name);

/* The member's text or NULL if absent or not a string. Borrowed. */
const char *json_member_text(const struct json *object, const char *name);

/* The member as a whole number in min..max; false (and *value untouched) otherwise. */
bool json_member_int(const struct json *object, const char *name, int64_t min, int64_t max,
                     int64_t *value);

/* The member as a boolean, or `fallback` if absent or no boolean. */
bool json_member_bool(const struct json *object, const char *name, bool fallback);

/* The value's own text, number or truth; NULL / 0 / false when of another type. */
const char *json_text(const struct json *value);
double json_number(const struct json *value);
bool json_bool(const struct json *value);

/* Array and object iteration: first child and next sibling, NULL at the end. */
const struct json *json_first(const struct json *value);
const struct json *json_next(const struct json *value);

/* Name of an object's child, borrowed; NULL for an array's. */
const char *json_name(const struct json *value);

/* Number of elements or members. */
size_t json_count(const struct json *value);

/* Appends the value's compact text. */
void json_print(const struct json *value, struct strbuf *out);

/* ---- writing: a tiny streaming writer; commas and quoting are its work ---- */
struct json_writer {
    struct strbuf *out; /* borrowed */
    bool comma;         /* private */
};

/* Starts writing at the end of `out` (borrowed). */
void json_writer_init(struct json_writer *writer, struct strbuf *out);

/* Open and close; `name` is NULL inside arrays and at the top. */
void json_open_object(struct json_writer *writer, const char *name);
void json_close_object(struct json_writer *writer);
void json_open_array(struct json_writer *writer, const char *name);
void json_close_array(struct json_writer *writer);

/* One value. A NULL text writes null. Text must be UTF-8; control characters are escaped. */
void json_add_text(struct json_writer *writer, const char *name, const char *text);
void json_add_int(struct json_writer *writer, const char *name, int64_t value);
void json_add_double(struct json_writer *writer, const char *name, double value);
void json_add_bool(struct json_writer *writer, const char *name, bool value);

/* Inserts ready JSON text as it is. */
void json_add_raw(struct json_writer *writer, const char *name, const char *json);

#endif
