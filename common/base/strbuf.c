/* Bounded growing text; the one place where our strings grow. */
#include "base/strbuf.h"

#include "base/mem.h"

#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

static char empty_text[1] = "";

void strbuf_init(struct strbuf *buf, size_t max_bytes)
{
    *buf = (struct strbuf){.data = empty_text, .max = max_bytes};
}

void strbuf_fini(struct strbuf *buf)
{
    if (buf->capacity > 0)
        free(buf->data);
    strbuf_init(buf, buf->max);
}

void strbuf_clear(struct strbuf *buf)
{
    buf->length = 0;
    buf->overflow = false;
    if (buf->capacity > 0)
        buf->data[0] = '\0';
}

static bool reserve(struct strbuf *buf, size_t more)
{
    if (buf->overflow || more > buf->max - buf->length) {
        buf->overflow = true;
        return false;
    }
    size_t need = buf->length + more + 1;
    if (need <= buf->capacity)
        return true;
    size_t capacity = buf->capacity > 0 ? buf->capacity : 64;
    while (capacity < need)
        capacity *= 2;
    if (capacity > buf->max + 1)
        capacity = buf->max + 1;
    buf->data = xreallocarray(buf->capacity > 0 ? buf->data : NULL, capacity, 1);
    buf->capacity = capacity;
    return true;
}

void strbuf_expect(struct strbuf *buf, size_t length)
{
    size_t room = buf->max - buf->length;
    if (!buf->overflow && length > 0 && reserve(buf, length < room ? length : room))
        buf->data[buf->length] = '\0';
}

void strbuf_add(struct strbuf *buf, const void *bytes, size_t length)
{
    if (length == 0 || !reserve(buf, length))
        return;
    memcpy(buf->data + buf->length, bytes, length);
    buf->length += length;
    buf->data[buf->length] = '\0';
}

void strbuf_add_text(struct strbuf *buf, const char *text)
{
    strbuf_add(buf, text, strlen(text));
}

void strbuf_add_char(struct strbuf *buf, char c)
{
    strbuf_add(buf, &c, 1);
}

/* Formats into the room that is there, and only what is longer than that once more. */
void strbuf_printf(struct strbuf *buf, const char *format, ...)
{
    va_list args, again;
    size_t room = buf->capacity > 0 && !buf->overflow ? buf->capacity - buf->length : 0;
    va_start(args, format);
    va_copy(again, args);
    int length = vsnprintf(room > 0 ? buf->data + buf->length : NULL, room, format, args);
    va_end(args);
    if (length > 0 && (size_t)length < room) {
        buf->length += (size_t)length;
    } else if (length > 0 && reserve(buf, (size_t)length)) {
        vsnprintf(buf->data + buf->length, (size_t)length + 1, format, again);
        buf->length += (size_t)length;
    } else if (room > 0) {
        buf->data[buf->length] = '\0'; /* what did not fit is taken back */
    }
    va_end(again);
}

void strbuf_consume(struct strbuf *buf, size_t length)
{
    if (buf->length == 0)
        return;
    if (length > buf->length)
        length = buf->length;
    memmove(buf->data, buf->data + length, buf->length - length + 1);
    buf->length -= length;
}

void strbuf_truncate(struct strbuf *buf, size_t length)
{
    if (length >= buf->length)
        return;
    buf->length = length;
    buf->data[length] = '\0';
}

char *strbuf_take(struct strbuf *buf)
{
    char *text = buf->capacity > 0 ? buf->data : xstrdup("");
    strbuf_init(buf, buf->max);
    return text;
}
