/* Cleaning and cutting of replies.
 * think.c calls it before each commit, reception.c for the parts that a reply without a model is
 * made of. */
#include "reply.h"

#include "base/strbuf.h"
#include "base/text.h"

#include <stdbool.h>
#include <string.h>

static bool is_kept(uint32_t point)
{
    return point == '\n' || (point >= 0x20 && point != 0x7f && !(point >= 0x80 && point < 0xa0));
}

/* Where to cut so that the units fit: behind the last sentence in the second half, else before the
 * last space, else between characters. */
static size_t cut_at(const char *text, size_t units_max)
{
    size_t units = 0, sentence = 0, word = 0;
    const char *p = text;
    while (*p != '\0') {
        const char *before = p;
        uint32_t point = text_next_code_point(&p);
        units += point >= 0x10000 ? 2 : 1;
        if (units > units_max) {
            size_t at = (size_t)(before - text);
            if (sentence > at / 2)
                return sentence;
            return word > at / 2 ? word : at;
        }
        bool stop = point == '.' || point == '!' || point == '?';
        if (stop && (*p == ' ' || *p == '\n' || *p == '\0'))
            sentence = (size_t)(p - text);
        if (point == ' ' || point == '\n')
            word = (size_t)(before - text);
    }
    return (size_t)(p - text);
}

size_t reply_units(const char *text)
{
    size_t units = 0;
    while (*text != '\0')
        units += text_next_code_point(&text) >= 0x10000 ? 2 : 1;
    return units;
}

const char *reply_cut(struct arena *arena, const char *text, size_t units)
{
    size_t length = cut_at(text, units);
    while (length > 0 && strchr(" \n", text[length - 1]) != NULL)
        length--;
    return arena_strndup(arena, text, length);
}

const char *reply_clean_to(struct arena *arena, const char *text, size_t units)
{
    struct strbuf out;
    strbuf_init(&out, 4 * units * 4);
    while (*text != '\0' && !out.overflow) {
        const char *start = text;
        uint32_t point = text_next_code_point(&text);
        if (point == '\t')
            strbuf_add_char(&out, ' ');
        else if (is_kept(point))
            strbuf_add(&out, start, (size_t)(text - start));
    }
    char *clean = out.data + strspn(out.data, " \n");
    const char *kept = reply_cut(arena, clean, units);
    strbuf_fini(&out);
    return kept;
}

const char *reply_clean(struct arena *arena, const char *text)
{
    return reply_clean_to(arena, text, REPLY_UNITS_MAX);
}

const char *reply_append_to(struct arena *arena, const char *reply, const char *more, size_t units)
{
    static const char gap[] = "\n\n";
    const char *tail = reply_clean(arena, more);
    size_t taken = reply_units(tail) + strlen(gap);
    const char *head = taken < units ? reply_cut(arena, reply, units - taken) : "";
    return arena_printf(arena, "%s%s%s", head, head[0] != '\0' ? gap : "", tail);
}

const char *reply_append(struct arena *arena, const char *reply, const char *more)
{
    return reply_append_to(arena, reply, more, REPLY_UNITS_MAX);
}
