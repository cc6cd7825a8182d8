/* Characters and attributes of TwiML: each value is checked, cut and escaped here and nowhere else.
 * Called by twiml.c. */
#include "contract/twiml_inside.h"

#include <stdint.h>
#include <string.h>

#include "base/text.h"

/* ---- mistakes ---- */

bool twiml_fail(struct twiml *twiml, const char *code, const char *what, const char *name)
{
    if (!twiml->failed)
        err_set(&twiml->bug, ERR_BUG, code, "%s: %s", name, what);
    twiml->failed = true;
    return false;
}

/* ---- characters ---- */

bool twiml_is_utf8(struct twiml *twiml, const char *name, const char *text)
{
    if (!text_is_utf8(text, strlen(text)))
        return twiml_fail(twiml, "twiml.text", "it is not UTF-8", name);
    return true;
}

static bool is_space(uint32_t point)
{
    return point == ' ' || point == '\t' || point == '\n' || point == '\r';
}

/* XML 1.0's Char, less the surrogates, which UTF-8 does not have. */
static bool is_allowed(uint32_t point)
{
    return point >= 0x20 && point != 0xfffe && point != 0xffff;
}

/* UTF-16 units. */
static size_t units_of(uint32_t point)
{
    return point > 0xffff ? 2 : 1;
}

/* Appends `length` bytes of UTF-8 as the content of an element or of a quoted attribute. */
void twiml_add_escaped(struct strbuf *out, const char *text, size_t length)
{
    for (const char *p = text; p < text + length;) {
        const char *start = p;
        uint32_t point = text_next_code_point(&p);
        if (is_space(point))
            strbuf_add_char(out, ' ');
        else if (point == '&')
            strbuf_add_text(out, "&amp;");
        else if (point == '<')
            strbuf_add_text(out, "&lt;");
        else if (point == '>')
            strbuf_add_text(out, "&gt;");
        else if (point == '"')
            strbuf_add_text(out, "&quot;");
        else if (is_allowed(point))
            strbuf_add(out, start, (size_t)(p - start));
    }
}

bool twiml_is_blank(const char *text)
{
    while (*text != '\0') {
        uint32_t point = text_next_code_point(&text);
        if (is_allowed(point) && !is_space(point))
            return false;
    }
    return true;
}

/* ---- cutting what is spoken ---- */

static size_t encoded_size(const char *text, size_t length)
{
    size_t size = 0;
    for (size_t i = 0; i < length; i++) {
        char c = text[i];
        bool plain = (c >= 'a' && c <= 'z') || (c >= 'A' && c <= 'Z') || (c >= '0' && c <= '9') ||
                     (c != '\0' && strchr("-_.~", c) != NULL);
        size += plain ? 1 : 3;
    }
    return size;
}

/* Stops that need no space behind them: ideographic, and full-width ! and ?. */
static bool is_wide_stop(uint32_t point)
{
    return point == 0x3002 || point == 0xff01 || point == 0xff1f;
}

/* Where a spoken text ends: its length if it is within the limits, else the end of the last
 * sentence that fits (unless that is less than a quarter), of the last word, or what fits. */
static size_t spoken_length(const char *text)
{
    size_t sentence = 0, word = 0, fitting = 0, characters = 0, encoded = 0;
    uint32_t before = 0;
    for (const char *p = text; *p != '\0';) {
        const char *start = p;
        uint32_t point = text_next_code_point(&p);
        if (is_space(point)) {
            word = fitting;
            if (before == '.' || before == '!' || before == '?')
                sentence = fitting;
        }
        characters += units_of(point);
        encoded += encoded_size(start, (size_t)(p - start));
        if (characters > TWIML_SAY_MAX || encoded > TWIML_SAY_ENCODED_MAX) {
            if (sentence > fitting / 4)
                return sentence;
            return word > 0 ? word : fitting;
        }
        fitting = (size_t)(p - text);
        if (is_wide_stop(point))
            sentence = fitting;
        before = point;
    }
    return fitting;
}

void twiml_add_spoken(struct twiml *twiml, const char *text)
{
    size_t length = spoken_length(text);
    twiml->cut |= text[length] != '\0';
    twiml_add_escaped(&twiml->out, text, length);
}

/* ---- attributes ---- */

static bool is_word_of(const char *const *words, const char *text, size_t length)
{
    for (; *words != NULL; words++)
        if (strlen(*words) == length && memcmp(*words, text, length) == 0)
            return true;
    return false;
}

static bool is_list_of(const char *const *words, const char *text)
{
    for (;;) {
        size_t length = strcspn(text, " ");
        if (!is_word_of(words, text, length))
            return false;
        if (text[length] == '\0')
            return true;
        text += length + 1;
    }
}

bool twiml_is_word(const char *text)
{
    size_t length = strlen(text);
    return length > 0 && length <= TWIML_WORD_MAX &&
           strspn(text, "ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789._-") ==
               length;
}

