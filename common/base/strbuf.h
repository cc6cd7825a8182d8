/* Growing text with a maximum.
 *
 * Appending past the maximum appends nothing and marks the buffer as overflowed; the caller checks
 * once at the end. Always NUL-terminated; may hold NUL bytes. Not thread-safe. */
#ifndef DESK_BASE_STRBUF_H
#define DESK_BASE_STRBUF_H

#include <stdbool.h>
#include <stddef.h>

struct strbuf {
    char *data;      /* NUL-terminated, valid until the next append; "" when empty */
    size_t length;   /* bytes without the NUL */
    size_t capacity; /* private */
    size_t max;      /* private */
    bool overflow;   /* something did not fit */
};

/* Prepares caller's storage; max_bytes without the NUL. No allocation yet. */
void strbuf_init(struct strbuf *buf, size_t max_bytes);

/* Frees the memory; the buffer is empty and usable again. */
void strbuf_fini(struct strbuf *buf);

/* Makes room for so many bytes more, or for as many as may come: a text that grows to a length that
 * is known about is then not copied each time it has doubled. */
void strbuf_expect(struct strbuf *buf, size_t length);

/* Empties without freeing, clears the overflow mark. */
void strbuf_clear(struct strbuf *buf);

/* Append `length` bytes, a text, one character, a formatted text. */
void strbuf_add(struct strbuf *buf, const void *bytes, size_t length);
void strbuf_add_text(struct strbuf *buf, const char *text);
void strbuf_add_char(struct strbuf *buf, char c);
void strbuf_printf(struct strbuf *buf, const char *format, ...)
    __attribute__((format(printf, 2, 3)));

/* Removes the first `length` bytes (at most all). */
void strbuf_consume(struct strbuf *buf, size_t length);

/* Cuts to `length` bytes if longer. */
void strbuf_truncate(struct strbuf *buf, size_t length);

/* Returns the owned text (free()) and leaves the buffer empty. */
char *strbuf_take(struct strbuf *buf);

#endif
