/* Makes texts of others harmless for the prompt's marks. prompt.c calls it for all that is not the
 * tenant's own file. */
#include "prompt/mark.h"

#include "base/text.h"

#include <stdbool.h>
#include <stdint.h>
#include <string.h>

#define NAME_MAX_BYTES 200
#define ANGLE          "\xe2\x80\xb9" /* U+2039, looks like "<" and begins no tag */

static bool is_kept(uint32_t point)
{
    return point == '\n' || point == '\t' ||
           (point >= 0x20 && point != 0x7f && !(point >= 0x80 && point < 0xa0));
}

/* What a reader does not see: whoever forges a tag may strew it in. */
static bool is_unseen(uint32_t point)
{
    return point <= 0x20 || (point >= 0x7f && point <= 0xa0) || point == 0xad ||
           (point >= 0x200b && point <= 0x200f) || (point >= 0x2028 && point <= 0x202f) ||
           (point >= 0x2060 && point <= 0x206f) || point == 0xfeff;
}

static bool begins_with(const char *text, const char *name)
{
    while (*name != '\0' && *text != '\0') {
        uint32_t point = text_next_code_point(&text);
        if (is_unseen(point))
            continue;
        if ((point | 0x20) != (uint32_t)*name)
            return false;
        name++;
    }
    return *name == '\0';
}

/* Whether one of our tags begins behind a "<": perhaps with a slash, in any case. */
static bool is_tag(const char *text)
{
    const char *slash = text;
    while (*slash != '\0' && is_unseen(text_next_code_point(&slash)))
        text = slash;
    if (*text == '/')
        text++;
    return begins_with(text, MARK_DESK) || begins_with(text, MARK_PASSAGE) ||
           begins_with(text, MARK_SUMMARY) || begins_with(text, MARK_TALK);
}

const char *mark_data(struct arena *arena, const char *text)
{
    struct strbuf out;
    bool same = true;
    strbuf_init(&out, 3 * strlen(text));
    for (const char *p = text; *p != '\0';) {
        const char *start = p;
        uint32_t point = text_next_code_point(&p);
        if (point == '<' && is_tag(p)) {
            strbuf_add_text(&out, ANGLE);
            same = false;
        } else if (is_kept(point)) {
            strbuf_add(&out, start, (size_t)(p - start));
        } else {
            same = false;
        }
    }
    const char *made = same ? text : arena_strndup(arena, out.data, out.length);
    strbuf_fini(&out);
    return made;
}

void mark_attribute(struct strbuf *out, const char *name)
{
    size_t length = text_utf8_prefix(name, NAME_MAX_BYTES);
    for (const char *p = name; p < name + length;) {
        const char *start = p;
        uint32_t point = text_next_code_point(&p);
        if (point == '<' || point == '>' || point == '"')
            strbuf_add_char(out, '\'');
        else if (is_kept(point) && point != '\n' && point != '\t')
            strbuf_add(out, start, (size_t)(p - start));
        else
            strbuf_add_char(out, ' ');
    }
}
