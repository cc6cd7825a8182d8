/*
 * Memory and byte strings of the stand-ins. The stand-ins may not lean on the code that they are
 * meant to test, so they have their own small set. Called by every file under tests/stands.
 */
#include "stands/lib/buf.h"

#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

enum { KEEP_BYTES = 64 * 1024 };

static void *must_have(void *memory)
{
    if (!memory) {
        fprintf(stderr, "out of memory\n");
        abort();
    }
    return memory;
}

void *stand_alloc(size_t size)
{
    return must_have(calloc(1, size));
}

char *stand_copy(const char *text, size_t len)
{
    char *copy = must_have(malloc(len + 1));
    if (len)
        memcpy(copy, text, len);
    copy[len] = '\0';
    return copy;
}

void stand_buf_init(struct stand_buf *buf, size_t max)
{
    *buf = (struct stand_buf){.max = max};
}

void stand_buf_fini(struct stand_buf *buf)
{
    free(buf->data);
    stand_buf_init(buf, buf->max);
}

void stand_buf_clear(struct stand_buf *buf)
{
    if (buf->cap > KEEP_BYTES) {
        stand_buf_fini(buf);
        return;
    }
    buf->len = 0;
    buf->overflow = false;
    if (buf->data)
        buf->data[0] = '\0';
}

/* Makes room for `more` bytes and a NUL; false when the bound forbids it. */
static bool reserve(struct stand_buf *buf, size_t more)
{
    if (more > buf->max - buf->len) {
        buf->overflow = true;
        return false;
    }
    size_t need = buf->len + more + 1;
    if (need > buf->cap) {
        size_t cap = buf->cap ? buf->cap * 2 : 256;
        buf->cap = cap < need ? need : cap;
        buf->data = must_have(realloc(buf->data, buf->cap));
    }
    return true;
}

void stand_buf_add(struct stand_buf *buf, const void *data, size_t len)
{
    if (!reserve(buf, len))
        return;
    if (len)
        memcpy(buf->data + buf->len, data, len);
    buf->len += len;
    buf->data[buf->len] = '\0';
}

void stand_buf_puts(struct stand_buf *buf, const char *text)
{
    stand_buf_add(buf, text, strlen(text));
}

void stand_buf_printf(struct stand_buf *buf, const char *format, ...)
{
    char small[512];
    va_list list;
    va_start(list, format);
    int len = vsnprintf(small, sizeof small, format, list);
    va_end(list);
    if (len >= 0 && (size_t)len < sizeof small) {
        stand_buf_add(buf, small, (size_t)len);
        return;
    }
    if (len < 0 || !reserve(buf, (size_t)len))
        return;
    va_start(list, format);
    vsnprintf(buf->data + buf->len, (size_t)len + 1, format, list);
    va_end(list);
    buf->len += (size_t)len;
}

size_t stand_utf8(const char *text, size_t len, uint32_t *code)
{
    const unsigned char *byte = (const unsigned char *)text;
    static const uint32_t least[] = {0, 0, 0x80, 0x800, 0x10000};
    size_t need = byte[0] < 0x80                      ? 1
                  : byte[0] >= 0xc2 && byte[0] < 0xe0 ? 2
                  : byte[0] >= 0xe0 && byte[0] < 0xf0 ? 3
                  : byte[0] >= 0xf0 && byte[0] < 0xf5 ? 4
                                                      : 0;
    if (need == 0 || need > len)
        return 0;
    uint32_t value = need == 1 ? byte[0] : byte[0] & (0xffU >> (need + 1));
    for (size_t i = 1; i < need; i++) {
        if ((byte[i] & 0xc0) != 0x80)
            return 0;
        value = value << 6 | (byte[i] & 0x3f);
    }
    if (value < least[need] || (value >= 0xd800 && value < 0xe000) || value > 0x10ffff)
        return 0;
    *code = value;
    return need;
}

size_t stand_utf8_prefix(const char *text, size_t len, size_t chars)
{
    size_t at = 0;
    for (; at < len && chars > 0; chars--) {
        uint32_t code;
        size_t step = stand_utf8(text + at, len - at, &code);
        at += step ? step : 1;
    }
    return at;
}

static void json_ascii(struct stand_buf *buf, unsigned char byte)
{
    static const char letters[] = "btnvfr"; /* \b is 8 ... \r is 13; \v has no short form */
    if (byte == '"' || byte == '\\') {
        char pair[2] = {'\\', (char)byte};
        stand_buf_add(buf, pair, 2);
    } else if (byte >= 8 && byte <= 13 && byte != 11) {
        char pair[2] = {'\\', letters[byte - 8]};
        stand_buf_add(buf, pair, 2);
    } else {
        stand_buf_printf(buf, "\\u%04x", byte);
    }
}

void stand_buf_json(struct stand_buf *buf, const char *text, size_t len)
{
    stand_buf_add(buf, "\"", 1);
    size_t at = 0;
    while (at < len) {
        size_t plain = at;
        uint32_t code = 0;
        size_t step = 0;
        while (plain < len && (step = stand_utf8(text + plain, len - plain, &code)) != 0 &&
               code >= 0x20 && code != '"' && code != '\\' && code != 0x7f)
            plain += step;
        stand_buf_add(buf, text + at, plain - at);
        if (plain < len && step == 0)
            stand_buf_add(buf, "\xef\xbf\xbd", 3);
        else if (plain < len)
            json_ascii(buf, (unsigned char)text[plain]);
        at = plain + 1;
    }
    stand_buf_add(buf, "\"", 1);
}

void stand_buf_json_text(struct stand_buf *buf, const char *text)
{
    if (text)
        stand_buf_json(buf, text, strlen(text));
    else
        stand_buf_puts(buf, "null");
}

void stand_buf_form(struct stand_buf *buf, const char *text, size_t len)
{
    static const char hex[] = "0123456789ABCDEF";
    for (size_t i = 0; i < len; i++) {
        unsigned char byte = (unsigned char)text[i];
        bool plain = (byte >= '0' && byte <= '9') || (byte >= 'A' && byte <= 'Z') ||
                     (byte >= 'a' && byte <= 'z') || byte == '-' || byte == '_' || byte == '.';
        char coded[3] = {'%', hex[byte >> 4], hex[byte & 15]};
        if (plain)
            stand_buf_add(buf, text + i, 1);
        else if (byte == ' ')
            stand_buf_add(buf, "+", 1);
        else
            stand_buf_add(buf, coded, 3);
    }
}

void stand_buf_form_pair(struct stand_buf *buf, const char *name, const char *value)
{
    if (buf->len)
        stand_buf_add(buf, "&", 1);
    stand_buf_form(buf, name, strlen(name));
    stand_buf_add(buf, "=", 1);
    stand_buf_form(buf, value, strlen(value));
}
