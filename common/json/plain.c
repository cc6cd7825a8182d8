/* Runs of characters that a JSON string holds as they are, found eight at a time: most of what is
 * read and written is such. scan.c and writer.c call it. */
#include "json/inside.h"

#include <stdint.h>
#include <string.h>

#define EACH(byte) (UINT64_C(0x0101010101010101) * (byte))
#define TOPS       EACH(0x80)

_Static_assert(__BYTE_ORDER__ == __ORDER_LITTLE_ENDIAN__, "the first character is the lowest byte");

/* The top bits of the bytes below `least`, which is at most 0x80. A borrow can set bits wrongly,
 * but only behind the first right one. */
static uint64_t below(uint64_t word, uint64_t least)
{
    return (word - EACH(least)) & ~word & TOPS;
}

static uint64_t stops_in(uint64_t word)
{
    return below(word, 0x20) | below(word ^ EACH('"'), 1) | below(word ^ EACH('\\'), 1);
}

static bool is_stop(unsigned char c)
{
    return c < 0x20 || c == '"' || c == '\\';
}

const char *json_plain_end(const char *text, const char *end, bool *beyond_ascii)
{
    uint64_t word, stops = 0, seen = 0;
    for (; end - text >= (ptrdiff_t)sizeof word; text += sizeof word) {
        memcpy(&word, text, sizeof word);
        stops = stops_in(word);
        if (stops != 0)
            break;
        seen |= word;
    }
    if (stops != 0) {
        seen |= word & (stops - 1) & ~stops;
        text += __builtin_ctzll(stops) / 8;
    } else {
        for (; text < end && !is_stop((unsigned char)*text); text++)
            seen |= (unsigned char)*text;
    }
    *beyond_ascii |= (seen & TOPS) != 0;
    return text;
}
