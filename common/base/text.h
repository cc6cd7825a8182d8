/* Text helpers: UTF-8, hexadecimal, base64, strict numbers, E.164. Any thread, no state. */
#ifndef DESK_BASE_TEXT_H
#define DESK_BASE_TEXT_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "base/strbuf.h"

/* How many bytes at the beginning are printable ASCII (0x20-0x7e), or ASCII but NUL: what most of a
 * text is, and needs no closer look. */
size_t text_printable_run(const char *bytes, size_t length);
size_t text_ascii_run(const char *bytes, size_t length);

/* True if the bytes are well-formed UTF-8 (RFC 3629: no surrogates, no overlong forms) without
 * NUL. PostgreSQL takes exactly such text. */
bool text_is_utf8(const char *bytes, size_t length);

/* The code point at *p (well-formed UTF-8, not at its end); moves *p behind it. */
uint32_t text_next_code_point(const char **p);

/* How many code points a text has, which is well-formed UTF-8. */
size_t text_count_code_points(const char *text);

/* Whether the code point is in one of `count` ranges, whose ends are in them. */
struct text_range {
    uint32_t first, last;
};
bool text_is_within(uint32_t point, const struct text_range *ranges, size_t count);

/* Length of the longest prefix of at most `max_bytes` that ends between code points. */
size_t text_utf8_prefix(const char *text, size_t max_bytes);

/* True for "+" and 7-15 digits, the first not 0 (E.164). */
bool text_is_e164(const char *text);

/* True for a day of the Gregorian calendar as "2026-09-23", from year 1 on. */
bool text_is_date(const char *text);

/* Parse a whole decimal number without sign, space or leading "+"; false if it is not one or
 * outside min..max; *value is then untouched. */
bool text_parse_int(const char *text, int64_t min, int64_t max, int64_t *value);

/* Appends lower-case hexadecimal. */
void text_add_hex(struct strbuf *out, const void *bytes, size_t length);

/* The value of a hexadecimal digit, small or capital; -1 if it is none. */
int text_hex_digit(char c);

/* Decodes exactly 2*length hexadecimal digits; false otherwise. */
bool text_parse_hex(const char *text, void *out, size_t length);

/* Appends standard base64 with padding. */
void text_add_base64(struct strbuf *out, const void *bytes, size_t length);

/* Appends the decoded bytes of strict standard base64 (padding required, no spaces); false
 * (nothing appended) if it is not. */
bool text_decode_base64(const char *text, size_t length, struct strbuf *out);

/* Appends percent-encoding for a URL component: all but A-Za-z0-9-_.~ */
void text_add_percent(struct strbuf *out, const char *text);

#endif
