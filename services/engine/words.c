/* Looking for whole words: see words.h. escalate.c looks for a tenant's policy words. */
#include "words.h"

#include "base/text.h"

#include <stddef.h>
#include <stdint.h>

#define IS_IN(ranges, point) text_is_within(point, ranges, sizeof(ranges) / sizeof((ranges)[0]))

/* ---- case ---- */

/* Blocks in which a capital is `by` below its small letter, and those in which capitals and small
 * letters take turns. Source: Unicode's CaseFolding.txt. */
static uint32_t fold(uint32_t point)
{
    static const struct {
        struct text_range capitals;
        uint32_t by;
    } blocks[] = {
        {{'A', 'Z'}, 32},     {{0xc0, 0xd6}, 32},   {{0xd8, 0xde}, 32},
        {{0x388, 0x38a}, 37}, {{0x391, 0x3a1}, 32}, {{0x3a3, 0x3ab}, 32},
        {{0x400, 0x40f}, 80}, {{0x410, 0x42f}, 32}, {{0x531, 0x556}, 48},
    };
    static const struct text_range even_first[] = {
        {0x100, 0x12f}, {0x132, 0x137}, {0x14a, 0x177},   {0x460, 0x481},
        {0x48a, 0x4bf}, {0x4d0, 0x52f}, {0x1e00, 0x1e95}, {0x1ea0, 0x1eff}};
    static const struct text_range odd_first[] = {{0x139, 0x148}, {0x179, 0x17e}, {0x4c1, 0x4ce}};
    static const struct {
        uint32_t capital, small;
    } others[] = {{0x130, 'i'},   {0x178, 0xff},  {0x386, 0x3ac}, {0x38c, 0x3cc},
                  {0x38e, 0x3cd}, {0x38f, 0x3ce}, {0x3c2, 0x3c3}, {0x1e9e, 0xdf}};
    for (size_t i = 0; i < sizeof blocks / sizeof blocks[0]; i++)
        if (point >= blocks[i].capitals.first && point <= blocks[i].capitals.last)
            return point + blocks[i].by;
    for (size_t i = 0; i < sizeof others / sizeof others[0]; i++)
        if (point == others[i].capital)
            return others[i].small;
    if (IS_IN(even_first, point))
        return point | 1;
    if (IS_IN(odd_first, point))
        return point + (point & 1);
    return point;
}

/* ---- edges ---- */

/* Punctuation, symbols and spaces beyond ASCII. */
static bool joins(uint32_t point)
{
    static const struct text_range ascii[] = {{'0', '9'}, {'A', 'Z'}, {'a', 'z'}};
    static const struct text_range apart[] = {
        {0x80, 0xa9},     {0xab, 0xb4},     {0xb6, 0xb9},     {0xbb, 0xbf},     {0xd7, 0xd7},
        {0xf7, 0xf7},     {0x37e, 0x37e},   {0x387, 0x387},   {0x589, 0x58a},   {0x5be, 0x5be},
        {0x60c, 0x61f},   {0x66a, 0x66d},   {0x6d4, 0x6d4},   {0x964, 0x965},   {0x2000, 0x206f},
        {0x20a0, 0x20cf}, {0x2190, 0x2bff}, {0x2e00, 0x2e7f}, {0x3000, 0x303f}, {0xfe30, 0xfe6f},
        {0xff01, 0xff0f}, {0xff1a, 0xff20}, {0xff3b, 0xff40}, {0xff5b, 0xff65}, {0x1f000, 0x1faff},
    };
    if (point < 0x80)
        return IS_IN(ascii, point);
    return !IS_IN(apart, point);
}

/* Writing in which nothing but the reader's knowledge ends a word. */
static bool is_unspaced(uint32_t point)
{
    static const struct text_range ranges[] = {
        {0xe00, 0xeff},   {0x1000, 0x109f}, {0x1780, 0x17ff},  {0x3040, 0x30ff},
        {0x3400, 0x9fff}, {0xf900, 0xfaff}, {0x20000, 0x3ffff}};
    return IS_IN(ranges, point);
}

static bool is_space(uint32_t point)
{
    return point == ' ' || (point >= '\t' && point <= '\r') || point == 0xa0 || point == 0x3000;
}

static bool is_edge(uint32_t before, uint32_t after)
{
    return !joins(before) || !joins(after) || is_unspaced(before) || is_unspaced(after);
}

/* ---- the search ---- */

static uint32_t peek(const char *text)
{
    return *text != '\0' ? text_next_code_point(&text) : 0;
}

static const char *skip_spaces(const char *text)
{
    while (*text != '\0' && is_space(peek(text)))
        text_next_code_point(&text);
    return text;
}

/* True if the text begins with the word; *last is its last character then, *rest what follows. */
static bool begins(const char *text, const char *word, uint32_t *last, const char **rest)
{
    while (*word != '\0') {
        if (is_space(peek(word))) {
            if (!is_space(peek(text)))
                return false;
            word = skip_spaces(word);
            text = skip_spaces(text);
            continue;
        }
        if (*text == '\0')
            return false;
        *last = text_next_code_point(&text);
        if (fold(*last) != fold(text_next_code_point(&word)))
            return false;
    }
    *rest = text;
    return true;
}

bool words_have(const char *text, const char *word)
{
    uint32_t before = 0, last = 0;
    const char *rest;
    word = skip_spaces(word);
    if (*word == '\0')
        return false;
    while (*text != '\0') {
        if (is_edge(before, peek(text)) && begins(text, word, &last, &rest) &&
            is_edge(last, peek(rest)))
            return true;
        before = text_next_code_point(&text);
    }
    return false;
}
