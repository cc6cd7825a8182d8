/*
 * Memory and growable byte strings for the stand-ins.
 *
 * One thread only, as everything under tests/stands. Allocation never fails: it aborts.
 */
#ifndef STANDS_LIB_BUF_H
#define STANDS_LIB_BUF_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

/* Zeroed memory of `size` bytes; aborts when there is none. Returns owned (free). */
void *stand_alloc(size_t size);

/* Copies `len` bytes of `text` and ends them with a NUL. Returns owned (free). */
char *stand_copy(const char *text, size_t len);

/* A byte string that grows up to `max` bytes; what would not fit is dropped and `overflow` set.
 * `data` is always NUL-terminated once something was appended, else NULL. */
struct stand_buf {
    char *data;
    size_t len;
    size_t cap;
    size_t max;
    bool overflow;
};

/* Starts an empty buffer bounded by `max` bytes. Nothing is allocated yet. */
void stand_buf_init(struct stand_buf *buf, size_t max);

/* Frees the bytes; the buffer is empty and usable again with the same bound. */
void stand_buf_fini(struct stand_buf *buf);

/* Forgets the content but keeps the memory, unless more than 64 kB would be kept. */
void stand_buf_clear(struct stand_buf *buf);

/* Appends `len` bytes (any bytes). */
void stand_buf_add(struct stand_buf *buf, const void *data, size_t len);

/* Appends a NUL-terminated text. */
void stand_buf_puts(struct stand_buf *buf, const char *text);

/* Appends printf-formatted text. */
void stand_buf_printf(struct stand_buf *buf, const char *format, ...)
    __attribute__((format(printf, 2, 3)));

/* Appends `len` bytes as a quoted JSON string; bytes that are not UTF-8 become U+FFFD. */
void stand_buf_json(struct stand_buf *buf, const char *text, size_t len);

/* Appends a NUL-terminated text as a JSON string, or `null` when `text` is NULL. */
void stand_buf_json_text(struct stand_buf *buf, const char *text);

/* Appends `len` bytes percent-encoded for a form body (space becomes '+'). */
void stand_buf_form(struct stand_buf *buf, const char *text, size_t len);

/* Appends `name=value` to a form body, with '&' before it unless the buffer is empty. */
void stand_buf_form_pair(struct stand_buf *buf, const char *name, const char *value);

/* Decodes one UTF-8 character at `text` (at most `len` bytes, `len` > 0). Returns its length and
 * sets `*code`; returns 0 when the bytes are not strict UTF-8 (overlong, surrogate, cut). */
size_t stand_utf8(const char *text, size_t len, uint32_t *code);

/* The length of the longest prefix of `text` that has at most `chars` characters. Bytes that are
 * not UTF-8 count as one character each. */
size_t stand_utf8_prefix(const char *text, size_t len, size_t chars);

#endif
