/* Where a text that is too long for one chunk is cut: the last sentence or line that fits, else the
 * last word, else the last character. chunk.c calls it. */
#include "chunk/inside.h"

#include <ctype.h>
#include <string.h>

static bool is_space(char c)
{
    return c == ' ' || c == '\n' || c == '\t';
}

bool is_blank(const char *text, size_t length)
{
    for (size_t i = 0; i < length; i++)
        if (!is_space(text[i]))
            return false;
    return true;
}

/* "Dr." and "no." end no sentence. */
static bool is_abbreviation(const char *text, size_t dot)
{
    size_t letters = 0;
    while (letters < dot && letters < 3 && !is_space(text[dot - 1 - letters]))
        letters++;
    return letters < 3 && letters > 0 && isalpha((unsigned char)text[dot - 1]);
}

static bool ends_sentence(const char *text, size_t at)
{
    if (at == 0 || !is_space(text[at]))
        return false;
    size_t last = at - 1;
    while (last > 0 && strchr("\"')]*_", text[last]) != NULL)
        last--;
    if (text[last] == '.')
        return !is_abbreviation(text, last);
    return text[last] == '!' || text[last] == '?';
}

static bool ends_line(const char *text, size_t at)
{
    return text[at] == '\n';
}

static bool ends_word(const char *text, size_t at)
{
    return is_space(text[at]);
}

/* The last place of that kind in the last three quarters, 0 if there is none. */
static size_t last_place(const char *text, size_t max, bool (*is_place)(const char *, size_t))
{
    for (size_t at = max; at > max / 4; at--)
        if (is_place(text, at))
            return at;
    return 0;
}

size_t cut_at(const char *text, size_t length, size_t max, bool lines)
{
    if (length <= max)
        return length;
    size_t at = last_place(text, max, lines ? ends_line : ends_sentence);
    if (at == 0)
        at = last_place(text, max, lines ? ends_sentence : ends_line);
    if (at == 0)
        at = last_place(text, max, ends_word);
    if (at == 0)
        for (at = max; ((unsigned char)text[at] & 0xc0) == 0x80;)
            at--;
    return at;
}
