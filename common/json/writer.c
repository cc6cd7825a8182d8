/* Writing JSON straight into a strbuf: events, prompts, log lines. cJSON's printer is not used: it
 * builds a tree first and prints 2^53 - 1 as 9.00719925474099e+15. */
#include "json/inside.h"
#include "json/json.h"

#include <math.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#define WHOLE_MAX 9007199254740992.0 /* 2^53: below, every whole number is exact */

static void add_escaped(struct strbuf *out, unsigned char c)
{
    static const char names[] = "\"\\\b\f\n\r\t", letters[] = "\"\\bfnrt";
    const char *found = memchr(names, c, sizeof names - 1);
    if (found != NULL)
        strbuf_add(out, (const char[]){'\\', letters[found - names]}, 2);
    else
        strbuf_printf(out, "\\u%04x", c);
}

/* Appends the quoted text; copies run by run between the characters that need an escape. */
static void add_quoted(struct strbuf *out, const char *text)
{
    const char *end = text + strlen(text);
    bool beyond_ascii = false; /* of no interest here */
    strbuf_add_char(out, '"');
    for (;;) {
        const char *stop = json_plain_end(text, end, &beyond_ascii);
        strbuf_add(out, text, (size_t)(stop - text));
        if (stop == end)
            break;
        add_escaped(out, (unsigned char)*stop);
        text = stop + 1;
    }
    strbuf_add_char(out, '"');
}

/* The shortest of 15 to 17 digits that reads back as the same number; JSON has no infinity. */
static void add_number(struct strbuf *out, double value)
{
    char text[32];
    if (!isfinite(value)) {
        strbuf_add_text(out, "null");
        return;
    }
    if (value == floor(value) && fabs(value) < WHOLE_MAX) {
        strbuf_printf(out, "%lld", (long long)value);
        return;
    }
    for (int digits = 15; digits <= 17; digits++) {
        snprintf(text, sizeof text, "%.*g", digits, value);
        if (strtod(text, NULL) == value)
            break;
    }
    strbuf_add_text(out, text);
}

/* The comma and the name before a value. */
static void begin(struct json_writer *writer, const char *name)
{
    if (writer->comma)
        strbuf_add_char(writer->out, ',');
    writer->comma = true;
    if (name != NULL) {
        add_quoted(writer->out, name);
        strbuf_add_char(writer->out, ':');
    }
}

static void open_with(struct json_writer *writer, const char *name, char bracket)
{
    begin(writer, name);
    strbuf_add_char(writer->out, bracket);
    writer->comma = false;
}

static void close_with(struct json_writer *writer, char bracket)
{
    strbuf_add_char(writer->out, bracket);
    writer->comma = true;
}

void json_writer_init(struct json_writer *writer, struct strbuf *out)
{
    *writer = (struct json_writer){.out = out};
}

void json_open_object(struct json_writer *writer, const char *name)
{
    open_with(writer, name, '{');
}

void json_close_object(struct json_writer *writer)
{
    close_with(writer, '}');
}

void json_open_array(struct json_writer *writer, const char *name)
{
    open_with(writer, name, '[');
}

void json_close_array(struct json_writer *writer)
{
    close_with(writer, ']');
}

void json_add_text(struct json_writer *writer, const char *name, const char *text)
{
    begin(writer, name);
    if (text == NULL)
        strbuf_add_text(writer->out, "null");
    else
        add_quoted(writer->out, text);
}

void json_add_int(struct json_writer *writer, const char *name, int64_t value)
{
    begin(writer, name);
    strbuf_printf(writer->out, "%lld", (long long)value);
}

void json_add_double(struct json_writer *writer, const char *name, double value)
{
    begin(writer, name);
    add_number(writer->out, value);
}

void json_add_bool(struct json_writer *writer, const char *name, bool value)
{
    begin(writer, name);
    strbuf_add_text(writer->out, value ? "true" : "false");
}

void json_add_raw(struct json_writer *writer, const char *name, const char *json)
{
    begin(writer, name);
    strbuf_add_text(writer->out, json);
}

static void write_children(struct json_writer *writer, const struct json *value);

/* Recursion is bounded by JSON_DEPTH_MAX, which json_parse has enforced. */
static void write_value(struct json_writer *writer, const char *name, const struct json *value)
{
    switch (json_type(value)) {
    case JSON_NULL:
        json_add_raw(writer, name, "null");
        break;
    case JSON_BOOL:
        json_add_bool(writer, name, json_bool(value));
        break;
    case JSON_NUMBER:
        json_add_double(writer, name, json_number(value));
        break;
    case JSON_STRING:
        json_add_text(writer, name, json_text(value));
        break;
    case JSON_ARRAY:
        json_open_array(writer, name);
        write_children(writer, value);
        json_close_array(writer);
        break;
    case JSON_OBJECT:
        json_open_object(writer, name);
        write_children(writer, value);
        json_close_object(writer);
        break;
    }
}

static void write_children(struct json_writer *writer, const struct json *value)
{
    for (const struct json *child = json_first(value); child != NULL; child = json_next(child))
        write_value(writer, json_name(child), child);
}

void json_print(const struct json *value, struct strbuf *out)
{
    struct json_writer writer;
    json_writer_init(&writer, out);
    write_value(&writer, NULL, value);
}
