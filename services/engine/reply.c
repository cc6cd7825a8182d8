/* Cleaning and cutting of replies for text messages. think.c calls it before each commit. */
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
static size_t cut_at(const char *text)
{
    size_t units = 0, sentence = 0, word = 0;
    const char *p = text;
    while (*p != '\0') {
        const char *before = p;
        uint32_t point = text_next_code_point(&p);
        units += point >= 0x10000 ? 2 : 1;
        if (units > REPLY_UNITS_MAX) {
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

const char *reply_clean(struct arena *arena, const char *text)
{
    struct strbuf out;
    strbuf_init(&out, 4 * REPLY_UNITS_MAX * 4);
    while (*text != '\0' && !out.overflow) {
        const char *start = text;
        uint32_t point = text_next_code_point(&text);
        if (point == '\t')
            strbuf_add_char(&out, ' ');
        else if (is_kept(point))
            strbuf_add(&out, start, (size_t)(text - start));
    }
    char *clean = out.data + strspn(out.data, " \n");
    size_t length = cut_at(clean);
    while (length > 0 && strchr(" \n", clean[length - 1]) != NULL)
        length--;
    const char *kept = arena_strndup(arena, clean, length);
    strbuf_fini(&out);
    return kept;
}
