/* Makes texts of others harmless for the prompt's marks. prompt.c calls it for all that is not the
 * tenant's own file. A mark is plain ASCII: letters of other scripts that look alike make none. */
#include "prompt/mark.h"

#include "base/text.h"

#include <stdbool.h>
#include <stdint.h>
#include <stdlib.h>
#include <string.h>

#define NAME_MAX_BYTES 200
#define ANGLE          "\xe2\x80\xb9" /* U+2039, looks like "<" and begins no tag */

/* Nobody sees them and no language needs them for its words: they can only hide text from people
 * that a model reads, or turn it around. What scripts and emoji need stays: the joiners U+200C and
 * U+200D, U+FE0F, fillers and selectors of Hangul, Khmer and Mongolian. (Flags made of tags, as
 * Scotland's, become black ones.) */
static bool is_dropped(uint32_t point)
{
    static const struct text_range hidden[] = {
        {0x00, 0x08},       {0x0b, 0x1f},       {0x7f, 0x9f},       /* controls */
        {0xad, 0xad},                                               /* soft hyphen */
        {0x61c, 0x61c},     {0x200e, 0x200f},   {0x202a, 0x202e},   /* direction of text */
        {0x180e, 0x180e},   {0x200b, 0x200b},   {0xfeff, 0xfeff},   /* without width */
        {0x2060, 0x206f},                                           /* joiner, direction, signs */
        {0xfe00, 0xfe0e},   {0xe0100, 0xe01ef},                     /* variation selectors */
        {0xfff0, 0xfffb},   {0xe0000, 0xe00ff}, {0xe01f0, 0xe0fff}, /* annotations, tags */
        {0x1bca0, 0x1bca3}, {0x1d173, 0x1d17a},                     /* shorthand, music */
    };
    return text_is_within(point, hidden, sizeof hidden / sizeof *hidden);
}

/* Half of a pair that stands for a character beyond U+FFFF: only escapes are read as such. */
static bool is_half(uint32_t point)
{
    return point >= 0xd800 && point <= 0xdfff;
}

/* What a reader does not see: whoever forges a tag may strew it in. */
static bool is_unseen(uint32_t point)
{
    static const struct text_range blank[] = {
        {'\t', '\n'},     {' ', ' '},       {0xa0, 0xa0},     {0x1680, 0x1680},
        {0x2000, 0x200d}, {0x2028, 0x2029}, {0x202f, 0x202f}, {0x205f, 0x205f},
        {0x2800, 0x2800}, {0x3000, 0x3000},                   /* spaces and line ends */
        {0x34f, 0x34f},   {0x17b4, 0x17b5}, {0x180b, 0x180f}, /* joiners, selectors */
        {0x115f, 0x1160}, {0x3164, 0x3164}, {0xffa0, 0xffa0}, /* Hangul fillers */
        {0xfe0f, 0xfe0f},
    };
    return is_dropped(point) || is_half(point) ||
           text_is_within(point, blank, sizeof blank / sizeof *blank);
}

/* The character of "\u003c" or "\/" at a backslash, and how long that is; else the backslash. A
 * tool's result and a call's arguments are JSON, and some providers read it before the model does.
 */
static uint32_t escaped(const char *at, size_t *length)
{
    static const char letters[] = "nrtbf/\"\\", meanings[] = "\n\r\t\b\f/\"\\";
    const char *letter = at[1] != '\0' ? strchr(letters, at[1]) : NULL;
    char digits[5] = "";
    *length = letter != NULL ? 2 : 1;
    if (letter != NULL)
        return (uint32_t)meanings[letter - letters];
    if (at[1] != 'u')
        return '\\';
    memcpy(digits, at + 2, strnlen(at + 2, 4));
    if (strspn(digits, "0123456789abcdefABCDEF") != 4)
        return '\\';
    *length = 6;
    return (uint32_t)strtoul(digits, NULL, 16);
}

static uint32_t next_point(const char **p)
{
    size_t length;
    if (**p != '\\')
        return text_next_code_point(p);
    uint32_t point = escaped(*p, &length);
    *p += length;
    return point;
}

static bool begins_with(const char *text, const char *name)
{
    for (const char *next = name; *text != '\0';) {
        uint32_t point = next_point(&text);
        if (is_unseen(point) || (point == '/' && next == name))
            continue;
        if ((point | 0x20) != (uint32_t)*next)
            return false;
        if (*++next == '\0')
            return true;
    }
    return false;
}

/* Whether one of our tags begins behind a "<": perhaps with a slash, in any case. */
static bool is_tag(const char *text)
{
    return begins_with(text, MARK_DESK) || begins_with(text, MARK_PASSAGE) ||
           begins_with(text, MARK_FILE) || begins_with(text, MARK_SUMMARY) ||
           begins_with(text, MARK_TALK);
}

/* How much of it, as most texts are, needs no second look. */
static size_t plain_length(const char *text)
{
    const char *p = text;
    while ((*p >= ' ' && *p < 0x7f && *p != '<' && *p != '\\') || *p == '\n')
        p++;
    return (size_t)(p - text);
}

/* What stands there instead of a character of others; NULL: itself. `behind` it, the text goes on.
 */
static const char *instead_of(uint32_t point, bool is_escape, const char *behind)
{
    if (point == '<' && is_tag(behind))
        return ANGLE;
    if (is_escape)
        return NULL;
    if (point == 0x2028 || point == 0x2029)
        return " "; /* ends a line like a line feed, which would not do in a JSON string */
    return is_dropped(point) ? "" : NULL;
}

const char *mark_data(struct arena *arena, const char *text)
{
    struct strbuf out;
    const char *rest = text; /* what is not in `out` yet */
    strbuf_init(&out, 3 * strlen(text));
    for (const char *p = text + plain_length(text); *p != '\0';) {
        const char *start = p;
        uint32_t point = next_point(&p);
        const char *instead = instead_of(point, *start == '\\', p);
        if (instead == NULL)
            continue;
        strbuf_add(&out, rest, (size_t)(start - rest));
        strbuf_add_text(&out, instead);
        rest = p;
    }
    if (rest != text) {
        strbuf_add_text(&out, rest);
        text = arena_strndup(arena, out.data, out.length);
    }
    strbuf_fini(&out);
    return text;
}

void mark_attribute(struct strbuf *out, const char *name)
{
    size_t length = text_utf8_prefix(name, NAME_MAX_BYTES);
    for (const char *p = name; p < name + length;) {
        const char *start = p;
        uint32_t point = text_next_code_point(&p);
        if (point == '<' || point == '>' || point == '"')
            strbuf_add_char(out, '\'');
        else if (is_dropped(point) || point == '\n' || point == '\t' || point == 0x2028 ||
                 point == 0x2029)
            strbuf_add_char(out, ' ');
        else
            strbuf_add(out, start, (size_t)(p - start));
    }
}
