/* Cleaning and cutting of replies, and the look for what must not leave in one.
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

/* ---- what must not leave ---- */

static void add_letters(struct strbuf *out, const char *text)
{
    for (; *text != '\0'; text++) {
        char c = *text;
        if (c >= 'A' && c <= 'Z')
            c = (char)(c - 'A' + 'a');
        if ((c >= 'a' && c <= 'z') || (c >= '0' && c <= '9'))
            strbuf_add_char(out, c);
    }
}

/* How far two texts agree to the left of, and from, the places `a` and `b`. */
static size_t run_around(const struct strbuf *one, size_t a, const struct strbuf *two, size_t b)
{
    size_t left = 0, right = 0;
    while (left < a && left < b && one->data[a - left - 1] == two->data[b - left - 1])
        left++;
    while (a + right < one->length && b + right < two->length &&
           one->data[a + right] == two->data[b + right])
        right++;
    return left + right;
}

/* A run of that length holds, wherever it begins, a whole step of half of it: only those are looked
 * for. */
static bool share_a_run(const struct strbuf *reply, const struct strbuf *text)
{
    const size_t step = REPLY_QUOTE_MIN / 2;
    for (size_t at = 0; at + step <= text->length; at += step) {
        const char *from = reply->data, *end = reply->data + reply->length, *hit;
        while ((hit = memmem(from, (size_t)(end - from), text->data + at, step)) != NULL) {
            if (run_around(reply, (size_t)(hit - reply->data), text, at) >= REPLY_QUOTE_MIN)
                return true;
            from = hit + 1;
        }
    }
    return false;
}

bool reply_quotes(const char *reply, const char *const *texts, size_t count)
{
    struct strbuf said, text;
    bool quotes = false;
    strbuf_init(&said, strlen(reply) + 1);
    add_letters(&said, reply);
    for (size_t i = 0; i < count && !quotes && said.length >= REPLY_QUOTE_MIN; i++) {
        strbuf_init(&text, strlen(texts[i]) + 1);
        add_letters(&text, texts[i]);
        quotes = text.length >= REPLY_QUOTE_MIN && share_a_run(&said, &text);
        strbuf_fini(&text);
    }
    strbuf_fini(&said);
    return quotes;
}