bool twiml_is_url(const char *text, const char *scheme, const char *other)
{
    size_t length = strlen(text);
    bool known =
        strncmp(text, scheme, strlen(scheme)) == 0 || strncmp(text, other, strlen(other)) == 0;
    if (!known || length > TWIML_URL_MAX)
        return false;
    for (; *text != '\0'; text++)
        if (*text <= ' ' || *text > '~')
            return false;
    return true;
}

static bool is_good(const struct twiml_attribute *attribute, const char *text)
{
    switch (attribute->kind) {
    case TWIML_NAME:
        return twiml_is_word(text);
    case TWIML_WORD:
        return is_word_of(attribute->words, text, strlen(text));
    case TWIML_LIST:
        return is_list_of(attribute->words, text);
    case TWIML_KEYS:
        return strlen(text) <= 12 && text[strspn(text, "1234567890*#")] == '\0';
    case TWIML_NUMBER:
        return text_is_e164(text);
    case TWIML_URL:
        return twiml_is_url(text, "https://", "http://");
    case TWIML_SOCKET:
        return twiml_is_url(text, "wss://", "wss://");
    case TWIML_SPOKEN:
    case TWIML_INT:
    case TWIML_FLAG:
    case TWIML_HINTS:
        break;
    }
    return true;
}

static void open_value(struct twiml *twiml, const struct twiml_attribute *attribute)
{
    strbuf_printf(&twiml->out, " %s=\"", attribute->name);
}

static void add_text(struct twiml *twiml, const struct twiml_attribute *attribute, const char *text)
{
    if (text == NULL) {
        if (attribute->required)
            twiml_fail(twiml, "twiml.attribute", "it is missing", attribute->name);
        return;
    }
    if (!twiml_is_utf8(twiml, attribute->name, text))
        return;
    if (!is_good(attribute, text)) {
        twiml_fail(twiml, "twiml.attribute", "it is not one of its values", attribute->name);
        return;
    }
    if (attribute->kind == TWIML_SPOKEN && twiml_is_blank(text))
        return;
    open_value(twiml, attribute);
    if (attribute->kind == TWIML_SPOKEN)
        twiml_add_spoken(twiml, text);
    else
        twiml_add_escaped(&twiml->out, text, strlen(text));
    strbuf_add_char(&twiml->out, '"');
}

static void add_int(struct twiml *twiml, const struct twiml_attribute *attribute, int number)
{
    if (number == 0)
        return;
    if (number < attribute->min || number > attribute->max) {
        twiml_fail(twiml, "twiml.attribute", "it is out of its range", attribute->name);
        return;
    }
    open_value(twiml, attribute);
    if (number == TWIML_AUTO)
        strbuf_add_text(&twiml->out, "auto\"");
    else
        strbuf_printf(&twiml->out, "%d\"", number);
}

static void add_flag(struct twiml *twiml, const struct twiml_attribute *attribute,
                     enum twiml_flag flag)
{
    if (flag == TWIML_UNSET)
        return;
    open_value(twiml, attribute);
    strbuf_add_text(&twiml->out, flag == TWIML_YES ? "true\"" : "false\"");
}

size_t twiml_characters(const char *text)
{
    size_t characters = 0;
    while (*text != '\0')
        characters += units_of(text_next_code_point(&text));
    return characters;
}

/* A comma ends a hint. */
static void add_hint(struct strbuf *out, const char *hint)
{
    for (size_t run; *hint != '\0'; hint += run + (hint[run] != '\0')) {
        run = strcspn(hint, ",");
        twiml_add_escaped(out, hint, run);
        if (hint[run] != '\0')
            strbuf_add_char(out, ' ');
    }
}

static void add_hints(struct twiml *twiml, const struct twiml_attribute *attribute,
                      const struct twiml_hints *hints)
{
    size_t used = 0;
    for (size_t i = 0; i < hints->count && used < TWIML_HINTS_MAX; i++) {
        const char *hint = hints->items[i];
        if (!twiml_is_utf8(twiml, attribute->name, hint))
            return;
        bool empty = twiml_is_blank(hint) || hint[strspn(hint, ", ")] == '\0';
        if (empty || twiml_characters(hint) > TWIML_HINT_MAX)
            continue;
        if (used++ == 0)
            open_value(twiml, attribute);
        else
            strbuf_add_char(&twiml->out, ',');
        add_hint(&twiml->out, hint);
    }
    if (used > 0)
        strbuf_add_char(&twiml->out, '"');
}

void twiml_add_attributes(struct twiml *twiml, const struct twiml_attribute *attributes,
                          size_t count, const void *in)
{
    for (size_t i = 0; i < count && !twiml->failed; i++) {
        const struct twiml_attribute *attribute = &attributes[i];
        const void *field = (const char *)in + attribute->offset;
        if (attribute->kind == TWIML_INT)
            add_int(twiml, attribute, *(const int *)field);
        else if (attribute->kind == TWIML_FLAG)
            add_flag(twiml, attribute, *(const enum twiml_flag *)field);
        else if (attribute->kind == TWIML_HINTS)
            add_hints(twiml, attribute, field);
        else
            add_text(twiml, attribute, *(const char *const *)field);
    }
}
