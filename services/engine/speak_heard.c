/* From the words that a caller heard to the place in the text that was spoken. The words are laid
 * beside those of the text; where they differ, the nearest place is looked for where they agree
 * again. The engine asks when a turn was interrupted or is taken up by another engine. */
#include "base/mem.h"
#include "speak_inside.h"

#include <stdlib.h>
#include <string.h>

#define SKIP_MAX 24 /* words that are looked over, of both sides together */

struct words {
    const char *text;
    size_t (*ends)[2]; /* where each begins and ends, bytes */
    size_t count;
};

static bool is_letter(char c)
{
    return (c >= 'a' && c <= 'z') || (c >= 'A' && c <= 'Z') || (c >= '0' && c <= '9') ||
           ((unsigned char)c & 0x80) != 0;
}

/* Apostrophes belong to their word. */
static struct words split(const char *text)
{
    struct words words = {.text = text};
    size_t length = strlen(text);
    words.ends = xcalloc(length / 2 + 1, sizeof *words.ends);
    for (size_t i = 0; i < length;) {
        size_t begin = i;
        while (i < length && (is_letter(text[i]) || (i > begin && text[i] == '\'')))
            i++;
        if (i == begin) {
            i++;
            continue;
        }
        words.ends[words.count][0] = begin;
        words.ends[words.count++][1] = i;
    }
    return words;
}

static char small(char c)
{
    return (char)(c >= 'A' && c <= 'Z' ? c + 32 : c);
}

/* How many bytes two words have in common at their beginning. */
static size_t common(const struct words *a, size_t i, const struct words *b, size_t j)
{
    const char *p = a->text + a->ends[i][0], *q = b->text + b->ends[j][0];
    size_t length = a->ends[i][1] - a->ends[i][0], other = b->ends[j][1] - b->ends[j][0], n = 0;
    while (n < length && n < other && small(p[n]) == small(q[n]))
        n++;
    return n;
}

static bool same(const struct words *a, size_t i, const struct words *b, size_t j)
{
    size_t n = common(a, i, b, j);
    return n == a->ends[i][1] - a->ends[i][0] && n == b->ends[j][1] - b->ends[j][0];
}

/* Looks for where the words agree again; far away one word may be chance, two are not. */
static bool resume(const struct words *text, size_t *i, const struct words *heard, size_t *j)
{
    for (size_t skip = 1; skip <= SKIP_MAX; skip++)
        for (size_t a = 0; a <= skip; a++) {
            size_t x = *i + a, y = *j + skip - a;
            if (x >= text->count || y >= heard->count || !same(text, x, heard, y))
                continue;
            bool ends = x + 1 == text->count || y + 1 == heard->count;
            if (skip > 2 && (ends || !same(text, x + 1, heard, y + 1)))
                continue;
            *i = x;
            *j = y;
            return true;
        }
    return false;
}

size_t speak_cut_heard(const char *text, const char *heard)
{
    struct words all = split(text), some = split(heard);
    size_t i = 0, j = 0, at = 0;
    while (i < all.count && j < some.count) {
        if (same(&all, i, &some, j)) {
            at = all.ends[i++][1];
            j++;
            continue;
        }
        if (j + 1 == some.count) {
            size_t n = common(&all, i, &some, j);
            if (n > 0 && n == some.ends[j][1] - some.ends[j][0])
                at = all.ends[i][0] + n;
            if (n > 0)
                break;
        }
        if (!resume(&all, &i, &some, &j))
            break;
    }
    while (at > 0 && ((unsigned char)text[at] & 0xc0) == 0x80)
        at--; /* a word half heard is never cut within a character */
    bool whole = at > 0 && !is_letter(text[at]);
    while (whole && text[at] != '\0' && strchr(".,;:!?)]\"'", text[at]) != NULL)
        at++;
    free(all.ends);
    free(some.ends);
    return at;
}

size_t speak_resume(const char *text, size_t at, const char *language)
{
    size_t begin = 0, length = strlen(text);
    for (size_t i = 1; i <= length && i <= at; i++) {
        bool gap = i == length || text[i] == ' ';
        if (!gap || speak_edge(text, begin, i, language) != SPEAK_SENTENCE)
            continue;
        begin = i;
        while (text[begin] == ' ')
            begin++;
    }
    return at >= length ? length : begin;
}

size_t speak_resume_end(const char *heard, const char *language)
{
    const size_t length = strlen(heard);
    char *more = xmalloc(length + sizeof " x");
    memcpy(more, heard, length);
    memcpy(more + length, " x", sizeof " x");
    const size_t at = speak_resume(more, length, language);
    free(more);
    return at < length ? at : length;
}

bool speak_repeats(const char *said, const char *text, size_t *from)
{
    size_t same = 0;
    while (text[same] != '\0' && text[same] == said[same])
        same++;
    if (text[same] == '\0')
        return true;
    *from = said[same] == '\0' ? same : 0;
    return false;
}
