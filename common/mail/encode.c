/* Encodings of RFC 2045 and 2047, as far as we write them. compose calls it with what customers and
 * models wrote; that no CR and no LF of theirs comes through is kept here and nowhere else. */
#include "mail/encode.h"

#include <ctype.h>
#include <stdbool.h>
#include <string.h>

#include "base/text.h"

#define WORD_BYTES                                                                                 \
    42 /* UTF-8 of an encoded word: base64 makes 56 of it, its frame 68; 75 are allowed */
#define WORD_MAX 70 /* an ASCII word longer than that is encoded, so that it can be folded */

/* U+0085, U+2028 and U+2029 end lines for some readers. */
static size_t control_at(const char *at)
{
    if (((unsigned char)*at < ' ' && *at != '\0') || *at == 0x7f)
        return 1;
    if (strncmp(at, "\xc2\x85", 2) == 0)
        return 2;
    return strncmp(at, "\xe2\x80\xa8", 3) == 0 || strncmp(at, "\xe2\x80\xa9", 3) == 0 ? 3 : 0;
}

/* The value on one line; what is not UTF-8 becomes "?". */
static void clean(struct strbuf *out, const char *value)
{
    bool utf8 = text_is_utf8(value, strlen(value));
    while (*value != '\0') {
        size_t control = control_at(value);
        if (control > 0)
            strbuf_add_char(out, ' ');
        else
            strbuf_add_char(out, !utf8 && (unsigned char)*value >= 0x80 ? '?' : *value);
        value += control > 0 ? control : 1;
    }
}

static bool is_ascii(const char *text, size_t length)
{
    for (size_t i = 0; i < length; i++)
        if ((unsigned char)text[i] >= 0x80)
            return false;
    return true;
}

/* Encoded words for `length` bytes, folded; returns the column behind them. */
static size_t encode_words(struct strbuf *out, const char *text, size_t length, size_t column)
{
    bool first = true;
    while (length > 0) {
        size_t take = length <= WORD_BYTES ? length : text_utf8_prefix(text, WORD_BYTES);
        size_t size = 12 + (take + 2) / 3 * 4; /* =?utf-8?B? ... ?= */
        if (column + size > MAIL_ENCODE_COLUMN && (column > 1 || !first)) {
            strbuf_add_text(out, "\r\n ");
            column = 1;
        } else if (!first) {
            strbuf_add_char(out, ' ');
            column++;
        }
        strbuf_add_text(out, "=?utf-8?B?");
        text_add_base64(out, text, take);
        strbuf_add_text(out, "?=");
        column += size;
        text += take;
        length -= take;
        first = false;
    }
    return column;
}

/* Words of ASCII as they are; "=?" would be read as an encoded word, which somebody chose. */
static bool is_plain(const char *text)
{
    if (!is_ascii(text, strlen(text)) || strstr(text, "=?") != NULL)
        return false;
    for (size_t length; *text != '\0'; text += length + (text[length] == ' ')) {
        length = strcspn(text, " ");
        if (length > WORD_MAX)
            return false;
    }
    return true;
}

static void fold_words(struct strbuf *out, const char *text, size_t column)
{
    for (size_t length; *text != '\0'; text += length) {
        size_t spaces = strspn(text, " ");
        length = spaces + strcspn(text + spaces, " ");
        if (column + length > MAIL_ENCODE_COLUMN && spaces > 0 && text[spaces] != '\0') {
            strbuf_add_text(out, "\r\n");
            column = 0;
        }
        strbuf_add(out, text, length);
        column += length;
    }
}

void mail_encode_header(struct strbuf *out, const char *name, const char *value)
{
    struct strbuf line;
    strbuf_init(&line, 2 * strlen(value) + 1);
    clean(&line, value);
    while (line.length > 0 && line.data[line.length - 1] == ' ')
        strbuf_truncate(&line, line.length - 1);
    const char *text = line.data + strspn(line.data, " ");
    strbuf_printf(out, "%s: ", name);
    if (is_plain(text))
        fold_words(out, text, strlen(name) + 2);
    else
        encode_words(out, text, strlen(text), strlen(name) + 2);
    strbuf_add_text(out, "\r\n");
    strbuf_fini(&line);
}

static bool is_phrase(const char *text)
{
    for (const char *c = text; *c != '\0'; c++)
        if (!isalnum((unsigned char)*c) && strchr("!#$%&'*+-/=?^_`{|}~ ", *c) == NULL)
            return false;
    return true;
}

size_t mail_encode_phrase(struct strbuf *out, const char *name, size_t column)
{
    struct strbuf line;
    size_t before = out->length;
    strbuf_init(&line, 2 * strlen(name) + 1);
    clean(&line, name);
    if (!is_plain(line.data) || line.length > WORD_MAX) {
        column = encode_words(out, line.data, line.length, column);
        strbuf_fini(&line);
        return column;
    }
    if (is_phrase(line.data)) {
        strbuf_add_text(out, line.data);
    } else {
        strbuf_add_char(out, '"');
        for (const char *c = line.data; *c != '\0'; c++) {
            if (*c == '"' || *c == '\\')
                strbuf_add_char(out, '\\');
            strbuf_add_char(out, *c);
        }
        strbuf_add_char(out, '"');
    }
    strbuf_fini(&line);
    return column + out->length - before;
}

/* ---- bodies ---- */

/* Appends one byte of a line; `last`: the line ends behind it, where white space would get lost. */
static void put_byte(struct strbuf *out, const char *at, size_t *column, bool last)
{
    unsigned char c = (unsigned char)*at;
    bool bare = (c > ' ' && c < 0x7f && c != '=') || ((c == ' ' || c == '\t') && !last);
    if (*column == 0 && (c == '.' || strncmp(at, "From ", 5) == 0))
        bare = false;
    size_t size = bare ? 1 : 3;
    if (*column + size > MAIL_ENCODE_COLUMN - 1) { /* one is for the "=" of a soft break */
        strbuf_add_text(out, "=\r\n");
        *column = 0;
        bare = bare && c != '.' && strncmp(at, "From ", 5) != 0;
        size = bare ? 1 : 3;
    }
    if (bare)
        strbuf_add_char(out, (char)c);
    else
        strbuf_printf(out, "=%02X", c);
    *column += size;
}

void mail_encode_body(struct strbuf *out, const char *text)
{
    size_t column = 0;
    for (; *text != '\0'; text++) {
        if (*text == '\r' && text[1] == '\n')
            continue;
        if (*text == '\n' || *text == '\r') {
            strbuf_add_text(out, "\r\n");
            column = 0;
            continue;
        }
        put_byte(out, text, &column, text[1] == '\0' || text[1] == '\n' || text[1] == '\r');
    }
    if (column > 0)
        strbuf_add_text(out, "\r\n");
}
